"""Logins, and a server that asks for them, for the tests of AUTH."""
import base64
import hashlib
import hmac
import os
import subprocess

import certs
import lib

NAME = "mx.local.example"
ITERATIONS = 4096


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


def plain(login, password, authzid=""):
    return b64(f"{authzid}\0{login}\0{password}")


def crypt_line(login, password, scheme="-6"):
    run = subprocess.run(["openssl", "passwd", scheme, "-stdin"], input=password.encode(), capture_output=True, check=True)
    return f"{login}:{run.stdout.decode().strip()}"


def scram_line(login, password, iterations=ITERATIONS):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    key = lambda word: hmac.digest(salted, word, "sha256")
    stored = hashlib.sha256(key(b"Client Key")).digest()
    return f"{login}:{{SCRAM-SHA-256}}{iterations},{b64(salt)},{b64(stored)},{b64(key(b'Server Key'))}"


def scram(c, login, password, mechanism="SCRAM-SHA-256", gs2="n,,", binding=b"", cbind=None):
    "SCRAM by a lib.Raw (RFC 5802); the last reply.  cbind: what is said to be bound in place of gs2 and binding."
    first = f"n={login},r=n{os.urandom(12).hex()}"
    answer = c.say(f"AUTH {mechanism} {b64(gs2 + first)}")
    if answer[:4] != "334 ":
        return answer
    challenge = base64.b64decode(answer[4:]).decode()
    values = dict(word.split("=", 1) for word in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(values["s"]), int(values["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c={b64(gs2.encode() + binding if cbind is None else cbind)},r={values['r']}"
    text = ",".join((first, challenge, final)).encode()
    proof = bytes(a ^ b for a, b in zip(key, hmac.digest(hashlib.sha256(key).digest(), text, "sha256")))
    answer = c.say(b64(f"{final},p={b64(proof)}"))
    if answer[:4] != "334 ":
        return answer
    server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
    assert base64.b64decode(answer[4:]).decode() == f"v={b64(server)}"
    return c.say("")


def write_table(path, lines):
    "A password table as auth wants it: nobody else's to read."
    new = path.with_suffix(".new")
    new.write_text("".join(line + "\n" for line in lines))
    new.chmod(0o600)
    new.rename(path)


def listener(name, port, tls, more=""):
    return f'listener "{name}" {{ address = "127.0.0.1" port = {port} tls = "{tls}" auth = true {more} }}\n'


def server(postern, folder, lines, conf="", auth="", more="", pair=None, relay="", start=True):
    """submission on .port (STARTTLS), submissions on .tls_port, a clear one on .clear_port, and a listener without AUTH on .mx_port.
    Clients on loopback may not relay."""
    folder.mkdir(exist_ok=True)
    table = folder / "passwd"
    write_table(table, lines)
    pair = pair or certs.make(folder, "pair", NAME)
    ports = [lib.free_port() for _ in range(4)]
    s = postern(certs.section(NAME, pair) + f'relay-from = {{ {relay} }}\nauth {{ passwd = "{table}" {auth} }}\n' + conf,
                port=ports[0], start=False,
                listeners=listener("submission", ports[0], "starttls", more) + listener("submissions", ports[1], "implicit", more)
                + listener("local", ports[2], "none") + f'listener "mx" {{ address = "127.0.0.1" port = {ports[3]} tls = "starttls" }}\n')
    s.tls_port, s.clear_port, s.mx_port, s.table, s.pair = ports[1], ports[2], ports[3], table, pair
    return s.start() if start else s
