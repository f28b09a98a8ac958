"""Certificates for the tests, by openssl(1)."""
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
