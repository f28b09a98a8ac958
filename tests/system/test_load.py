"""G6, F15, F16: bounded memory and descriptors, slow clients, storms; other clients go on."""
import resource
import socket
import time
from pathlib import Path

import pytest

import lib


def memory(pid):
    "Resident memory of a process, KB."
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def smtpds(server):
    return [pid for name, pid in server.daemons() if name.startswith("postern-smtpd")]


def test_F16_ten_thousand_idle_connections_cost_under_4_KB_each(postern):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 10000
    if hard < want + 2000:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (want + 2000, hard))
    server = postern("smtpd { processes = 2 }\n")
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
    before = sum(memory(pid) for pid in smtpds(server))
    idle = []
    try:
        for i in range(want):
            s = socket.create_connection(("127.0.0.1", server.port), 20)
            idle.append(s)
        for s in idle:
            s.settimeout(20)
            assert s.recv(512).startswith(b"220"), "a connection was refused"
            s.sendall(b"EHLO c.example\r\n")
        for s in idle:
            while not s.recv(4096).endswith(b"\r\n"):
                pass
        grown = sum(memory(pid) for pid in smtpds(server)) - before
        print(f"{grown} KB for {want} connections")
        assert grown < 4 * want
        server.send(to="bob@local.example")         # and it still serves
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_empty()


def test_F16_limits_in_total_per_address_and_per_prefix(postern):
    port = lib.free_port()
    server = postern('relay-from = { "192.0.2.0/24" }\nsmtpd { processes = 1 }\n', port=port, listeners=
                     f'listener "mx" {{ address = "127.0.0.1" port = {port} connections = 12 '
                     'per-address = 3 per-prefix = 8 }\n')

    def connect(source):
        s = socket.socket()
        s.settimeout(10)
        s.bind((source, 0))
        s.connect(("127.0.0.1", port))
        return s, s.recv(512)
    held = []
    for i in range(3):
        s, greeting = connect("127.0.0.2")
        held.append(s)
        assert greeting.startswith(b"220"), (i, greeting)
    assert connect("127.0.0.2")[1].startswith(b"421 4.7.0")
    for i in range(5):
        s, greeting = connect(f"127.0.0.{10 + i}")
        held.append(s)
        assert greeting.startswith(b"220"), (i, greeting)
    assert connect("127.0.0.99")[1].startswith(b"421 4.7.0")        # the prefix is full
    for i in range(4):
        s, greeting = connect(f"127.0.{i + 1}.1")
        held.append(s)
        assert greeting.startswith(b"220"), (i, greeting)
    assert connect("127.0.9.1")[1].startswith(b"421 4.")            # in total
    for s in held:
        s.close()
    lib.wait_for("room again", lambda: connect("127.0.0.2")[1].startswith(b"220"))


def test_F16_connect_close_storm(postern):
    server = postern()
    before = {pid: memory(pid) for pid in smtpds(server)}
    for _ in range(3000):
        socket.create_connection(("127.0.0.1", server.port), 10).close()
    server.send(to="bob@local.example")
    after = {pid: memory(pid) for pid in smtpds(server)}
    assert set(after) == set(before), "smtpd died"
    assert sum(after.values()) - sum(before.values()) < 8192
    server.wait_empty()


def test_F15_slow_clients_are_cut_and_harm_nobody(postern):
    server = postern('smtpd { command-timeout = "2s" data-timeout = "2s" min-rate = 1000 }\n')
    slow = [lib.Raw(server.port) for _ in range(50)]
    feeding = [lib.Raw(server.port) for _ in range(3)]
    for c in feeding:
        for line in ("EHLO c.example", "MAIL FROM:<a@local.example>", "RCPT TO:<bob@local.example>", "DATA"):
            c.say(line)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for c in slow:
            try:
                c.send(b"E")
            except OSError:
                pass
        for c in feeding:
            try:
                c.send(b"x")
            except OSError:
                pass
        start = time.monotonic()
        server.send(to="bob@local.example")
        assert time.monotonic() - start < 2 * lib.SLOW
        time.sleep(0.2)
    lib.wait_for("the slow ones to be cut", lambda: "421" in slow[0].reply(), 20)
    assert all(c.closed() for c in slow[1:])
    assert feeding[0].reply().startswith("421") and all(c.closed() for c in feeding)


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                    b"\0" * 100000, b"A" * 1000000, b"\r" * 5000, b"\n" * 5000, b"\r\n" * 5000,
                                    b"EHLO " + b"x" * 5000 + b"\r\n", b"MAIL FROM:<" + b"a" * 3000 + b"\r\n"],
                         ids=["tls", "http", "nul", "long", "cr", "lf", "crlf", "long-ehlo", "long-path"])
def test_G4_garbage_ends_that_session_alone(postern, octets):
    server = postern()
    pids = smtpds(server)
    with lib.Raw(server.port) as other, lib.Raw(server.port) as c:
        other.say("EHLO client.example")
        try:
            c.send(octets * 3)
            c.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert c.closed()
        assert other.say("NOOP").startswith("250")
    assert smtpds(server) == pids
