"""`why` in each state a message can be in: its route, attempts, last words, what it waits for, and when it goes on (G2, G9)."""
import json
import re
import threading

import pytest

import lib

TIMES = 'deliver { greeting-timeout = "1s" mail-timeout = "1s" end-timeout = "1s" connect-timeout = "1s" %s }\n'
ONCE = 'queue { retry = { "1h" } }\n'


def at(stage, what):
    return lambda s, session: what if s == stage else None


def why(server, what, state=None):
    "The text, after the JSON form was seen to parse and to hold the same message."
    text = server.ctl("why", what).stdout.decode()
    data = json.loads(server.ctl("why", what, "--json").stdout)
    assert isinstance(data, list) and data
    if state is not None:
        assert data[-1 if "id" not in data[0] else 0]["state"] == state
    return text


def settled(server, msgid):
    server.wait_log(rf"{msgid} .*status=")
    lib.wait_for("the outcome to be stored", lambda: server.queue_figures()["active"] == 0
                 and b"its outcome is being written" not in server.ctl("why", msgid, check=False).stdout)


@pytest.mark.parametrize("stage,reply,words", [
    ("connect", b"421 4.3.2 closed for tea\r\n", "closed for tea"),
    ("ehlo", b"421 4.3.2 closed for tea\r\n", "closed for tea"),
    ("mail", b"450 4.1.8 unknown sender\r\n", "450 4.1.8 unknown sender"),
    ("rcpt", b"450 4.2.1 mailbox busy\r\n", "450 4.2.1 mailbox busy"),
    ("data", b"451 4.3.0 no room\r\n", "451 4.3.0 no room"),
    ("dot", b"452 4.3.1 no room at all\r\n", "452 4.3.1 no room at all"),
    ("connect", "hang", "timed out"), ("dot", "accept-drop", "end of data"),
])
def test_deferred_at_each_stage(postern, hop, stage, reply, words):
    sink = hop(script=at(stage, reply))
    server = postern(ONCE + TIMES % "", route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send(to="x@dest.example")
    settled(server, msgid)
    text = why(server, msgid, "deferred")
    assert f"smtp:[127.0.0.1]:{sink.port}" in text          # the route
    assert f"[127.0.0.1]:{sink.port}" in text and words in text
    assert "waits until" in text and "is given up and returned after" in text
    assert "the last dialogue:" in text and "connecting to" in text
    assert re.search(r"1 attempt|attempts +1", text), text
    if reply == "accept-drop":
        assert "unsure" in text
    for other in ("x@dest.example", "dest.example", "alice@local.example"):
        if other != "alice@local.example":
            assert msgid in why(server, other)
    nobody = server.ctl("why", "y@dest.example", check=False)
    assert msgid not in nobody.stdout.decode()


def test_active_held_paused_deleted(postern, hop):
    sink = hop(script=at("mail", "hang"))
    server = postern(ONCE + 'deliver { mail-timeout = "60s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    active = server.send(to="x@dest.example")
    lib.wait_for("the job", lambda: server.queue_figures()["active"] == 1)
    assert "is being delivered now" in why(server, active, "active")
    server.ctl("pause")
    waiting = server.send(to="y@dest.example")
    assert "the queue is paused" in why(server, waiting, "queued")
    server.ctl("queue", "hold", waiting)
    assert "held" in why(server, waiting, "held")
    server.ctl("queue", "release", waiting)
    assert "held" not in why(server, waiting, "queued")
    server.ctl("queue", "delete", waiting)
    assert "can be undone" in why(server, waiting, "deleted")


def test_no_answer_of_dns(postern):
    server = postern(ONCE + 'resolver { timeout = "1s" stub "dead.example" { server = { "127.0.0.1@%d" } } }\n' % lib.free_port())
    msgid = server.send(to="x@dead.example")
    settled(server, msgid)
    text = why(server, msgid, "deferred")
    assert "mx" in text and "looking up mail hosts of dead.example" in text and "waits until" in text


def test_a_dead_host_is_told_with_its_destination(postern):
    port = lib.free_port()
    server = postern(ONCE, route=f"smtp:[127.0.0.1]:{port}")
    ids = [server.send(to=f"x{i}@dest.example") for i in range(4)]
    for msgid in ids[:3]:
        server.wait_log(rf"{msgid} .*status=tempfail")
    lib.wait_for("quiet", lambda: server.queue_figures()["active"] == 0)
    last = server.send(to="late@dest.example")
    lib.wait_for("its postponement", lambda: server.queue_figures()["deferred"] == 5)
    text = why(server, last, "deferred")
    assert "unreachable" in text and "refused" in text and "backed off" in text
    assert "backed off" in why(server, "dest.example")
    # The operator's retry is tried at once, back-off or not.
    sink = lib.Hop(port=port)
    try:
        server.ctl("queue", "retry", last)
        sink.wait(1, 5 * lib.SLOW)
        server.ctl("flush", "dest.example")
        sink.wait(5, 5 * lib.SLOW)
    finally:
        sink.close()
    server.wait_empty()


def test_what_was_delivered_while_deleted_is_not_delivered_again(postern, hop):
    "The operator deletes a message whose job runs, and undoes it: what was delivered meanwhile stays so (G3)."
    gate = threading.Event()
    sink = hop(script=lambda stage, s: gate.wait(30) and None if stage == "dot" else None)
    server = postern(ONCE + 'deliver { end-timeout = "60s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send(to="x@dest.example")
    lib.wait_for("the body at the hop", lambda: "DATA" in sink.commands)
    server.ctl("queue", "delete", msgid)
    gate.set()
    sink.wait(1)
    server.wait_log(rf"{msgid} .*status=delivered")
    lib.wait_for("the job to end", lambda: server.queue_figures()["active"] == 0)
    server.ctl("queue", "undo", msgid, check=False)
    server.send(to="later@dest.example")
    sink.wait(2)
    server.wait_empty()
    assert [m[1] for m in sink.messages] == [["x@dest.example"], ["later@dest.example"]]
