"""R2, F18, T8: a daemon that was taken over.  Its channel ends, with a line; what it spoke to lives; and
the one that spoke wrongly to queue is replaced.  The stand-in is hostile.py."""
import re
import shutil
import time
from pathlib import Path

import pytest

import lib

HERE = Path(__file__).parent
PROGRAMS = ("posternd", "postern-conf", "postern-smtpd", "postern-queue", "postern-deliver", "postern-resolver", "posternctl")


def types():
    "The numbers of the messages, from the one table."
    text = (lib.TOP / "common/ipc_msg.h").read_text()
    return {name: n for n, name in enumerate(re.findall(r"^\tM\((\w+),", text, re.M), 1)}


@pytest.fixture
def with_hostile(folder, monkeypatch):
    "A function: a server whose first smtpd (queue, ...) is taken over."
    made = []

    def start(room, act, once=True):
        programs = folder / "programs"
        programs.mkdir()
        for p in PROGRAMS:
            shutil.copy(lib.BIN / p, programs / p)
        name = programs / f"postern-{room}"
        real = programs / f"real-{room}"
        name.rename(real)
        text = (HERE / "hostile.py").read_text()
        line = next(x for x in text.splitlines() if x.endswith("# SETTINGS"))
        settings = (f"TYPES, REAL, MARK, ROOM, ACT, ONCE = {types()!r}, {str(real)!r}, {str(folder / 'mark')!r}, "
                    f"{room!r}, {act!r}, {once!r}")
        name.write_text(text.replace(line, settings))
        name.chmod(0o755)
        monkeypatch.setattr("base.BIN", programs)
        server = lib.Postern(folder / "p0", conf="smtpd { processes = 1 }\n")
        made.append(server)
        if room != "queue":
            return server.start()
        server.spawn()              # a status asks queue, too
        lib.wait_for("the start", lambda: "daemon queue[0] ready" in server.text() and lib.connects(server.port))
        return server
    yield start
    for server in made:
        server.stop()


def deliver_one(server):
    with server.smtp() as s:
        s.sendmail("a@elsewhere.example", ["alice@local.example"], b"Subject: x\r\n\r\ny\r\n")
    server.wait_empty()


@pytest.mark.parametrize("room,act", [
    ("smtpd", "garbage"), ("smtpd", "state"), ("smtpd", "direction"), ("smtpd", "descriptor"), ("smtpd", "flood"),
    ("deliver", "garbage"), ("deliver", "state"), ("deliver", "direction")])
def test_who_speaks_wrongly_to_queue_is_replaced(with_hostile, room, act):
    server = with_hostile(room, act)
    queue = server.pid_of("postern-queue")
    lib.wait_for("master to replace it", lambda: "broke the message table to queue" in server.text())
    lib.wait_for("all to run again", server.all_ready)
    deliver_one(server)
    assert server.pid_of("postern-queue") == queue
    assert re.search(rf"channel to {room}\[\d+\]: bad frame", server.text())


@pytest.mark.parametrize("room,act", [("queue", "garbage"), ("queue", "state"), ("resolver", "garbage"), ("resolver", "state")])
def test_who_hears_wrong_words_lives(with_hostile, room, act):
    server = with_hostile(room, act, once=False)
    smtpd = server.pid_of("postern-smtpd")
    lib.wait_for("the word about it", lambda: f"channel to {room}[0]: bad frame" in server.text())
    lib.wait_for("a new channel", lambda: "new channel to" in server.text())
    with lib.Raw(server.port) as c:
        assert c.greeting.startswith("220")
        assert c.say("EHLO x.example").startswith("250")
        assert c.say("MAIL FROM:<a@elsewhere.example>")[:3] == ("451" if room == "queue" else "250")
    if room == "resolver":
        deliver_one(server)
    # One new channel a second and pair, no more: a peer that goes on so cannot keep us busy.
    before = server.text().count("new channel to")
    time.sleep(3)
    assert server.text().count("new channel to") - before <= 4 * 4
    assert server.pid_of("postern-smtpd") == smtpd
