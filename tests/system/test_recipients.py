"""Recipients with the files of an administrator: what RCPT says, where the mail goes, what lookup tells."""
import email
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from base import Postern, Raw, wait_for
from hop import Hop

FILES = {
    "virtual": """
# postmap's form
sales@local.example     alice, bob@other.example
info@local.example      carol@local.example,
    list@local.example
@old.example            @local.example
me@local.example        me@local.example, alice@local.example
""",
    "aliases": """
# aliases(5)
team:   alice, bob
list:   alice, "odd name"@local.example, far@next.example
owner-list: bob
nested: team, list
void:   /dev/null
void-copy: /dev/null, carol
gone:   nosuch, alice
ping:   pong
pong:   ping
me:     me, carol
big:    :include:{dir}/members
n999:   :include:{dir}/n999
n1000:  :include:{dir}/n1000
n1001:  :include:{dir}/n1001
""",
    "members": "\n".join(f"m{i}@next.example" for i in range(50)) + "\n",
    **{f"n{n}": "".join(f"t{i}@next.example\n" for i in range(n)) for n in (999, 1000, 1001)},
    "canonical": "first.last@local.example alice@local.example\n@was.example @local.example\n",
    "access": "bad.example 554 5.7.1 not from there\nslow@ DEFER come back\nhold@nice.example HOLD look at it\n",
    "client": "127.0.0.1 INFO local client\n127.0.0.9 REJECT go away\n",
    "known": "kim@known.example x\nkim2 x\n",
}
CONF = """
recipient-delimiter = "+"
virtual-file = {{ "hash:{dir}/virtual" }}
canonical-file = {{ "{dir}/canonical" }}
sender-access-file = {{ "{dir}/access" }}
client-access-file = {{ "texthash:{dir}/client" }}
recipient-access = {{ "carol@local.example 550 5.7.1 carol wants none from outside" }}
smtpd {{ vrfy-from = {{ "127.0.0.1" }} expn-from = {{ "127.0.0.1" }} }}
domain "local.example" {{ deliver = "maildir:{mail}/%d/%u"
    recipients = {{ "alice", "bob", "carol", "me", "\\"odd name\\"" }} aliases-file = {{ "{dir}/aliases" }} }}
domain "other.example" {{ deliver = "maildir:{mail}/%d/%u" recipients = {{ "bob" }} catch-all = "alice@local.example" }}
domain "old.example" {{ deliver = "maildir:{mail}/%d/%u" }}
domain "was.example" {{ deliver = "maildir:{mail}/%d/%u" }}
relay-domain "known.example" {{ recipients-file = {{ "{dir}/known" }} }}
relay-from = {{ "127.0.0.2" }}
"""


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="postern."))
    folder.chmod(0o755)         # the checker's user reads the tables
    for name, text in FILES.items():
        (folder / name).write_text(text.format(dir=folder) if name == "aliases" else text)
    with Hop() as hop:
        p = Postern(folder, route=f"smtp:[127.0.0.1]:{hop.port}", default_domain=False,
                    hostname="local.example", conf=CONF.format(dir=folder, mail=folder / "mail"))
        with p:
            p.hop = hop
            yield p
        assert "Sanitizer" not in p.text() and "runtime error:" not in p.text()
    shutil.rmtree(folder, ignore_errors=True)


def mails(server, user, domain="local.example"):
    return len(server.maildir(user, domain))


def arrives(server, to, where, sender="x@sender.example"):
    "A message to one recipient is in each of these mailboxes once, and in no other."
    boxes = [("alice", "local.example"), ("bob", "local.example"), ("carol", "local.example"), ("me", "local.example"),
             ("odd name", "local.example"), ("bob", "other.example")]
    before = {b: mails(server, *b) for b in boxes}
    server.send(sender, to)
    server.wait_empty()
    after = {b: mails(server, *b) - before[b] for b in boxes}
    wanted = {b: 0 for b in boxes}
    for box in where:
        wanted[tuple(box.rsplit("@", 1))] = 1
    assert after == wanted


@pytest.mark.parametrize("to, where", [
    ("alice@local.example", ["alice@local.example"]),
    ("Alice+news@LOCAL.example", ["alice@local.example"]),
    ("sales@local.example", ["alice@local.example", "bob@other.example"]),
    ("team@local.example", ["alice@local.example", "bob@local.example"]),
    ("info@local.example", ["carol@local.example", "alice@local.example", "odd name@local.example"]),
    ("alice@old.example", ["alice@local.example"]),
    ("first.last@local.example", ["alice@local.example"]),
    ("bob@was.example", ["bob@local.example"]),
    ("me@local.example", ["me@local.example", "carol@local.example", "alice@local.example"]),
    ("void@local.example", []),
    ("void-copy@local.example", ["carol@local.example"]),
    ("anybody@other.example", ["alice@local.example"]),
    (["alice@local.example", "ALICE@local.example", "team@local.example"],
     ["alice@local.example", "bob@local.example"]),
], ids=lambda v: v.split("@")[0] if isinstance(v, str) else "-")
def test_arrives(server, to, where):
    arrives(server, to, where)


@pytest.mark.parametrize("to, reply", [
    ("nosuch@local.example", "550 5.1.1 <nosuch@local.example>: no such mailbox here"),
    ("ping@local.example", "554 5.4.6 <ping@local.example>: its aliases lead in a circle or to nobody"),
    ("tim@known.example", "550 5.1.1 <tim@known.example>: no such mailbox here"),
    ("x@else.example", "550 5.7.1 <x@else.example>: relaying is not allowed for you"),
    ("carol@local.example", "550 5.7.1 carol wants none from outside"),
    ("kim@known.example", "250 2.1.5 recipient ok"),
    ("kim2+x@known.example", "250 2.1.5 recipient ok"),
    ("postmaster", "250 2.1.5 recipient ok"),
    ("team@local.example", "250 2.1.5 recipient ok"),
    ("big@local.example", "250 2.1.5 recipient ok"),
], ids=lambda v: v.split("@")[0].split(" ")[0])
def test_rcpt_and_lookup_agree(server, to, reply):
    with Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<a@sender.example>")
        assert c.say(f"RCPT TO:<{to}>") == reply
        c.say("QUIT")
    told = server.json("lookup", to)
    code, enhanced, text = reply.split(" ", 2)
    assert (told["reply"]["code"], told["reply"]["enhanced"]) == (int(code), enhanced)
    assert text.endswith(told["reply"]["text"])
    assert f"RCPT: {code} {enhanced} " in server.ctl("lookup", to).stdout.decode()


def test_lookup_tells_file_and_line(server):
    told = server.json("lookup", "sales@local.example")
    assert told["steps"][0]["where"] == f"{server.dir}/virtual:3"
    assert told["steps"][0]["what"].startswith("sales@local.example -> alice@local.example, bob@other.example")
    assert {(e["kind"], e["address"], e["mailbox"]) for e in told["ends"]} >= {("mailbox", "bob@other.example", "bob")}
    told = server.json("lookup", "list@local.example")
    assert [e for e in told["ends"] if e["address"] == "far@next.example"] == [
        {"kind": "remote", "address": "far@next.example", "route": f"smtp:[127.0.0.1]:{server.hop.port}",
         "mailbox": None, "sender": "owner-list@local.example"}]
    assert told["complete"] is True
    told = server.json("lookup", "alice@local.example", "--from", "127.0.0.9")
    assert told["reply"] == {"code": 554, "enhanced": "5.7.1", "text": "go away"}
    told = server.json("lookup", "x@else.example", "--from", "127.0.0.2", "--sender", "a@bad.example")
    assert told["reply"]["text"] == "not from there"
    assert server.json("lookup", "x@else.example", "--from", "127.0.0.2")["reply"]["code"] == 250
    assert server.ctl("lookup", "not an address", check=False).returncode == 2


def test_access(server):
    with Raw(server.port) as c:
        c.say("EHLO client.example")
        assert c.say("MAIL FROM:<a@bad.example>") == "554 5.7.1 not from there"
        assert c.say("MAIL FROM:<slow@nice.example>").startswith("450 4.7.")
        assert c.say("MAIL FROM:<a@sub.bad.example>") == "554 5.7.1 not from there"
    server.wait_log(r"info client=127.0.0.1 .*rule=client-access .*text=\"local client\"")
    qid = server.send("hold@nice.example", "alice@local.example")
    row = next(m for m in server.json("queue", "list") if m["id"] == qid)
    assert row["state"] == "held"
    before = mails(server, "alice")
    server.ctl("queue", "release", qid)
    wait_for("the released message", lambda: mails(server, "alice") == before + 1)


def test_list_has_a_new_sender(server):
    server.hop.messages.clear()
    server.send("x@sender.example", "list@local.example")
    server.wait_empty()
    got = [sender for sender, rcpts, _ in server.hop.messages if "far@next.example" in rcpts]
    assert got == ["owner-list@local.example"]


def test_included_members(server):
    server.hop.messages.clear()
    server.send("x@sender.example", "big@local.example")
    server.wait_empty()
    rcpts = [r for _, to, _ in server.hop.messages for r in to]
    assert sorted(rcpts) == sorted(f"m{i}@next.example" for i in range(50))


@pytest.mark.parametrize("n", [999, 1000, 1001])
def test_long_lists(server, n):
    "As many as one message may name (RCPT_MAX), and one more: each member once; lookup tells so many."
    server.hop.messages.clear()
    server.send("x@sender.example", f"n{n}@local.example")
    server.wait_empty()
    rcpts = [r for _, to, _ in server.hop.messages for r in to]
    assert sorted(rcpts) == sorted(f"t{i}@next.example" for i in range(n))
    told = server.json("lookup", f"n{n}@local.example")
    assert (len(told["ends"]), told["complete"]) == (min(n, 1000), n <= 1000)


def test_discarded_is_logged(server):
    qid = server.send("x@sender.example", "void@local.example")
    server.wait_log(rf"{qid} discarded rcpt=<void@local.example> from=<x@sender.example> by=alias whole=yes")
    assert server.ctl("queue", "show", qid, check=False).returncode == 1


def test_vrfy_expn(server):
    with Raw(server.port) as c:
        ehlo = c.say("EHLO client.example")
        assert "VRFY" in ehlo and "EXPN" in ehlo
        assert c.say("VRFY alice@local.example") == "250 2.1.5 <alice@local.example>"
        assert c.say("VRFY nosuch@local.example").startswith("550 5.1.1")
        assert c.say("EXPN team@local.example") == "250-2.1.5 <alice@local.example>\n250 2.1.5 <bob@local.example>"


def new_notices(server, user, before):
    "Reports that came since."
    new = [email.message_from_bytes(f.read_bytes()) for f in server.maildir(user) if f not in before]
    return [m.as_string() for m in new if m.get_content_type() == "multipart/report"]


@pytest.mark.parametrize("to, action", [("team", "expanded"), ("list", "delivered"), ("void", "delivered")])
def test_dsn_of_an_alias(server, to, action):
    "RFC 3461 5.2.7.3: expanded; 5.2.7.1: delivered to the list."
    before = server.maildir("bob")
    with Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<bob@local.example>")
        assert c.say(f"RCPT TO:<{to}@local.example> NOTIFY=SUCCESS,FAILURE").startswith("250")
        c.say("DATA")
        assert c.say("Subject: x\r\n\r\nx\r\n.").startswith("250")
    wait_for("the notice", lambda: new_notices(server, "bob", before))
    server.wait_empty()
    told = new_notices(server, "bob", before)
    assert len(told) == 1 and f"Action: {action}" in told[0] and f"{to}@local.example" in told[0]


def test_member_that_is_not_there(server):
    "The sender learns it, the other members have the mail."
    before, alice = server.maildir("carol"), mails(server, "alice")
    server.send("carol@local.example", "gone@local.example")
    server.wait_empty()
    told = new_notices(server, "carol", before)
    assert len(told) == 1 and "Status: 5.1.1" in told[0] and "rfc822; nosuch@local.example" in told[0]
    assert mails(server, "alice") == alice + 1


def test_reload_between_rcpt_and_data(server):
    "An alias that has gone meanwhile: nothing is lost, delivery decides."
    aliases = server.dir / "aliases"
    was = aliases.read_text()
    with Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<a@sender.example>")
        assert c.say("RCPT TO:<team@local.example>").startswith("250")
        aliases.write_text(was.replace("team:", "gone-team:").replace("nested: team", "nested: alice"))
        server.ctl("reload")
        # The order to use the new tables is sent when posternctl is answered, and read a moment later.
        wait_for("the new tables", lambda: c.say("RCPT TO:<team@local.example>").startswith("550 5.1.1"))
        assert c.say("DATA").startswith("354")
        assert c.say("Subject: x\r\n\r\nx\r\n.").startswith("250")
    wait_for("the message", lambda: mails(server, "team") == 1)
    aliases.write_text(was)
    server.ctl("reload")
