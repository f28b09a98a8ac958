"""SCRAM-SHA-256 and -PLUS as a client (RFC 5802, 7677, 5929), step by step, so that a test can say something else at each."""
import base64
import hashlib
import hmac
import os


def b64(octets):
    return base64.b64encode(octets).decode()


class Scram:
    "binding: None, (name, octets) for PLUS, or \"y\": I could, but you do not offer it."

    def __init__(self, login, password, binding=None):
        self.password = password.encode()
        self.header = "n,," if binding is None else "y,," if binding == "y" else f"p={binding[0]},,"
        self.data = b"" if binding in (None, "y") else binding[1]
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={login},r={self.nonce}"

    def first(self):
        return b64((self.header + self.bare).encode())

    def final(self, challenge, careful=True):
        "For the server's first words; careful: as the RFC has it, with ValueError for what it forbids."
        text = base64.b64decode(challenge).decode()
        fields = dict(x.split("=", 1) for x in text.split(","))
        if careful and (not fields["r"].startswith(self.nonce) or fields["r"] == self.nonce or int(fields["i"]) < 4096):
            raise ValueError(text)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        without = f"c={b64(self.header.encode() + self.data)},r={fields['r']}"
        message = f"{self.bare},{text},{without}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        mark = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        self.server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return b64(f"{without},p={b64(bytes(a ^ b for a, b in zip(key, mark)))}".encode())

    def knows(self, answer):
        "Whether the server's last words show that it has the password's entry."
        return base64.b64decode(answer) == b"v=" + base64.b64encode(self.server)


def login(smtp, scram, plus=False, final=None):
    "The whole exchange on an smtplib.SMTP; the last reply.  final(challenge): other last words of the client."
    code, text = smtp.docmd("AUTH", f"SCRAM-SHA-256{'-PLUS' if plus else ''} {scram.first()}")
    if code != 334:
        return code, text
    code, text = smtp.docmd((final or scram.final)(text))
    if code == 334:
        assert scram.knows(text), text
        code, text = smtp.docmd("")
    return code, text
