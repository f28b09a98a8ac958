"""How many connections a next hop sees: growth, refusals, the bounds of the configuration, both address families, long bodies."""
import itertools
import re
import smtplib
import socket
import threading
import time

import pytest

import lib

FAST = 'queue { retry = { "2s" } }\n'


class Counting:
    """A script that counts the sessions that are open at once, and refuses at connect above a limit."""

    def __init__(self, limit=None, delay=0.02):
        self.open, self.most, self.refused = set(), 0, 0
        self.limit, self.delay = limit, delay
        self.lock = threading.Lock()

    def __call__(self, stage, session):
        with self.lock:
            if stage == "connect":
                if self.limit is not None and len(self.open) >= self.limit:
                    self.refused += 1
                    return b"421 4.7.0 too many connections\r\n"
                self.open.add(session.number)
                self.most = max(self.most, len(self.open))
            elif stage == "quit":
                self.open.discard(session.number)
        if stage == "dot":
            time.sleep(self.delay)
        return None


def load(server, n, domains=("dest.example",)):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=lib.DEADLINE) as c:
        for i, domain in zip(range(n), itertools.cycle(domains)):
            c.sendmail("alice@local.example", f"x{i}@{domain}", f"Subject: {i}\r\n\r\nhello\r\n")


def test_three_hundred_to_a_slow_hop_grow_to_the_setting_and_no_further(postern, hop):
    script = Counting(delay=0.1)
    sink = hop(script=script)
    server = postern(FAST + 'deliver { processes = 1 concurrency = 8 idle = "1s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    load(server, 300)
    sink.wait(300)
    server.wait_empty()
    assert script.most == 8
    assert len({m[1][0] for m in sink.messages}) == len(sink.messages) == 300


def test_connections_bound_all_destinations_together(postern, hop):
    sinks = [hop(script=Counting(delay=0.1)) for _ in range(4)]
    routes = "".join(f'route "d{i}.example" {{ via = "smtp:[127.0.0.1]:{s.port}" }}\n' for i, s in enumerate(sinks))
    server = postern(FAST + 'deliver { processes = 1 concurrency = 8 connections = 10 idle = "1s" }\n' + routes)
    load(server, 200, [f"d{i}.example" for i in range(4)])
    seen = 0
    end = time.monotonic() + lib.DEADLINE
    while sum(len(s.messages) for s in sinks) < 200:
        seen = max(seen, sum(len(s.script.open) for s in sinks))
        assert time.monotonic() < end
        time.sleep(0.01)
    assert 8 <= seen <= 10 + 4          # a session counts here until its QUIT was read
    server.wait_empty()


def test_refused_connections_shrink_the_number_and_cost_no_attempt(postern, hop):
    "A host that takes three at a time gets about three at a time, and all mail in good time."
    script = Counting(limit=3, delay=0.05)
    sink = hop(script=script)
    server = postern('queue { retry = { "1h" } }\ndeliver { processes = 1 concurrency = 20 idle = "10s" }\n',
                     route=f"smtp:[127.0.0.1]:{sink.port}")
    load(server, 300)
    sink.wait(300)
    server.wait_empty()
    assert script.most == 3 and "status=tempfail" not in server.text()
    # Without shrinking and memory every message beyond the third at a time would have been refused once.
    assert script.refused < 30, script.refused
    # The host takes more again: the number grows again.
    script.limit = None
    end = time.monotonic() + 15
    while time.monotonic() < end and script.most <= 3:
        load(server, 20)
    load(server, 300)
    server.wait_empty()
    assert script.most > 3


def test_a_host_that_hangs_leaves_connections_to_others(postern, hop):
    stuck = hop(script=lambda stage, s: "hang" if stage == "connect" else None)
    good = hop()
    server = postern(FAST + 'deliver { processes = 1 connections = 12 concurrency = 10 greeting-timeout = "30s" }\n'
                     f'route "stuck.example" {{ via = "smtp:[127.0.0.1]:{stuck.port}" }}\n',
                     route=f"smtp:[127.0.0.1]:{good.port}")
    load(server, 50, ["stuck.example"])
    lib.wait_for("the stuck host's share", lambda: stuck.sessions >= 5)
    load(server, 50)
    good.wait(50, 10 * lib.SLOW)
    assert stuck.sessions <= 5


@pytest.mark.parametrize("down", ["::1", "127.0.0.1"])
def test_either_family_will_do(folder, postern, hop, down):
    "One family of the host hangs in its queue of connections: the other is tried after 250 ms (RFC 8305)."
    up = "127.0.0.1" if down == "::1" else "::1"
    port = lib.free_port(up)
    silent = socket.socket(socket.AF_INET6 if ":" in down else socket.AF_INET)
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    silent.bind((down, port))
    silent.listen(0)                    # nobody accepts: its queue fills and connections hang
    filler = []
    for _ in range(4):
        s = socket.socket(silent.family)
        s.setblocking(False)
        s.connect_ex((down, port))
        filler.append(s)
    sink = hop(host=up, port=port)
    nsd = lib.Nsd(folder / "nsd", {"dest.example": "@ MX 10 mx\nmx A 127.0.0.1\nmx AAAA ::1\n"})
    try:
        server = postern(f'{FAST}deliver {{ port = {port} }}\n' + nsd.stub_conf(["dest.example"]))
        start = time.monotonic()
        server.send(to="x@dest.example")
        sink.wait(1)
        assert time.monotonic() - start < 3 * lib.SLOW
        server.wait_log(re.escape(f"[{up}]:{port}") + " .*status=delivered")
    finally:
        nsd.close()
        for s in [*filler, silent]:
            s.close()


def breaks_off(host, port, after):
    "A host that takes so many octets of a body and closes; what it was asked is counted."
    listener = socket.create_server((host, port))
    tries = []

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                tries.append(1)
                sock.sendall(b"220 x\r\n")
                stream = sock.makefile("rb")
                for line in stream:
                    if line.upper().startswith(b"DATA"):
                        sock.sendall(b"354 go\r\n")
                        stream.read(after)
                        sock.shutdown(socket.SHUT_RDWR)
                        break
                    sock.sendall(b"250 ok\r\n")
    threading.Thread(target=serve, daemon=True).start()
    return listener, tries


def test_a_long_body_broken_off_goes_to_the_next_host(folder, postern, hop):
    "Longer than the window, and than what sockets swallow: by another attempt, that begins with the other host."
    size = 20_000_000
    port = lib.free_port("127.0.0.11")
    listener, tries = breaks_off("127.0.0.11", port, size // 10)
    sink = hop(host="127.0.0.12", port=port)
    nsd = lib.Nsd(folder / "nsd", {"dest.example": "@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"})
    try:
        server = postern(f'queue {{ retry = {{ "1h" }} }}\ndeliver {{ processes = 1 port = {port} }}\n'
                         + nsd.stub_conf(["dest.example"]))
        body = b"Subject: long\r\n\r\n" + b"0123456789abcdef" * 4 + b"\r\n"
        body += (b"x" * 70 + b"\r\n") * (size // 72)
        server.send(to="x@dest.example", body=body)
        sink.wait(1, 15 * lib.SLOW)
        assert lib.strip_received(sink.messages[0][2]) == body
        server.send(to="y@dest.example", body=body)
        sink.wait(2, 15 * lib.SLOW)
        server.wait_empty()
        assert len(tries) == 1          # the second message knew of it
        assert "status=unsure" not in server.text()
    finally:
        listener.close()
        nsd.close()


def test_a_new_port_by_reload(postern, hop):
    """deliver may connect to the configured ports only; with a new one it is replaced, and mail goes on at once.

    What the old one had not read when it was told to leave it hands back: no job is left in its channel, whose outcome
    nobody would know and which would wait for a step of retry.
    """
    old, new = hop(), hop()
    server = postern('queue { retry = { "1h" } }\n', route=f"smtp:[127.0.0.1]:{old.port}")
    server.send(to="x@dest.example")
    old.wait(1)
    server.route = f"smtp:[127.0.0.1]:{new.port}"
    server.write_conf()
    server.ctl("reload")
    for i in range(10):
        server.send(to=f"y{i}@dest.example")
    new.wait(10, 10 * lib.SLOW)
    server.wait_empty()
    server.wait_log(r"daemon deliver\[1\] started", count=2)
    assert len(old.messages) == 1
