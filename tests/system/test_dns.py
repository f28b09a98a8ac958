"""Routing by real DNS: NSD serves signed and unsigned zones; next hops listen on loopback addresses."""
import time

import pytest

import lib

ZONES = {
    "plain.example": "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\n",
    "signed.test": "@ MX 10 mx\nmx A 127.0.0.13\n",
    "implicit.example": "@ A 127.0.0.14\n",
    "null.example": "@ MX 0 .\n",
    "alias.example": "@ MX 10 www\nwww CNAME target\ntarget A 127.0.0.11\n",
    "loop.example": "@ MX 10 self\n@ MX 20 backup\nself A 127.0.0.1\nbackup A 127.0.0.12\n",
    "namedus.example": "@ MX 5 mx.local.example.\n",
    "same.example": "".join(f"@ MX 10 h{i}\nh{i} A 127.0.0.{20 + i}\n" for i in range(4)),
    "noaddress.example": "@ MX 10 mx\nmx TXT \"no address here\"\n",
    "broken.example": "@ MX 10 mx\nmx A 127.0.0.11\n",
    "nothing.example": "www A 127.0.0.11\n",
}


class World:
    """One port for all next hops, on several loopback addresses; a server that asks NSD."""

    def __init__(self, folder, postern, hop, hosts=(), script=None, conf="", deliver=""):
        self.nsd = lib.Nsd(folder / "nsd", ZONES, signed=["signed.test"])
        self.port = lib.free_port()
        self.hops = {h: hop(host=h, port=self.port, script=script) for h in hosts}
        self.server = postern(f"deliver {{ port = {self.port} connect-timeout = \"3s\" {deliver} }}\n"
                              + self.nsd.stub_conf(list(ZONES) + ["dead.example"]).replace(
                                  f'stub "dead.example" {{ server = {{ "127.0.0.1@{self.nsd.port}" }} }}',
                                  f'stub "dead.example" {{ server = {{ "127.0.0.1@{lib.free_port()}" }} }}') + conf)

    def close(self):
        self.nsd.close()


@pytest.fixture
def world(folder, postern, hop):
    made = []

    def make(*args, **kw):
        made.append(World(folder, postern, hop, *args, **kw))
        return made[-1]
    yield make
    for w in made:
        w.close()


@pytest.mark.sanitize
def test_mx_order_implicit_mx_alias_and_signed_zone(world):
    w = world(["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"])
    for domain in ("plain.example", "signed.test", "implicit.example", "alias.example"):
        w.server.send(to=f"x@{domain}")
    w.server.wait_empty()
    to = {h: sorted(m[1][0] for m in hop.messages) for h, hop in w.hops.items()}
    assert to == {"127.0.0.11": ["x@alias.example", "x@plain.example"], "127.0.0.12": [],
                  "127.0.0.13": ["x@signed.test"], "127.0.0.14": ["x@implicit.example"]}


def test_second_mx_when_the_first_is_down_or_says_421(world):
    w = world(["127.0.0.12"])
    w.server.send(to="x@plain.example")
    w.hops["127.0.0.12"].wait(1)
    w.server.wait_empty()


@pytest.mark.parametrize("domain,code", [("null.example", "5.1.10"), ("nosuch.plain.example", "5.1.2"),
                                         ("namedus.example", "5.4.6"), ("noaddress.example", None)])
def test_permanent_answers_of_dns(world, domain, code):
    w = world()
    msgid = w.server.send(to=f"x@{domain}")
    if code is None:                # an MX host without address: not ours to call permanent
        w.server.wait_log(rf"{msgid} rcpt=.*status=(tempfail|permfail)")
        return
    w.server.wait_log(rf"{msgid} rcpt=.*dsn={code} status=permfail")
    lib.wait_for("a notice", lambda: w.server.maildir("alice"))
    assert code.encode() in w.server.maildir("alice")[0].read_bytes()


def test_the_best_mx_is_us_is_a_loop(world):
    w = world(["127.0.0.12"], deliver="")
    # self.loop.example is 127.0.0.1 at the MX port; a listener of ours there makes it "us".
    w.server.listeners = (f'listener "mx" {{ address = "127.0.0.1" port = {w.server.port} }}\n'
                          f'listener "own" {{ address = "127.0.0.1" port = {w.port} }}\n')
    w.server.write_conf()
    w.server.ctl("reload")
    msgid = w.server.send(to="x@loop.example")
    w.server.wait_log(rf"{msgid} rcpt=.*dsn=5\.4\.6 status=permfail")
    assert not w.hops["127.0.0.12"].messages


def test_equal_preference_is_shared(world):
    w = world([f"127.0.0.{20 + i}" for i in range(4)], deliver='idle = "1s" concurrency = 1')
    for i in range(24):
        w.server.send(to=f"x{i}@same.example")
        if i % 4 == 3:
            time.sleep(0.01)
    w.server.wait_empty()
    # One connection may carry many messages; a fresh one draws anew.  Make it draw often.
    for _ in range(6):
        time.sleep(1.3)
        w.server.send(to="x@same.example")
        w.server.wait_empty()
    assert sum(bool(h.sessions) for h in w.hops.values()) >= 2


def test_a_failure_of_dns_is_never_permanent_and_delays_nobody(world):
    w = world(["127.0.0.11"])
    dead = [w.server.send(to=f"x{i}@h{i}.dead.example") for i in range(20)]
    start = time.monotonic()
    w.server.send(to="x@plain.example")
    w.hops["127.0.0.11"].wait(1)
    assert time.monotonic() - start < 5 * lib.SLOW
    for msgid in dead:
        w.server.wait_log(rf"{msgid} rcpt=.*status=tempfail", 60)
    assert "status=permfail" not in w.server.text()


def test_bogus_answers_defer(folder, postern, hop):
    port = lib.free_port()
    sink = hop(host="127.0.0.13", port=port)
    with lib.Nsd(folder / "nsd", ZONES, signed=["signed.test"]) as nsd:
        nsd.anchors = ["signed.test. IN DS 12345 13 2 " + "ab" * 32]
        server = postern(f"deliver {{ port = {port} }}\n" + nsd.stub_conf(["signed.test"]))
        msgid = server.send(to="x@signed.test")
        server.wait_log(rf"{msgid} rcpt=.*dsn=4\.\d+\.\d+ status=tempfail", 60)
    assert not sink.messages


def test_resolver_killed_in_mid_work(world):
    w = world(["127.0.0.11"])
    w.server.kill("postern-resolver")
    w.server.send(to="x@plain.example")
    w.server.wait_log("resolver.*(start|pid)", count=2)
    w.server.ctl("queue", "retry", "--all", check=False)
    lib.wait_for("delivery", lambda: w.hops["127.0.0.11"].messages or w.server.ctl("queue", "retry", "--all", check=False) and False)


def test_forwarders_are_asked(folder, postern, hop):
    "No stub: every question goes to the configured server."
    port = lib.free_port()
    sink = hop(host="127.0.0.11", port=port)
    with lib.Nsd(folder / "nsd", ZONES) as nsd:
        server = postern(f'deliver {{ port = {port} }}\nresolver {{ trust-anchor = "" forward = {{ "127.0.0.1@{nsd.port}" }} }}\n')
        server.send(to="x@plain.example")
        sink.wait(1)
        server.wait_empty()
