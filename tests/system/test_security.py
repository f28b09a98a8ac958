"""What a stranger, and a daemon that was taken over, must not be able to do.

T1, A5, A6: relaying, and words of strangers in replies, headers and the log.
R2, F18, T8: a daemon that was taken over.  Its channel ends, with a line; what it spoke to lives; and
the one that spoke wrongly to queue is replaced.  The stand-in is hostile.py."""
import re
import shutil
import socket
import struct
import time
from pathlib import Path

import pytest

import lib

HERE = Path(__file__).parent
CTL_LIST = 5         # enum ctl_verb
PROGRAMS = ("posternd", "postern-conf", "postern-smtpd", "postern-queue", "postern-deliver", "postern-resolver",
            "postern-pickup", "posternctl")


def id_number(text):
    "A queue ID's number."
    n = 0
    for c in text:
        n = n * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(c)
    return n


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
    ("smtpd", "garbage"), ("smtpd", "state"), ("smtpd", "direction"), ("smtpd", "descriptor"), ("smtpd", "flood"), ("smtpd", "deaf"),
    ("deliver", "garbage"), ("deliver", "state"), ("deliver", "direction")])
def test_who_speaks_wrongly_to_queue_is_replaced(with_hostile, room, act):
    server = with_hostile(room, act)
    queue = server.pid_of("postern-queue")
    lib.wait_for("master to replace it", lambda: "broke the message table to queue" in server.text())
    lib.wait_for("all to run again", server.all_ready)
    deliver_one(server)
    assert server.pid_of("postern-queue") == queue
    assert re.search(rf"channel to {room}\[\d+\]: bad frame|smtpd\[0\]: channel: E_LIMIT", server.text())
    assert len(server.text()) < 100000          # nor is the log a way to harm


def test_a_deliver_cannot_say_delivered_of_what_it_was_not_given(with_hostile, folder):
    server = with_hostile("deliver", "forge")           # it says so at master's first ping
    with server.smtp() as s:
        s.ehlo()
        s.mail("a@elsewhere.example")
        s.rcpt("alice@local.example")
        code, text = s.data(b"Subject: x\r\n\r\ny\r\n")
    assert code == 250
    (folder / "mark.msgid").write_text(str(id_number(text.decode().rsplit(" ", 1)[1])))
    lib.wait_for("master to replace it", lambda: "broke the message table to queue" in server.text())
    lib.wait_for("all to run again", server.all_ready)
    server.wait_empty()
    assert len(list((server.mail / "local.example/alice/new").iterdir())) == 1


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


RELAYS = [
    "victim@elsewhere.example", "@local.example:victim@elsewhere.example", "victim%elsewhere.example@local.example",
    "elsewhere.example!victim@local.example", '"victim@elsewhere.example"@local.example',
    '"victim%elsewhere.example"@local.example', '"elsewhere.example!victim"@local.example', "victim@elsewhere.example.",
    "victim@ELSEWHERE.EXAMPLE", "victim@[192.0.2.1]", "victim@[IPv6:2001:db8::1]", "victim@[IPv6:::ffff:192.0.2.1]",
    "victim@local.example.elsewhere.example", "victim@sub.local.example", "alice@local.example@elsewhere.example",
    "alice%elsewhere.example@[127.0.0.1]", '"alice@elsewhere.example"@[127.0.0.1]', "alice@local.example,victim@elsewhere.example",
    "alice@local.example>,<victim@elsewhere.example", "victim", "", "victim@", "@elsewhere.example", "alice@local.example\tx",
    "alice\x00@local.example", "\xe4lice@local.example", "alice@local\x00.example", "alice@local.example\x00.elsewhere.example",
]


def test_no_form_of_address_relays(postern, folder):
    "A domain that takes all names is the worst case: the local part must not be read as a route."
    for recipients in ('{ "alice" }', '"*"'):
        server = postern(default_domain=False, conf=(
            "relay-from = {}\nsmtpd { errors-max = 1000 }\n"
            f'domain "local.example" {{ deliver = "maildir:{folder}/mail/%d/%u"\n  recipients = {recipients} }}\n'))
        with lib.Raw(server.port) as c:
            assert c.say("EHLO x.example").startswith("250")
            assert c.say("MAIL FROM:<a@x.example>").startswith("250")
            for address in RELAYS:
                assert c.say(f"RCPT TO:<{address}>")[0] == "5", (recipients, address)
                assert c.say("NOOP").startswith("250"), address
            assert c.say("DATA").startswith("503")


def test_words_of_strangers_stay_in_their_place(postern):
    "One line a fact in the log; HELO, sender and recipient add no field and no clause to the header."
    server = postern()
    sender = '"x> status=delivered rcpt=<root"@evil.example'
    with lib.Raw(server.port) as c:
        for bad in ("EHLO a\x0bb", "EHLO a (b", "EHLO [1.2.3.4]x", "EHLO a\tX-Evil: 1", "HELO a b", "EHLO " + "a." * 200 + "example"):
            assert c.say(bad)[0] == "5", bad
        assert c.say("EHLO client.example").startswith("250")
        assert c.say(f"MAIL FROM:<{sender}>").startswith("250")
        assert c.say('RCPT TO:<"nobody\\" x=y"@local.example>').startswith("550")
        assert c.say("RCPT TO:<alice@local.example>").startswith("250")
        assert c.say("DATA").startswith("354")
        c.send(b"Subject: s\r\n\r\ntext\r\n.\r\n")
        assert c.reply().startswith("250")
    server.wait_empty()
    new = list((server.mail / "local.example/alice/new").iterdir())
    assert len(new) == 1
    head = new[0].read_bytes().split(b"\n\n", 1)[0]
    fields = [x.split(b":")[0] for x in head.replace(b"\n\t", b" ").split(b"\n")]
    assert sorted(fields) == [b"Delivered-To", b"Received", b"Return-Path", b"Subject"], fields
    accepted = [x for x in server.text().splitlines() if " accepted from=" in x]
    assert len(accepted) == 1
    assert re.search(r"from=<[^<> ]*> size=\d+ nrcpt=1 client=127\.0\.0\.1$", accepted[0]), accepted
    assert not re.search(r" status=delivered rcpt=<root", server.text())


def test_G6_operators_who_stall_give_way_to_one_who_asks(postern):
    "As many connections as queue keeps, each silent after its hand-over; posternctl is served all the same."
    server = postern()
    payload = struct.pack("<BBBQHBB16sH", CTL_LIST, 0, 0, 0, 0, 0, 0, bytes(16), 0)
    request = struct.pack("<HBBII", 0x5350, 1, types()["CTL_REQUEST"], len(payload), 0) + payload
    held = []
    try:
        for _ in range(32):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.settimeout(10)
            s.connect(str(server.dir / "run/control"))
            s.send(request)
            assert s.recv(65536)
            held.append(s)
        assert server.ctl("queue", "list", check=False).returncode != 0
        lib.wait_for("a place for one who asks", lambda: server.ctl("queue", "list", check=False).returncode == 0, 15)
    finally:
        for s in held:
            s.close()
