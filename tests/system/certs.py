"""Certificates for the tests, by openssl(1)."""
import hashlib
import subprocess
from pathlib import Path

ALGORITHMS = {"rsa": ("-newkey", "rsa:2048"), "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")}


def make(folder, stem, name, algorithm="ec", days=3, *options):
    "A self-signed pair: (certificate, key), as paths."
    folder = Path(folder)
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    subprocess.run(["openssl", "req", "-x509", *ALGORITHMS[algorithm], "-nodes", "-keyout", str(key), "-out", str(cert),
                    "-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", *options],
                   check=True, capture_output=True)
    key.chmod(0o600)
    cert.chmod(0o644)
    return cert, key


class Authority:
    "A CA of its own; .file is its certificate."

    def __init__(self, folder, stem="ca"):
        self.folder, self.serial = Path(folder), 1
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file, self.key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        subprocess.run(["openssl", "req", "-x509", *ALGORITHMS["ec"], "-nodes", "-keyout", str(self.key), "-out", str(self.file),
                        "-days", "3", "-subj", f"/CN={stem}", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                        "keyUsage=critical,keyCertSign"], check=True, capture_output=True)
        self.file.chmod(0o644)

    def issue(self, stem, names, algorithm="ec", days=3, digest="sha256", chain=True):
        "(certificate with this CA's behind it, key); days may be negative: it has expired.  names: one or a list."
        names = [names] if isinstance(names, str) else names
        cert, key, request = (self.folder / f"{stem}{end}" for end in (".pem", ".key", ".req"))
        san = ",".join(f"DNS:{n}" for n in names)
        spec = algorithm if isinstance(algorithm, tuple) else ALGORITHMS[algorithm]
        subprocess.run(["openssl", "req", "-new", *spec, "-nodes", "-keyout", str(key), "-out", str(request),
                        "-subj", f"/CN={names[0]}"], check=True, capture_output=True)
        (self.folder / "ext").write_text(f"subjectAltName={san}\n")
        self.serial += 1
        subprocess.run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self.key),
                        "-set_serial", str(self.serial), f"-{digest}", "-days", str(days), "-extfile", str(self.folder / "ext"),
                        "-out", str(cert)], check=True, capture_output=True)
        if chain:
            cert.write_bytes(cert.read_bytes() + self.file.read_bytes())
        key.chmod(0o600)
        cert.chmod(0o644)
        return cert, key


def fingerprint(cert, of="cert"):
    "SHA-256 of a certificate, or of its key (spki), in hex."
    der = subprocess.run(["openssl", "x509", "-in", str(cert), "-outform", "DER"], check=True, capture_output=True).stdout
    if of == "spki":
        pem = subprocess.run(["openssl", "x509", "-in", str(cert), "-pubkey", "-noout"], check=True, capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def section(name, *pairs):
    "A tls section of the configuration."
    words = lambda i: ", ".join(f'"{pair[i]}"' for pair in pairs)
    return f'tls "{name}" {{ certificate = {{ {words(0)} }} key = {{ {words(1)} }} }}\n'


def secrets(key):
    "The private numbers of a key file, as octets."
    text = subprocess.run(["openssl", "pkey", "-in", str(key), "-text", "-noout"], check=True, capture_output=True).stdout.decode()
    found, name = {}, None
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.split(":")[0]
        elif name:
            found[name] = found.get(name, "") + line.strip().replace(":", "")
    wanted = ("priv", "privateExponent", "prime1", "prime2")
    return {n: bytes.fromhex(h).lstrip(b"\0") for n, h in found.items() if n in wanted}
