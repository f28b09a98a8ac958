"""When mail is tried: FUTURERELEASE (RFC 4865), DELIVERBY (RFC 2852), MT-PRIORITY (RFC 6710), ETRN (RFC 1985), and what
the operator is told about it."""
import datetime
import re
import time

import pytest

import lib
from test_dsn import reports, submit

ONE_TRY = 'queue { retry = { "1h" } }\n'
BUSY = b"450 4.2.1 busy\r\n"


def busy(stage, session):
    return BUSY if stage == "rcpt" else None


def test_held_until_its_release(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    began = time.time()
    msgid = submit(server, [("x@dest.example", [])], ["HOLDFOR=4"])
    server.wait_log(rf"{msgid} accepted .* until=")
    message, = server.json("why", msgid)
    assert message["held_until"] and message["state"] == "queued"
    assert "FUTURERELEASE" in " ".join(message["remarks"])
    assert "FUTURERELEASE" in server.ctl("why", msgid).stdout.decode()
    server.ctl("queue", "retry", msgid)         # not even then
    sink.wait(1)
    assert 3.5 < time.time() - began < 9
    server.wait_empty()


def test_a_release_survives_a_restart(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    began = time.time()
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)
    submit(server, [("x@dest.example", [])], [f"HOLDUNTIL={until.strftime('%Y-%m-%dT%H:%M:%SZ')}"])
    server.stop()
    server.start()
    time.sleep(1)
    assert not sink.messages
    sink.wait(1)
    assert time.time() - began > 4.5


def test_by_return_fails_at_its_deadline(postern, hop):
    sink = hop(script=busy, extensions=("PIPELINING", "DELIVERBY"))
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    began = time.time()
    msgid = submit(server, [("x@dest.example", []), ("y@dest.example", ["NOTIFY=NEVER"])], ["BY=5;R", "ENVID=b1"])
    message, = server.json("queue", "show", msgid)
    assert message["deliver_by_mode"] == "return" and message["envid"] == "b1"
    report, = reports(server)
    assert 4 < time.time() - began < 12
    rcpt, = report.rcpts
    assert rcpt["Action"] == "failed" and rcpt["Status"] == "5.4.7"
    assert report.about["Deliver-By-Date"] and report.about["Arrival-Date"]
    assert rcpt["Diagnostic-Code"] == "smtp; 450 4.2.1 busy"
    server.wait_empty()
    attempts = len([c for c in sink.commands if c.startswith("MAIL")])
    time.sleep(1.5)
    assert len([c for c in sink.commands if c.startswith("MAIL")]) == attempts


def test_by_return_is_not_relayed_to_who_does_not_know_it(postern, hop):
    sink = hop()
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    submit(server, [("x@dest.example", [])], ["BY=100;R"])
    report, = reports(server)
    assert report.rcpts[0]["Action"] == "failed" and not sink.messages


@pytest.mark.parametrize("by", ["BY=3;N", "BY=-5;N", "BY=0;N"])
def test_by_notify_tells_once_and_goes_on(postern, hop, by):
    state = {"busy": True}
    sink = hop(script=lambda stage, s: BUSY if stage == "rcpt" and state["busy"] else None,
               extensions=("PIPELINING", "DELIVERBY", "DSN"))
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", [])], [by])
    report, = reports(server)
    assert report.rcpts[0]["Action"] == "delayed" and report.rcpts[0]["Status"] == "4.4.7"
    assert report.about["Deliver-By-Date"]
    server.wait_log(rf"{msgid} .*status=tempfail", count=3)
    assert len(server.maildir("alice")) == 1
    state["busy"] = False
    sink.wait(1)
    # RFC 2852 4.1.4: the time that is left, which has passed.
    assert re.search(r"BY=-\d+;N", [c for c in sink.commands if c.startswith("MAIL")][-1])
    server.wait_empty()
    assert len(server.maildir("alice")) == 1


@pytest.mark.parametrize("by,extensions,told", [
    ("BY=100;N", ("PIPELINING", "DELIVERBY", "DSN"), 0),        # it knows BY: nothing to tell
    ("BY=100;N", ("PIPELINING", "DSN"), 1),                     # RFC 2852 4.1.4.2
    ("BY=100;NT", ("PIPELINING", "DELIVERBY", "DSN"), 1),       # trace
    ("BY=100;RT", ("PIPELINING", "DELIVERBY", "DSN"), 1),
])
def test_what_is_told_of_a_relay(postern, hop, by, extensions, told):
    sink = hop(extensions=extensions)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", []), ("y@dest.example", ["NOTIFY=NEVER"])], [by])
    server.wait_log(f"{msgid} removed")
    for report in reports(server, told) if told else []:
        assert report.actions() == {"rfc822; x@dest.example": "relayed"}
    server.wait_empty()
    assert len(server.maildir("alice")) == told
    mail = next(c for c in sink.commands if c.startswith("MAIL"))
    assert bool(re.search(r"BY=(9\d|100);" + by[7:], mail)) == ("DELIVERBY" in extensions)


def test_the_higher_priority_goes_first(postern, hop):
    sink = hop(extensions=("PIPELINING", "MT-PRIORITY"))
    server = postern('queue { retry = { "1h" } }\ndeliver { concurrency = 1 }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    server.ctl("pause")
    order = [-3, 0, 9, -9, 3]
    for p in order:
        submit(server, [("x@dest.example", [])], [f"MT-PRIORITY={p}"])
    server.ctl("resume")
    sink.wait(len(order))
    got = [int(re.search(r"MT-PRIORITY=(-?\d+)", c)[1]) for c in sink.commands if c.startswith("MAIL")]
    assert got == sorted(order, reverse=True)
    for (_, _, body), p in zip(sink.messages, got):
        assert re.search(rb"PRIORITY %d;" % p, body.split(b"\r\n\r\n")[0])
    assert "priority=9" in server.text()


RELAY = 'relay-domain "branch.example" { }\nrelay-domain "sub.branch.example" { }\n'


@pytest.fixture
def branch(postern, hop):
    "A server with a message for the node and one for a domain below it, which waits after a first attempt."
    state = {"down": True}
    sink = hop(script=lambda stage, s: BUSY if stage == "rcpt" and state["down"] else None)
    server = postern(ONE_TRY + RELAY, route=f"smtp:[127.0.0.1]:{sink.port}")
    for to in ("a@branch.example", "b@sub.branch.example", "c@other.example"):
        msgid = submit(server, [(to, [])])
        server.wait_log(f"{msgid} .*status=tempfail")
    lib.wait_for("deferral", lambda: all(m["state"] == "deferred" for m in server.json("queue", "list")))
    state["down"] = False
    return server, sink


def etrn(server, what):
    with server.smtp() as s:
        s.ehlo()
        assert s.has_extn("ETRN")
        return s.docmd("ETRN", what)


def test_etrn(branch):
    server, sink = branch
    assert "ETRN branch.example" in server.ctl("why", "a@branch.example").stdout.decode()
    code, text = etrn(server, "branch.example")
    assert code == 253 and b"1" in text, (code, text)
    assert sink.wait(1)[0][1] == ["a@branch.example"]
    server.wait_log("etrn node=branch.example status=counted messages=1")
    server.wait_log(r"^\S+ \S+ \S+ removed$")      # the sink has it before that is stored: 252 until then
    assert etrn(server, "branch.example")[0] == 251
    assert etrn(server, "other.example")[0] == 459
    time.sleep(0.5)
    assert len(sink.messages) == 1
    code, text = etrn(server, "#sub.branch.example")
    assert code == 253, (code, text)
    sink.wait(2)


def test_etrn_of_a_tree_and_a_paused_queue(branch):
    server, sink = branch
    server.ctl("pause")
    assert etrn(server, "@branch.example")[0] == 458
    server.ctl("resume")
    code, text = etrn(server, "@branch.example")
    assert code == 253 and b"2" in text, (code, text)
    sink.wait(2)
    assert sorted(m[1][0] for m in sink.messages) == ["a@branch.example", "b@sub.branch.example"]


@pytest.mark.sanitize
def test_deadlines_beside_each_other(postern, hop):
    "Returned, told and released ones in one queue, over a crash of it."
    sink = hop(script=busy, extensions=("PIPELINING", "DELIVERBY", "DSN"))
    server = postern('queue { retry = { "2s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    for i in range(4):
        submit(server, [(f"r{i}@dest.example", [])], ["BY=6;R"])
        submit(server, [(f"n{i}@dest.example", [])], ["BY=6;N"])
    pid = server.pid_of("postern-queue")
    server.kill("postern-queue")
    lib.wait_for("another queue", lambda: server.pid_of("postern-queue") not in (None, pid) and server.all_ready())
    found = reports(server, 8)
    actions = sorted((r.rcpts[0]["Final-Recipient"].split()[1][0], r.rcpts[0]["Action"]) for r in found)
    assert actions == [("n", "delayed")] * 4 + [("r", "failed")] * 4
    # A message that is over leaves the list with its next look at the store.
    lib.wait_for("those that go on", lambda: server.queue_figures()["total"] == 4)
    assert all(m["deliver_by_mode"] == "notify" for m in server.json("queue", "list"))
    assert len(server.maildir("alice")) == 8
