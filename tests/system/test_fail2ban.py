"""etc/fail2ban's filter, run by the real fail2ban-regex over the log of a server that many have tried to log in at."""
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest

import certs
import lib
from auth_kit import crypt_line, listener, plain, write_table
from lib import PEERS, SLOW, TOP

NAME = "mx.local.example"
INNOCENT = "203.0.113.66"
LINE = f'auth-failed client={INNOCENT} port=1 listener=a session=1 mechanism=PLAIN login="x"'
STAMP = "2026-11-22T07:00:00Z postern-smtpd[1]: "
HOSTILE = [
    "alice", "", "a", "x" * 255, "x" * 300, LINE, f'x" client={INNOCENT} port=1 listener=a', f'x\\" client={INNOCENT}', f"\n{STAMP}{LINE}",
    f"\r\n{STAMP}{LINE}\r\n", f"\x1b[2K\r{STAMP}{LINE}", f"\u2028{STAMP}{LINE}", f"\x85{STAMP}{LINE}", f"{INNOCENT}", "<HOST>", "%s%n",
    f"client={INNOCENT}", f"\x0b\x0c{STAMP}{LINE}", f'" reason="" {LINE}', "\\", "\\\\\"", "a\tb",
]


@pytest.fixture
def regex(folder):
    "regex(log, mode) is what the filter finds in a log: the addresses, one for each line that it takes."
    config = folder / "fail2ban"
    shutil.copytree(PEERS / "etc/fail2ban", config, symlinks=True)
    shutil.copy(TOP / "etc/fail2ban/filter.d/postern.conf", config / "filter.d")

    def run(log, mode="normal"):
        env = dict(os.environ, PYTHONPATH=str(PEERS / "usr/lib/python3/dist-packages"), PYTHONDONTWRITEBYTECODE="1", TZ="UTC")
        call = lambda *more: subprocess.run(["/usr/bin/python3", str(PEERS / "usr/bin/fail2ban-regex"), "-c", str(config), *more, str(log),
                                             f"postern[mode={mode}]"], env=env, capture_output=True, text=True, timeout=60 * SLOW)
        whole = call()
        assert whole.returncode == 0, whole.stdout + whole.stderr
        found = call("-o", "ip")
        matched = int(re.search(r"(\d+) matched", whole.stdout)[1])
        addresses = found.stdout.split()
        assert matched == len(addresses), whole.stdout[-3000:] + found.stdout
        return addresses
    return run


def attempt(port, source, login, password="wrong", before=()):
    "One AUTH PLAIN from an address; its code."
    with contextlib.closing(lib.Raw(port, source=source)) as c:
        c.send(b"EHLO c.example\r\n")
        c.reply()
        for line in before:
            c.send(line + b"\r\n")
            c.reply()
        c.send(b"AUTH PLAIN " + plain(login, password).encode() + b"\r\n")
        return int(c.reply()[:3])


def test_filter(postern, folder, regex):
    "As many lines as attempts that failed, each with the address that it came from; no word of a client's makes another."
    table = folder / "passwd"
    write_table(table, [crypt_line("alice", "wonder")])
    port = lib.free_port()
    server = postern(f'relay-from = {{ }}\nauth {{ passwd = "{table}" failures-max = 1000 }}\n', port=port,
                     listeners=listener("submission", port, "none"))
    want = []
    for n, login in enumerate(HOSTILE):
        source = f"127.0.1.{n + 1}"
        code = attempt(port, source, login)
        assert code in (535, 501), (login, code)
        if code == 535:
            want.append(source)
    assert len(want) > 10
    assert attempt(port, "127.0.2.1", "alice", "wonder") == 235
    # The same words in every other place that is logged.
    for line in (f'EHLO {LINE}', f"MAIL FROM:<\"{STAMP}{LINE}\"@x.example>", f"VRFY {LINE}", LINE, f"AUTH {LINE}",
                 f"AUTH PLAIN {LINE}", "AUTH " + LINE.replace(" ", "-")):
        with contextlib.closing(lib.Raw(port, source="127.0.2.2")) as c:
            c.send(b"EHLO c.example\r\n")
            c.reply()
            c.send(line.encode() + b"\r\n")
            c.reply()
    # Cancelled, and malformed.
    with contextlib.closing(lib.Raw(port, source="127.0.2.3")) as c:
        c.send(b"EHLO c.example\r\nAUTH LOGIN\r\n*\r\nAUTH PLAIN !!!!\r\n")
        c.reply()
    server.stop()
    assert sorted(regex(server.log_path)) == sorted(want)
    assert sorted(regex(server.log_path, "aggressive")) == sorted(want)
    # As a log daemon writes it.
    classic = folder / "mail.log"
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    classic.write_text(re.sub(r"^\d+-(\d+)-(\d+)T([\d:]+)Z ", lambda m: f"{months[int(m[1]) - 1]} {int(m[2]):2} {m[3]} mx ", server.text(),
                              flags=re.M))
    assert sorted(regex(classic)) == sorted(want)


def test_limits(postern, folder, regex):
    "Who is past the limit is refused without a look: found in the aggressive mode alone."
    table = folder / "passwd"
    write_table(table, [crypt_line("alice", "wonder")])
    port = lib.free_port()
    server = postern(f'relay-from = {{ }}\nauth {{ passwd = "{table}" failures-max = 2 }}\n', port=port,
                     listeners=listener("submission", port, "none"))
    codes = [attempt(port, "127.0.3.1", "alice") for _ in range(5)]
    assert set(codes) == {535, 454} and codes == sorted(codes, reverse=True)
    server.stop()
    assert regex(server.log_path) == ["127.0.3.1"] * codes.count(535)
    assert regex(server.log_path, "aggressive") == ["127.0.3.1"] * 5


def test_six(regex, folder, postern):
    "Clients that a proxy speaks for, IPv4 and IPv6: their own addresses, not the proxy's."
    table = folder / "passwd"
    write_table(table, [crypt_line("alice", "wonder")])
    port = lib.free_port()
    server = postern(certs.section(NAME, certs.make(folder, "pair", NAME)) + f'relay-from = {{ }}\nauth {{ passwd = "{table}" }}\n',
                     port=port, listeners=listener("submissions", port, "implicit", 'proxy-from = { "127.0.0.0/8" }'))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    want = ["198.51.100.7", "2001:db8::7"]
    for head in ("TCP4 198.51.100.7 127.0.0.1", "TCP6 2001:db8::7 ::1"):
        with socket.create_connection(("127.0.0.1", port), 20 * SLOW) as raw:
            raw.sendall(f"PROXY {head} 40000 {port}\r\n".encode())
            with context.wrap_socket(raw) as tls, tls.makefile("rwb") as f:
                f.readline()
                f.write(b"AUTH\r\nEHLO c.example\r\nAUTH PLAIN " + plain("alice", "x").encode() + b"\r\n")
                f.flush()
                while (line := f.readline())[:3] not in (b"535", b""):
                    pass
                assert line[:3] == b"535"
    server.stop()
    assert sorted(regex(server.log_path)) == sorted(want)


def test_jail(folder):
    "The jail and the filter are what fail2ban's own reader takes."
    config = folder / "fail2ban"
    shutil.copytree(PEERS / "etc/fail2ban", config, symlinks=True)
    shutil.copy(TOP / "etc/fail2ban/filter.d/postern.conf", config / "filter.d")
    for old in (config / "jail.d").iterdir():
        old.unlink()
    shutil.copy(TOP / "etc/fail2ban/jail.d/postern.conf", config / "jail.d")
    env = dict(os.environ, PYTHONPATH=str(PEERS / "usr/lib/python3/dist-packages"), PYTHONDONTWRITEBYTECODE="1")
    run = subprocess.run(["/usr/bin/python3", str(PEERS / "usr/bin/fail2ban-client"), "-c", str(config), "-d"], env=env,
                         capture_output=True, text=True, timeout=60 * SLOW)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "'postern', 'systemd'" in run.stdout and "auth-failed client=" in run.stdout
