"""AUTH by a real Dovecot's auth service: its answers, its deaths, its silence, and a service that is none."""
import base64
import contextlib
import os
import smtplib
import socket
import subprocess
import threading
import time

import pytest

import lib
from auth_kit import listener, plain
from dovecot import Dovecot
from lib import ROOT, SLOW, wait_for

pytestmark = pytest.mark.skipif(not ROOT, reason="Dovecot wants root")
USERS = {"alice": "wonder", "bob@local.example": "bui lder", "p\u00e4r": "\u00e5ngstr\u00f6m"}


@pytest.fixture
def dovecot(folder):
    with Dovecot(folder / "dovecot", USERS) as d:
        yield d


def serve(postern, socket_path, more="", **kw):
    port = lib.free_port()
    return postern(f'relay-from = {{ }}\nauth {{ dovecot = "{socket_path}" {more} }}\n', port=port,
                   listeners=listener("submission", port, "none"), **kw)


def client(server):
    s = smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example", timeout=40 * SLOW)
    s.ehlo()
    return s


def auth(server, login, password, mechanism="PLAIN"):
    "The code of an AUTH."
    with contextlib.closing(client(server)) as s:
        if mechanism == "PLAIN":
            return s.docmd("AUTH", "PLAIN " + plain(login, password))[0]
        code, text = s.docmd("AUTH", "LOGIN")
        assert (code, base64.b64decode(text).lower()) == (334, b"username:")
        code, _ = s.docmd(base64.b64encode(login.encode()).decode())
        assert code == 334
        return s.docmd(base64.b64encode(password.encode()).decode())[0]


def ready(server):
    server.wait_log(r"dovecot at .* is ready")
    return server


def test_answers(postern, dovecot):
    "Right, wrong, unknown; both mechanisms; blanks and letters beyond ASCII; who it was is in the log, and mail goes."
    server = ready(serve(postern, dovecot.socket))
    for login, password in USERS.items():
        for mechanism in ("PLAIN", "LOGIN"):
            assert auth(server, login, password, mechanism) == 235, (login, mechanism)
            assert auth(server, login, password + "x", mechanism) == 535
    assert auth(server, "nobody", "wonder") == 535
    assert auth(server, "alice\tuser=root", "wonder") in (501, 535)
    with contextlib.closing(client(server)) as s:
        assert s.docmd("AUTH", "PLAIN " + plain("bob@local.example", "bui lder"))[0] == 235
        s.sendmail("bob@local.example", "alice@local.example", b"Subject: x\r\n\r\nhello\r\n")
    assert "rip=127.0.0.1" in dovecot.text() and "wonder" not in server.text()


def test_scram(postern, dovecot, folder):
    "SCRAM is Dovecot's own affair: msmtp and Dovecot prove themselves to each other through us."
    server = ready(serve(postern, dovecot.socket, 'mechanisms = { "PLAIN", "LOGIN", "SCRAM-SHA-256" }'))
    rc = folder / "msmtprc"
    for password, want in (("wonder", 0), ("wander", 77)):     # EX_NOPERM
        rc.write_text(f"account default\nhost 127.0.0.1\nport {server.port}\ntls off\nauth scram-sha-256\nuser alice\n"
                      f"password {password}\nfrom alice@local.example\nlogfile {folder}/msmtp.log\n")
        rc.chmod(0o600)
        run = subprocess.run(["msmtp", "-C", str(rc), "bob@local.example"], input=b"Subject: s\n\nhello\n", capture_output=True,
                             timeout=60 * SLOW)
        if b"not supported" in run.stderr and b"235" not in run.stderr:
            pytest.skip("this msmtp has no SCRAM-SHA-256")
        assert run.returncode == want, run.stderr


def test_restart(postern, dovecot):
    "Dovecot goes: 454, at once; it comes again: 235, without our being told."
    server = ready(serve(postern, dovecot.socket))
    assert auth(server, "alice", "wonder") == 235
    dovecot.stop()
    server.wait_log("dovecot at .*: it closed the connection")
    began = time.monotonic()
    assert auth(server, "alice", "wonder") == 454
    assert time.monotonic() - began < 5 * SLOW
    dovecot.start()
    wait_for("a login again", lambda: auth(server, "alice", "wonder") == 235, 40 * SLOW, 0.2)


def test_late(postern, folder):
    "Postern starts before there is a Dovecot."
    late = Dovecot(folder / "dovecot", USERS)
    server = serve(postern, late.socket)
    assert auth(server, "alice", "wonder") == 454
    with late:
        wait_for("a login", lambda: auth(server, "alice", "wonder") == 235, 40 * SLOW, 0.2)


class Fake:
    "Something else behind the socket.  act(connection) has each connection."

    def __init__(self, path, act):
        self.path, self.act, self.seen = path, act, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        os.chmod(path, 0o666)
        self.sock.listen(10)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                self.seen.append(c)
                threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with contextlib.suppress(OSError):
            self.act(c)

    def close(self):
        for c in [self.sock, *self.seen]:
            c.close()


HELLO = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n"


@pytest.mark.parametrize("say, why", [
    (b"220 mx.example ESMTP\r\n", "does not begin with VERSION"), (b"VERSION\t2\t0\n", "another version"),
    (b"x" * 20000, "a line without end"), (HELLO + b"OK\tx\tuser=a\n", "without a number"),
    (b"VERSION\t1\t1\n" + b"MECH\tX\n" * 1000, "no end"), (b"", "takes too long"),
], ids=["smtp", "version", "endless", "number", "hello", "mute"])
def test_stranger(postern, folder, say, why):
    "What is no auth service is told in the log, and lets nobody in."
    fake = Fake(folder / "sock", lambda c: (c.sendall(say), c.recv(1 << 20), time.sleep(30)))
    server = serve(postern, folder / "sock")
    assert auth(server, "alice", "wonder") == 454
    server.wait_log(f"dovecot at .*: .*{why}")
    assert auth(server, "alice", "wonder") == 454
    fake.close()


def test_silence(postern, folder):
    "A service that takes the question and never answers: 454 within the half minute of smtpd, and the next one is not harmed."
    quiet = threading.Event()

    def act(c):
        c.sendall(HELLO)
        for line in c.makefile("rb"):
            words = line.rstrip(b"\n").split(b"\t")
            if words[0] == b"AUTH" and quiet.is_set():
                c.sendall(b"OK\t" + words[1] + b"\tuser=alice\n")
    fake = Fake(folder / "sock", act)
    server = ready(serve(postern, folder / "sock"))
    began = time.monotonic()
    assert auth(server, "alice", "wonder") == 454
    assert 20 < time.monotonic() - began < 35 * SLOW
    quiet.set()
    assert auth(server, "alice", "wonder") == 235
    fake.close()


def test_hostile_user(postern, folder):
    "Whom the service names is who it is, if that can be a name at all."
    answer = {}

    def act(c):
        c.sendall(HELLO)
        for line in c.makefile("rb"):
            words = line.rstrip(b"\n").split(b"\t")
            if words[0] == b"AUTH":
                c.sendall(b"OK\t" + words[1] + answer["user"] + b"\n")
    fake = Fake(folder / "sock", act)
    server = ready(serve(postern, folder / "sock"))
    for user, code in ((b"\tuser=alice", 235), (b"", 454), (b"\tuser=", 454), (b"\tuser=a\x01nb", 454), (b"\tuser=" + b"l" * 256, 454),
                       (b"\tuser=" + b"l" * 255, 235)):
        answer["user"] = user
        assert auth(server, "alice", "wonder") == code, user
    fake.close()


def test_killed_under_load(postern, dovecot):
    "Dovecot's auth is killed while many log in: each gets an answer, and none that is wrong."
    server = ready(serve(postern, dovecot.socket))
    codes, stop = [], threading.Event()

    def run(n):
        while not stop.is_set():
            good = n % 2 == 0
            code = auth(server, "alice", "wonder" if good else "wander")
            codes.append((good, code))
    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for _ in range(3):
        time.sleep(0.5)
        dovecot.kill_auth()
    time.sleep(0.5)
    stop.set()
    for t in threads:
        t.join(60 * SLOW)
        assert not t.is_alive()
    assert codes and all(code in ((235, 454) if good else (535, 454, 421)) for good, code in codes), set(codes)

