"""F14, G9: the log by syslog, through a restart of the log daemon; every step of a message can be followed."""
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

import lib


class Rsyslog:
    "A private rsyslogd on /dev/log of a mount namespace of our own is not to be had for the server alone, so it serves the real path if nobody does."

    def __init__(self, folder, path="/dev/log"):
        self.dir, self.path = Path(folder), path
        self.dir.mkdir(parents=True, exist_ok=True)
        self.out = self.dir / "mail.log"
        modules = lib.PEERS / "usr/lib/x86_64-linux-gnu/rsyslog"
        (self.dir / "conf").write_text(
            f'global(workDirectory="{self.dir}")\nmodule(load="{modules}/imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{path}" CreatePath="off" RateLimit.Interval="0")\n'
            f'action(type="omfile" file="{self.out}" asyncWriting="off" flushOnTXEnd="on")\n')
        self.start()

    def start(self):
        env = dict(lib.PEER_ENV)
        self.proc = subprocess.Popen([str(lib.PEERS / "usr/sbin/rsyslogd"), "-n", "-iNONE", "-f", str(self.dir / "conf"), "-M",
                                      str(lib.PEERS / "usr/lib/x86_64-linux-gnu/rsyslog")], env=env,
                                     stdout=subprocess.DEVNULL, stderr=open(self.dir / "err", "ab"))

        def up():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                s.connect(self.path)
                return True
            except OSError:
                return False
            finally:
                s.close()
        lib.wait_for("rsyslogd", up)

    def stop(self):
        lib.end(self.proc)

    def text(self):
        return self.out.read_text(errors="replace") if self.out.exists() else ""


def log_socket_is_free():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        s.connect("/dev/log")
        return False
    except OSError:
        return not os.path.exists("/dev/log")
    finally:
        s.close()


@pytest.mark.skipif(not lib.ROOT or not log_socket_is_free(), reason="needs root and a machine without log daemon")
def test_F14_log_daemon_restarts_and_nothing_waits(postern, folder):
    log = Rsyslog(folder / "syslog")
    try:
        server = postern(start=False)
        server.conf_path.write_text(server.conf_path.read_text().replace('log = "stderr"', 'log = "syslog"'))
        server.start()
        first = server.send(to="bob@local.example")
        lib.wait_for("the whole life of a message in the log", lambda: re.search(
            rf"postern-queue\[\d+\]: {first} accepted .*(\n.*)*postern-deliver\[\d+\]: {first} rcpt=<bob@local.example>.*(\n.*)*"
            rf"postern-queue\[\d+\]: {first} removed", log.text()))
        log.stop()
        silent = []
        for _ in range(30):
            start = time.monotonic()
            silent.append(server.send(to="bob@local.example"))
            assert time.monotonic() - start < 2
        log.start()
        # Lines waited in memory, within a bound; what the bound cost would be counted in a line of its own.
        lib.wait_for("the lines of the silence", lambda: all(f"{msgid} accepted" in log.text() for msgid in silent)
                     or re.search(r"\d+ lines? .*lost", log.text()))
        again = server.send(to="bob@local.example")
        lib.wait_for("lines again after the restart", lambda: f"{again} removed" in log.text())
    finally:
        log.stop()
        if os.path.exists("/dev/log"):
            os.unlink("/dev/log")


def test_G9_every_refusal_says_who_what_and_why(postern):
    server = postern('relay-from = { "192.0.2.0/24" }\n')
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<from@client.example>")
        c.say("RCPT TO:<a@elsewhere.example>")
        c.say("RCPT TO:<nobody@local.example>")
    line = server.wait_log(r".*reject .*a@elsewhere\.example.*")[0]
    for part in ("127.0.0.1", "client.example", "from@client.example", "5.7.1"):
        assert part in line, line
    assert "5.1.1" in server.wait_log(r".*reject .*nobody@local\.example.*")[0]


def test_R9_strangers_text_cannot_forge_a_line(postern, hop):
    sink = hop(script=lambda stage, s: b'550 5.1.1 bad\x1b[31m "quoted" \\ queue[1]: FORGED accepted\r\n' if stage == "rcpt" else None)
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example\x1b[31m")
        c.say('EHLO client.example')
        c.say('MAIL FROM:<"a\\"b\x01"@local.example>')
    msgid = server.send(to="x@dest.example")
    line = server.wait_log(rf"{msgid} rcpt=.*status=permfail.*")[0]
    assert "\x1b" not in server.text()
    assert r'\"quoted\"' in line
