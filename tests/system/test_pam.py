"""AUTH by PAM: the real modules over a shadow file of the test's own, slow and crashing ones, and what postern-pam cannot do.

The services and the shadow file are bound over /etc in a mount namespace of the server's own: nothing of the machine's is changed.
"""
import contextlib
import os
import re
import signal
import smtplib
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import lib
from auth_kit import listener, plain
from lib import ROOT, SLOW, wait_for

pytestmark = pytest.mark.skipif(not ROOT, reason="needs a mount namespace, and a shadow file")
SANITIZED = "address" in os.environ.get("POSTERN_BIN", "")


def crypt(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password.encode(), capture_output=True,
                          check=True).stdout.decode().strip()


@pytest.fixture
def pam(postern, folder):
    """pam(services) starts a server whose /etc/pam.d holds these, whose users are alice (wonder) and expired (wonder), and which
    asks the service "postern"."""
    etc = folder / "etc"

    def start(auth="auth required pam_unix.so", account="account required pam_unix.so", **services):
        (etc / "pam.d").mkdir(parents=True)
        deny = "auth required pam_deny.so\naccount required pam_deny.so\n"
        for name, text in {"postern": f"{auth}\n{account}\n", "other": deny, **services}.items():
            if text is not None:
                (etc / "pam.d" / name).write_text(text)
        (etc / "passwd").write_text(Path("/etc/passwd").read_text() + "alice:x:40001:40001::/:/bin/sh\n"
                                    "expired:x:40002:40002::/:/bin/sh\nlocked:x:40003:40003::/:/bin/sh\n")
        (etc / "shadow").write_text(Path("/etc/shadow").read_text() + f"alice:{crypt('wonder')}:19000:0:99999:7:::\n"
                                    f"expired:{crypt('wonder')}:19000:0:99999:7::100:\nlocked:!{crypt('wonder')}:19000:0:99999:7:::\n")
        (etc / "shadow").chmod(0o640)
        port = lib.free_port()
        bind = " && ".join(f"mount --bind {etc}/{n} /etc/{n}" for n in ("pam.d", "passwd", "shadow"))
        server = postern('relay-from = { }\nauth { pam = "postern" failures-max = 1000 }\n', port=port,
                         listeners=listener("submission", port, "none"),
                         wrap=["unshare", "-m", "sh", "-c", f'{bind} && exec "$@"', "sh"])
        server.etc = etc
        return server
    return start


def auth(server, login, password):
    with contextlib.closing(smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example", timeout=60 * SLOW)) as s:
        s.ehlo()
        assert s.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        return s.docmd("AUTH", "PLAIN " + plain(login, password))[0]


def pam_pids(server):
    "postern-pam, its slots, and what these ask with."
    top = server.pid_of("postern-pam")
    pids, grown = {top}, True
    while grown:
        grown = False
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                ppid = int(stat.read_text().rsplit(")", 1)[1].split()[1])
                if ppid in pids and int(stat.parent.name) not in pids:
                    pids.add(int(stat.parent.name))
                    grown = True
    return top, pids


def test_no_service(pam):
    "Without a file of its own it is the service other that counts, and the log says so."
    server = pam(postern=None, other="auth required pam_unix.so\naccount required pam_unix.so\n")
    server.wait_log(r"there is no /etc/pam.d/postern: PAM goes by /etc/pam.d/other")
    assert auth(server, "alice", "wonder") == 235
    assert auth(server, "alice", "wrong") == 535


def test_unix(pam):
    "pam_unix over a shadow file: right, wrong, unknown, expired, locked."
    server = pam()
    assert auth(server, "alice", "wonder") == 235
    for login, password in (("alice", "wander"), ("alice", ""), ("nobody-here", "wonder"), ("expired", "wonder"),
                            ("locked", "wonder"), ("root", "root")):
        assert auth(server, login, password) in ((535,) if password else (535, 501)), login
    server.wait_log(r"postern-pam.*login=expired refused: ")
    assert "wonder" not in server.text()


def test_mail(pam):
    "Who logged in may relay, by the login and the mechanism LOGIN as well."
    server = pam()
    with contextlib.closing(smtplib.SMTP("127.0.0.1", server.port, local_hostname="c.example", timeout=60 * SLOW)) as s:
        s.ehlo()
        s.user, s.password = "alice", "wonder"
        assert s.auth("LOGIN", s.auth_login)[0] == 235
        assert s.sendmail("alice@local.example", "bob@local.example", b"Subject: x\r\n\r\nx\r\n") == {}
    wait_for("the mail", lambda: server.maildir("bob"))


@pytest.mark.parametrize("line, code", [
    ("auth required pam_permit.so", 235), ("auth required pam_deny.so", 535),
    ("auth required pam_debug.so auth=authinfo_unavail", 454), ("auth required pam_debug.so auth=maxtries", 535),
    ("auth required pam_no_such_thing.so", (454, 535)),
], ids=["permit", "deny", "away", "maxtries", "missing"])
def test_codes(pam, line, code):
    server = pam(auth=line, account="account required pam_permit.so")
    assert auth(server, "alice", "wonder") in (code if isinstance(code, tuple) else (code,))


def test_slow(pam, folder):
    """A module that takes long holds its own client and nobody else; one that takes too long is killed with its program, and its
    client hears 454."""
    script = folder / "slow"
    script.write_text('#!/bin/sh\nread -r word\ncase "$PAM_USER" in hang) exec sleep 1000;; slow) exec sleep 3;; esac\nexit 0\n')
    script.chmod(0o755)
    server = pam(auth=f"auth required pam_exec.so quiet expose_authtok {script}", account="account required pam_permit.so")
    took = {}

    def run(login):
        began = time.monotonic()
        took[login] = (auth(server, login, "x"), time.monotonic() - began)
    threads = [threading.Thread(target=run, args=(n,)) for n in ("hang", "slow")]
    for t in threads:
        t.start()
    wait_for("the two to be asked", lambda: len(pam_pids(server)[1]) >= 1 + 8 + 4)
    for _ in range(5):
        began = time.monotonic()
        assert auth(server, "quick", "x") == 235
        assert time.monotonic() - began < 2.5 * SLOW
    for t in threads:
        t.join(60 * SLOW)
    assert took["slow"][0] == 235 and took["slow"][1] >= 3
    assert took["hang"][0] == 454 and 19 < took["hang"][1] < 29 * SLOW
    server.wait_log("login=hang: PAM took too long, and was killed")
    wait_for("nothing to be left of it", lambda: len(pam_pids(server)[1]) == 1 + 8)


def test_all_slots(pam, folder):
    "More at once than there are slots: they wait for their turn, and all are answered."
    script = folder / "slow"
    script.write_text("#!/bin/sh\nexec sleep 1\n")
    script.chmod(0o755)
    server = pam(auth=f"auth required pam_exec.so quiet {script}", account="account required pam_permit.so")
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(auth(server, "alice", "x"))) for _ in range(20)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join(60 * SLOW)
    assert codes == [235] * 20
    assert 2 < time.monotonic() - began < 20 * SLOW


def test_killed(pam, folder):
    "postern-pam, a slot, an asker killed: 454, and then as before."
    script = folder / "slow"
    script.write_text("#!/bin/sh\nexec sleep 2\n")
    script.chmod(0o755)
    server = pam(auth=f"auth required pam_exec.so quiet {script}", account="account required pam_permit.so")
    for whom in ("asker", "slot", "pam"):
        wait_for("all slots", lambda: server.pid_of("postern-pam") and len(pam_pids(server)[1]) == 1 + 8)
        wait_for("postern-pam to serve", lambda: auth(server, "alice", "x") == 235, 60 * SLOW, 0.3)
        codes = []
        t = threading.Thread(target=lambda: codes.append(auth(server, "alice", "x")))
        t.start()
        wait_for("the question", lambda: len(pam_pids(server)[1]) >= 1 + 8 + 2)
        top, pids = pam_pids(server)
        parent = {p: int(Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[1]) for p in pids}
        busy = next(p for p in pids if parent[p] == top and any(parent[q] == p for q in pids))
        asker = next(p for p in pids if parent[p] == busy)
        os.kill({"asker": asker, "slot": busy, "pam": top}[whom], signal.SIGKILL)
        t.join(60 * SLOW)
        assert codes == [454], whom
        wait_for("the rest to go", lambda: lib.gone(asker))
    assert auth(server, "alice", "x") in (235, 454)


@pytest.mark.skipif(SANITIZED, reason="no seccomp there")
def test_confined(pam, folder):
    """What a module, here a program started by one, can do: run as root without capabilities, and read what root owns; not write,
    not signal, not reach the network, not change modes."""
    out = folder / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(folder / "said"))
    listening.settimeout(20 * SLOW)
    os.chmod(folder / "said", 0o666)
    probe = folder / "probe"
    probe.write_text(f"""#!/usr/bin/python3
import os, socket
def attempt(f):
    try:
        f()
        return "yes"
    except OSError as e:
        return os.strerror(e.errno)
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
say = [f"{{k}}={{status[k].strip()}}" for k in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs")] + [
    "uid=%d" % os.getuid(),
    "shadow=" + attempt(lambda: open("/etc/shadow").read()),
    "null=" + attempt(lambda: open("/dev/null", "w")),
    "write=" + attempt(lambda: open("{out}/file", "w")),
    "remove=" + attempt(lambda: os.rmdir("{out}")),
    "chmod=" + attempt(lambda: os.chmod("{out}", 0o700)),
    "chown=" + attempt(lambda: os.chown("{out}", 1, 1)),
    "kill=" + attempt(lambda: os.kill({os.getpid()}, 0)),
    "inet=" + attempt(lambda: socket.socket(socket.AF_INET)),
    "inet6=" + attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    "netlink=" + attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "packet=" + attempt(lambda: socket.socketpair(socket.AF_INET)),
    "chroot=" + attempt(lambda: os.chroot("/")),
    "setuid=" + attempt(lambda: os.setuid(1)),
]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto("; ".join(say).encode(), "{folder}/said")
""")
    probe.chmod(0o755)
    server = pam(auth=f"auth required pam_exec.so quiet {probe}", account="account required pam_permit.so")
    assert auth(server, "alice", "x") == 235
    said = dict(word.split("=", 1) for word in listening.recv(65536).decode().split("; "))
    never, family = "Operation not permitted", "Address family not supported by protocol"
    none = "0" * 16
    assert said == {"CapEff": none, "CapPrm": none, "CapBnd": none, "NoNewPrivs": "1", "uid": "0", "shadow": "yes", "null": "yes",
                    "write": "Permission denied", "remove": "Permission denied", "chmod": never, "chown": never, "kill": never,
                    "inet": family, "inet6": family, "netlink": family, "packet": family, "chroot": never, "setuid": never}


def test_privileges(pam):
    "postern-pam and its slots by what the kernel says of them."
    server = pam()
    assert auth(server, "alice", "wonder") == 235
    _, pids = pam_pids(server)
    assert len(pids) == 1 + 8
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        for field, want in (("Uid", r"0\s+0\s+0\s+0"), ("Gid", r"0\s+0\s+0\s+0"), ("Groups", r"\s*"), ("CapEff", "0+"), ("CapPrm", "0+"),
                            ("CapBnd", "0+"), ("CapAmb", "0+"), ("CapInh", "0+"), ("NoNewPrivs", "1"),
                            ("Seccomp", "0" if SANITIZED else "2")):
            assert re.search(rf"^{field}:\s*{want}\s*$", status, re.M), (pid, field, status)
        names = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
        if pid != min(pids):
            assert len([n for n in names if n != "/dev/null"]) <= (1 if not SANITIZED else 3), names
