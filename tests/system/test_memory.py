"""R10: passwords and private keys are not in the memory of any smtpd, nor in the log, once they were used; not while the session goes
on, and not after it."""
import base64
import contextlib
import random
import re
import socket
import ssl
import string

import pytest

import auth_kit as kit
import certs
import lib
from memory import holds, holds_text

pytestmark = [pytest.mark.skipif(not lib.ROOT, reason="reads other processes' memory"),
              pytest.mark.skipif(lib.SLOW != 1, reason="a sanitizer's shadow is most of the memory")]

RANDOM = random.Random(4954)
PIECE = 10      # octets of a password, or of its base64, that count as having it


def new_password():
    return "".join(RANDOM.choices(string.ascii_letters + string.digits, k=36))


def base64_forms(octets):
    "Its base64 wherever it stands in what is encoded: the text that is the same whatever is around it."
    for before in range(3):
        text = base64.b64encode(b"\0" * before + octets).decode()
        first = (before * 8 + 5) // 6
        yield text[first:(before + len(octets)) * 8 // 6]


def pieces(name, octets):
    "All that is looked for: the password, and its base64, in pieces, since a heap may have written over a part."
    found = {}
    for kind, text in [("plain", octets.decode()), *((f"base64 {n}", t) for n, t in enumerate(base64_forms(octets)))]:
        for at in range(0, len(text) - PIECE + 1, PIECE):
            found[f"{name} {kind} at {at}"] = text[at:at + PIECE].encode()
    return found


class Client(lib.Raw):
    "One that goes under TLS where it is told to, and may send an octet at a time."
    number = 0

    def __init__(self, port, tls, version=None, slowly=False):
        self.slowly = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        Client.number += 1      # failures of one address would be answered later and later
        super().__init__(port, greeting=tls != "implicit", source=f"127.1.{Client.number // 250}.{Client.number % 250 + 1}")
        if tls == "starttls":
            self.say("EHLO client.example")
            assert self.say("STARTTLS")[:3] == "220"
        if tls != "none":
            self.sock = context.wrap_socket(self.sock)
        if tls == "implicit":
            self.reply()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.slowly = slowly
        assert self.say("EHLO client.example")[:3] == "250"

    def send(self, octets):
        if not self.slowly:
            self.sock.sendall(octets)
            return
        for i in range(len(octets)):
            self.sock.sendall(octets[i:i + 1])


def login_plain(c, login, password):
    return c.say("AUTH PLAIN " + kit.plain(login, password))


def login_plain_later(c, login, password):
    assert c.say("AUTH PLAIN") == "334 "
    return c.say(kit.plain(login, password))


def login_login(c, login, password):
    assert c.say("AUTH LOGIN")[:4] == "334 "
    assert c.say(kit.b64(login))[:4] == "334 "
    return c.say(kit.b64(password))


def login_scram(c, login, password):
    return kit.scram(c, login, password)


# The last ones are those whose octets nothing that comes later would cover.
LOGINS = {"scram": login_scram, "plain-later": login_plain_later, "login": login_login, "plain": login_plain}


@pytest.fixture
def server(postern, folder):
    server = kit.server(postern, folder / "a", ["nobody:!"], start=False, conf="smtpd { processes = 1 }\n")
    server.passwords = {f"user-{name}": new_password() for name in LOGINS}
    kit.write_table(server.table, [(kit.scram_line if "scram" in login else kit.crypt_line)(login, password)
                                   for login, password in server.passwords.items()])
    return server.start()


def smtpds(server):
    found = [pid for name, pid in server.daemons() if name.startswith("postern-smtpd")]
    assert len(found) == 2, server.daemons()
    return found


def nowhere(server, texts):
    "In no smtpd; nor in any other daemon but auth, nor in the log."
    for name, pid in server.daemons():
        found = holds_text(pid, texts)
        assert not found, (name, sorted(found))
    assert not holds_text(server.proc.pid, texts)
    log = server.text().encode()
    assert not [name for name, octets in texts.items() if octets in log]


@pytest.mark.parametrize("slowly", [False, True], ids=["one-read", "octets"])
@pytest.mark.parametrize("tls", ["none", "starttls-1.2", "starttls-1.3", "implicit-1.3"])
def test_password(server, tls, slowly):
    "Good and bad, by each mechanism: nothing is left while the sessions are open, nor when they are over."
    kind, _, version = tls.partition("-")
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get(version)
    port = {"none": server.clear_port, "starttls": server.port, "implicit": server.tls_port}[kind]
    texts, clients = {}, []
    marker = new_password()
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(Client(port, kind, version))
        assert control.say(f"EHLO {marker}.example")[:3] == "250"
        control.send(b"NOOP " + marker[::-1].encode())
        for name, login in LOGINS.items():
            for good in (False, True):
                password = server.passwords[f"user-{name}"] if good else new_password()
                c = stack.enter_context(Client(port, kind, version, slowly))
                answer = login(c, f"user-{name}", password)
                assert answer[:3] == ("235" if good else "535"), (name, answer)
                texts |= pieces(f"{name} {good}", password.encode())
                clients.append(c)
        # That the search would find it: a name in a session, and octets that are held.
        assert {"helo", "held"} <= set().union(*(
            holds_text(pid, {"helo": marker.encode(), "held": marker[::-1].encode()}) for pid in smtpds(server)))
        for pid in smtpds(server):
            found = holds_text(pid, texts)
            assert not found, sorted(found)
    lib.wait_for("the sessions to end", lambda: len(re.findall("disconnect ", server.text())) >= len(clients) + 1)
    nowhere(server, texts)


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_password_gone_astray(server, tls):
    "Where no AUTH is offered, where its line is broken or too long, and where a response comes that nobody asked for."
    texts = {}

    def new():
        password = new_password()
        texts.update(pieces(f"password {len(texts)}", password.encode()))
        return password
    with contextlib.ExitStack() as stack:
        client = lambda port: stack.enter_context(Client(port, tls))
        mx, own = client(server.mx_port), server.clear_port if tls == "none" else server.port
        assert mx.say("AUTH PLAIN " + kit.plain("alice", new()))[:3] == "503"
        assert mx.say(kit.b64(new()))[:3] == "500"
        mx.send(f"AUTH PLAIN {kit.plain('alice', new())}".encode())         # and no line end
        c = client(own)
        assert c.say("MAIL FROM:<x@client.example>")[:3] == "530"
        c.send(f"AUTH CRAM-MD5\r\n{kit.b64(new())}\r\nAUTH PLAIN {kit.plain('alice', new())}x\r\n".encode())
        assert [c.reply()[:3] for _ in range(3)] == ["504", "500", "501"]
        c.send(f"AUTH LOGIN\r\n{kit.b64('alice')}\r\n{kit.b64(new())}\r\n{kit.b64(new())}\r\n".encode())   # sent ahead, and once too often
        assert [c.reply()[:3] for _ in range(4)] == ["334", "334", "535", "500"]
        c = client(own)
        c.send(f"AUTH PLAIN {kit.plain('alice', new())}\n".encode())
        assert c.reply()[:3] == "500" and c.closed()
        c = client(own)
        c.send(f"AUTH PLAIN {kit.plain('alice', new()) * 400}".encode())
        assert c.reply()[:3] == "500" and c.closed()
        c = client(own)
        c.send(f"AUTH PLAIN {kit.plain('alice', new())}".encode())
        c.send(f"  {new()}".encode())
    lib.wait_for("the sessions to end", lambda: len(re.findall("disconnect ", server.text())) >= 5)
    nowhere(server, texts)


def test_private_key(server):
    "Handshakes of both roles: neither smtpd has anything of the key, in either order of octets, nor its PEM."
    numbers = certs.secrets(server.pair[1])
    lines = [line for line in server.pair[1].read_bytes().split(b"\n") if line and not line.startswith(b"-")]
    pem = {f"line {n}": line[:PIECE * 2] for n, line in enumerate(lines)}
    assert numbers and pem
    for _ in range(3):
        for port, kind in ((server.port, "starttls"), (server.tls_port, "implicit"), (server.mx_port, "starttls")):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                Client(port, kind, version).close()
    for pid in smtpds(server):
        assert not holds(pid, numbers)
        assert not holds_text(pid, pem)
    assert holds(server.pid_of("postern-keys"), numbers), "the search finds nothing even where the key is"
