"""deliver against next hops that refuse, drop, hang and lie at each stage: what becomes of the mail, and what the log says."""
import socket
import threading
import time

import pytest

import lib

TIMES = ('deliver { connect-timeout = "2s" greeting-timeout = "1s" helo-timeout = "1s" mail-timeout = "1s" '
         'rcpt-timeout = "1s" data-timeout = "1s" block-timeout = "2s" end-timeout = "1s" idle = "%s" }\n')
ONCE = 'queue { retry = { "1h" } }\n'


def at(stage, what):
    return lambda s, session: what if s == stage else None


@pytest.fixture
def start(postern):
    def make(port, more=ONCE, idle="5s", hop="127.0.0.1"):
        return postern(TIMES % idle + more, route=f"smtp:[{hop}]:{port}")
    return make


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data"])
@pytest.mark.parametrize("what", ["drop", "reset", "hang", b"421 4.3.2 go away\r\n", b"junk\r\n"])
def test_F11_nothing_is_final_before_the_dot(start, hop, stage, what):
    sink = hop(script=at(stage, what))
    server = start(sink.port)
    msgid = server.send(to="x@dest.example")
    server.wait_log(f"{msgid} rcpt=<x@dest.example> .*status=tempfail stage=.* reply=")
    assert "status=unsure" not in server.text() and not sink.messages


@pytest.mark.parametrize("what", ["drop", "reset", "hang", "accept-drop", b"junk\r\n", b"354 more\r\n"])
def test_G3_an_answer_never_learned_is_unsure(start, hop, what):
    sink = hop(script=at("dot", what))
    server = start(sink.port)
    msgid = server.send(to="x@dest.example")
    server.wait_log(f"{msgid} .*status=unsure stage=dot")
    assert "status=tempfail" not in server.text()


@pytest.mark.parametrize("stage,reply,status", [
    ("ehlo", b"500 what\r\n", "delivered"), ("ehlo", b"554 5.7.1 no\r\n", "permfail"),
    ("connect", b"554 5.7.1 no service\r\n", "permfail"), ("mail", b"450 4.1.8 later\r\n", "tempfail"),
    ("mail", b"550 5.1.8 no\r\n", "permfail"), ("rcpt", b"450 4.2.0 later\r\n", "tempfail"),
    ("data", b"451 4.3.0 later\r\n", "tempfail"), ("data", b"554 5.6.0 no\r\n", "permfail"),
    ("dot", b"452 4.3.1 full\r\n", "tempfail"), ("dot", b"550-5.7.1 a\r\n550 5.7.1 b\r\n", "permfail"),
    ("dot", b"421 4.3.2 bye\r\n", "tempfail")])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_refusals_at_each_stage(start, hop, stage, reply, status, extensions):
    sink = hop(script=at(stage, reply), extensions=extensions)
    server = start(sink.port)
    msgid = server.send(to=["x@dest.example", "y@dest.example"])
    server.wait_log(f"{msgid} rcpt=<[xy]@dest.example> .*status={status}", count=2)
    # A lone dot for nobody is no message, whatever the hop makes of it (RFC 2920 3.1).
    assert sum(m[2] != b"" for m in sink.messages) == (status == "delivered")


def test_replies_in_single_octets(start):
    "Every octet of the server comes in its own segment."
    listener = socket.create_server(("127.0.0.1", 0))
    got = []

    def say(sock, text):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in text:
            sock.sendall(bytes([octet]))
            time.sleep(0.001)

    def serve():
        sock, _ = listener.accept()
        say(sock, b"220-one\r\n220 two\r\n")
        stream = sock.makefile("rb")
        for line in stream:
            verb = line[:4].upper()
            got.append(line)
            if verb == b"DATA":
                say(sock, b"354 go\r\n")
                while stream.readline() != b".\r\n":
                    pass
                say(sock, b"250-2.0.0 all\r\n250 2.0.0 well\r\n")
                return
            say(sock, b"250-x\r\n250-PIPELINING\r\n250 SIZE 9999999\r\n" if verb == b"EHLO" else b"250 ok\r\n")

    threading.Thread(target=serve, daemon=True).start()
    server = start(listener.getsockname()[1])
    msgid = server.send(to=["x@dest.example", "y@dest.example"])
    server.wait_log(rf"{msgid} .*status=delivered reply=\"250 2.0.0 all (2.0.0 )?well\"", count=2)
    assert any(b"SIZE=" in line for line in got)
    listener.close()


def test_connections_are_reused_and_a_dead_one_costs_no_attempt(start, hop):
    sink = hop()
    server = start(sink.port, idle="60s")
    for i in range(5):
        server.send(to="x@dest.example")
        sink.wait(i + 1)
    server.wait_empty()
    assert sink.sessions == 1
    # The host closes what is idle; whether we see that first or only at the next MAIL, nobody is told of a failure.
    sink.script = at("mail", b"421 4.4.2 idle too long\r\n")
    old = sink.script
    sink.script = lambda stage, s: old(stage, s) if s.number == 1 else None
    server.send(to="x@dest.example")
    sink.wait(6)
    server.wait_empty()
    assert sink.sessions == 2 and "status=tempfail" not in server.text()


def test_idle_connections_end_with_QUIT(start, hop):
    sink = hop()
    server = start(sink.port, idle="1s")
    server.send(to="x@dest.example")
    lib.wait_for("QUIT", lambda: "QUIT" in sink.commands)
    assert sink.commands.count("QUIT") == 1


def test_too_many_recipients_go_at_once_in_parts(start, hop):
    sink = hop(script=lambda stage, s: b"452 4.5.3 too many\r\n" if stage == "rcpt" and len(s.rcpts) > 10 else None)
    server = start(sink.port)
    server.send(to=[f"r{i}@dest.example" for i in range(25)])
    lib.wait_for("all parts", lambda: sum(len(m[1]) for m in sink.messages) == 25)
    server.wait_empty()
    assert len({r for m in sink.messages for r in m[1]}) == 25


def test_larger_than_the_host_takes(start, hop):
    sink = hop(extensions=("PIPELINING", "SIZE 2000"))
    server = start(sink.port)
    msgid = server.send(to="x@dest.example", body=b"Subject: big\r\n\r\n" + b"x" * 60 * 1 + b"\r\n" * 2000)
    server.wait_log(f"{msgid} .*dsn=5.3.4 status=permfail")
    assert not any(c.startswith("MAIL") and "x@" in c for c in sink.commands)


def test_hanging_host_delays_nobody_else(postern, hop):
    slow, good = hop(script=at("connect", "hang")), hop()
    server = postern(TIMES % "5s" + ONCE + f'route "slow.example" {{ via = "smtp:[127.0.0.1]:{slow.port}" }}\n',
                     route=f"smtp:[127.0.0.1]:{good.port}")
    for i in range(10):
        server.send(to=f"a{i}@slow.example")
    begin = time.monotonic()
    server.send(to="b@dest.example")
    good.wait(1)
    assert time.monotonic() - begin < 0.9


def test_nobody_listens(start):
    server = start(lib.free_port())
    msgid = server.send(to="x@dest.example")
    server.wait_log(f"{msgid} .*dsn=4.4.1 status=tempfail stage=connect reply=\"cannot connect: Connection refused\"")


def test_the_configured_hop_is_ourselves(postern):
    server = postern()
    server.stop()
    server.route = f"smtp:[127.0.0.1]:{server.port}"
    server.write_conf(ONCE)
    server.start()
    msgid = server.send(to="x@dest.example")
    server.wait_log(f"{msgid} .*dsn=4.4.6 status=tempfail")
