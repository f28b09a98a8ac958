"""posternctl passwd: on a terminal and without one, and the entries that it makes are those that AUTH takes."""
import contextlib
import os
import pty
import re
import select
import signal
import smtplib
import subprocess
import termios
import time

import pytest

import lib
from auth_kit import listener, plain, write_table
from lib import BIN, SLOW, wait_for


def passwd(table, *args, text=None):
    return subprocess.run([str(BIN / "posternctl"), "passwd", "-f", str(table), *args], input=text, capture_output=True, timeout=60 * SLOW)


def auth(port, login, password):
    with contextlib.closing(smtplib.SMTP("127.0.0.1", port, local_hostname="c.example", timeout=60 * SLOW)) as s:
        s.ehlo()
        return s.docmd("AUTH", "PLAIN " + plain(login, password))[0]


def test_entries(postern, folder):
    "Both kinds of entry let the login in, a changed one by itself; removed it is nobody."
    table = folder / "passwd"
    write_table(table, ["# ours"])
    port = lib.free_port()
    server = postern(f'relay-from = {{ }}\nauth {{ passwd = "{table}" failures-max = 1000 }}\n', port=port,
                     listeners=listener("submission", port, "none"))
    assert passwd(table, "alice", text=b"wonder\n").returncode == 0
    assert passwd(table, "-c", "bob", text="b\u00e5u der\nmore\n".encode()).returncode == 0
    assert table.read_text().startswith("# ours\nalice:{SCRAM-SHA-256}") and "bob:$y$" in table.read_text()
    wait_for("the entry", lambda: auth(port, "alice", "wonder") == 235, 60 * SLOW, 0.5)
    wait_for("the other", lambda: auth(port, "bob", "b\u00e5u der") == 235, 60 * SLOW, 0.5)
    assert auth(port, "bob", "ba\u030au der") == 235        # the same letter in two pieces
    assert auth(port, "alice", "bau der") == 535
    assert passwd(table, "alice", text=b"wander").returncode == 0
    wait_for("the new password", lambda: auth(port, "alice", "wander") == 235, 60 * SLOW, 0.5)
    assert auth(port, "alice", "wonder") == 535
    assert passwd(table, "-d", "bob").returncode == 0
    wait_for("bob to be nobody", lambda: auth(port, "bob", "b\u00e5u der") == 535, 60 * SLOW, 0.5)
    assert passwd(table, "-d", "bob").returncode == 1
    assert "wonder" not in server.text()


@pytest.mark.parametrize("args, text, status", [
    (("a:b",), b"x\n", 2), (("",), b"x\n", 2), (("a\tb",), b"x\n", 2), (("#a",), b"x\n", 2), (("a",), b"\n", 1), (("a",), b"", 1),
    (("a",), b"p\xe4ss\n", 1), (("a",), b"x\0y\n", 1), (("a",), b"x" * 1024 + b"\n", 0), (("a",), b"x" * 1025 + b"\n", 1),
    (("-c", "a"), b"x" * 511 + b"\n", 0), (("-c", "a"), b"x" * 512 + b"\n", 1), ((), b"x\n", 2),
], ids=["colon", "empty", "tab", "hash", "none", "eof", "latin1", "nul", "1024", "1025", "511", "512", "nobody"])
def test_refused(folder, args, text, status):
    "What cannot be used is refused, and then there is no table."
    run = passwd(folder / "t", *args, text=text)
    assert run.returncode == status, run.stderr
    assert (folder / "t").exists() == (status == 0)


class Terminal:
    def __init__(self, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.seen = b""

    def until(self, text):
        end = time.monotonic() + 20 * SLOW
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen

    def type(self, text):
        os.write(self.fd, text)

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        _, status = os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            while True:
                more = os.read(self.fd, 4096)
                if not more:
                    break
                self.seen += more
        return status


def test_terminal(folder):
    "Asked twice, without echo; two that differ are none."
    table = folder / "t"
    for again, good in ((b"sesame", True), (b"simsim", False)):
        t = Terminal(str(BIN / "posternctl"), "passwd", "-f", str(table), "alice")
        t.until(b"Password for alice: ")
        wait_for("no echo", lambda: not t.echo())
        t.type(b"sesame\n")
        t.until(b"Once more: ")
        t.type(again + b"\n")
        t.until(b"added" if good else b"differ")
        assert os.waitstatus_to_exitcode(t.end()) == (0 if good else 1)
        assert b"sesame" not in t.seen and b"simsim" not in t.seen
    assert table.read_text().count("\n") == 1


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["int", "term", "hup"])
def test_signal(folder, sig):
    "Ended in the middle: the terminal echoes as before, and there is no table."
    t = Terminal(str(BIN / "posternctl"), "passwd", "-f", str(folder / "t"), "alice")
    other = os.dup(t.fd)
    t.until(b"Password for alice: ")
    wait_for("no echo", lambda: not t.echo())
    t.type(b"sesa")
    os.kill(t.pid, sig)
    wait_for("echo", t.echo)
    status = t.end()
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == sig
    assert not (folder / "t").exists()
    os.close(other)
