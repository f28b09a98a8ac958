"""What deliver passes on, or must not pass on, by what the next hop offers: binary bodies in chunks or converted, SMTPUTF8,
DSN, BY, MT-PRIORITY; questions about recipients; mailboxes.  Next hops: a scripted one, smtp-sink, Postfix, aiosmtpd."""
import email
import email.policy
import random
import re
import time

import pytest

import lib

ALL = ("PIPELINING", "SIZE 0", "8BITMIME", "CHUNKING", "BINARYMIME", "SMTPUTF8", "DSN", "DELIVERBY 5", "MT-PRIORITY")
ONCE = 'queue { retry = { "1h" } }\n'
SOON = 'queue { retry = { "1s" } }\n'
RELAY = "d@dest.example"


def without(*names):
    return tuple(x for x in ALL if x.split()[0] not in names)


def binary(size=3000, seed=1):
    "A message with two binary parts, and their octets."
    octets = random.Random(seed).randbytes(size)
    parts = [octets, b"\r\n.\r\n\r\nlf\n.\ncr\r.\r"]
    body = b"".join(b"--=_b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + p +
                    b"\r\n" for p in parts)
    return (b"Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n" + body + b"--=_b--\r\n"), parts


def payloads(octets):
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert not any(p.defects for p in message.walk())
    return [p.get_payload(decode=True) for p in message.walk() if not p.is_multipart()]


def submit(server, body, mail="", rcpts=(RELAY,), sender="alice@local.example", params=""):
    "One message by BDAT; its queue ID."
    with lib.Raw(server.port) as c:
        assert c.say("EHLO client.example").startswith("250")
        c.send(f"MAIL FROM:<{sender}>{mail}\r\n".encode())
        assert (reply := c.reply()).startswith("250"), reply
        for rcpt in rcpts:
            c.send(f"RCPT TO:<{rcpt}>{params}\r\n".encode())
            assert (reply := c.reply()).startswith("250"), reply
        c.send(f"BDAT {len(body)} LAST\r\n".encode() + body)
        reply = c.reply()
        assert reply.startswith("250"), reply
        return re.search(r"queued as (\w+)", reply)[1]


@pytest.fixture
def start(postern):
    return lambda port, more=ONCE, **kw: postern(more, route=f"smtp:[127.0.0.1]:{port}", **kw)


def said(sink, verb):
    return [c for c in sink.commands if c.startswith(verb)]


def utf8(text):
    "As the hop has it, which reads its commands as Latin-1."
    return text.encode().decode("latin-1")


# ---- binary ----

@pytest.mark.sanitize
@pytest.mark.parametrize("extensions", [ALL, without("PIPELINING")], ids=["ahead", "one"])
@pytest.mark.parametrize("size", [3000, 700000])
def test_binary_goes_in_chunks(start, hop, extensions, size):
    sink = hop(extensions=extensions)
    server = start(sink.port)
    body, _ = binary(size)
    submit(server, body, " BODY=BINARYMIME")
    sink.wait(1)
    assert lib.strip_received(sink.messages[0][2]) == body
    assert "BODY=BINARYMIME" in said(sink, "MAIL")[0] and not said(sink, "DATA")
    chunks = said(sink, "BDAT")
    assert chunks[-1].endswith(" LAST") and sum(int(c.split()[1]) for c in chunks) == len(sink.messages[0][2])
    server.wait_empty()


@pytest.mark.parametrize("extensions", [without("BINARYMIME"), without("CHUNKING"), ("PIPELINING",), ()],
                         ids=["no-binarymime", "no-chunking", "pipelining", "nothing"])
@pytest.mark.parametrize("size", [3000, 700000])
def test_binary_is_converted(start, hop, extensions, size):
    sink = hop(extensions=extensions)
    server = start(sink.port)
    body, parts = binary(size)
    submit(server, body, " BODY=BINARYMIME")
    octets = sink.wait(1)[0][2]
    assert payloads(octets) == parts
    assert b"binary" not in re.sub(rb"(?i)subject: binary", b"", octets)
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert b"\n" not in octets.replace(b"\r\n", b"") and b"\r" not in octets.replace(b"\r\n", b"")
    assert ("BODY=8BITMIME" in said(sink, "MAIL")[0]) == ("8BITMIME" in extensions) and not said(sink, "BDAT")
    server.wait_empty()


def test_what_is_no_binary_goes_by_data(start, hop):
    sink = hop(extensions=ALL)
    server = start(sink.port)
    submit(server, b"Subject: x\r\n\r\nlines\r\nthe last one has no end", " BODY=8BITMIME")
    assert lib.strip_received(sink.wait(1)[0][2]) == b"Subject: x\r\n\r\nlines\r\nthe last one has no end\r\n"
    assert said(sink, "DATA") and not said(sink, "BDAT")


@pytest.mark.parametrize("size", [1000, 700000])
def test_what_cannot_be_converted_fails(start, hop, size):
    sink = hop(extensions=())
    server = start(sink.port)
    body = (b"Subject: signed\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n" + b"x" * 70 + b"\r\n"
            + b"y\r\n" * (size // 3) + b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\n\n\r\n--b--\r\n")
    msgid = submit(server, body, " BODY=BINARYMIME")
    server.wait_log(rf"{msgid} rcpt=<d@dest.example> .*dsn=5.6.1 status=permfail .*within multipart/signed")
    server.wait_log("status=delivered")         # the notice, in alice's mailbox
    assert not sink.messages and "5.6.1" in server.maildir("alice")[0].read_text()


def test_a_refused_chunk_is_tried_again(start, hop):
    "452 in the midst of it: another attempt, and one message at the end."
    sink = hop(extensions=ALL, script=lambda stage, s: b"452 4.3.1 not now\r\n" if stage == "bdat" and s.number == 1 else None)
    server = start(sink.port, SOON)
    body, _ = binary(700000)
    msgid = submit(server, body, " BODY=BINARYMIME")
    server.wait_log(rf"{msgid} .*dsn=4.3.1 status=tempfail stage=body")
    sink.wait(1)
    server.wait_empty()
    assert len(sink.messages) == 1 and lib.strip_received(sink.messages[0][2]) == body


@pytest.mark.parametrize("stage,status", [("bdat", "tempfail"), ("dot", "unsure")])
def test_a_connection_lost_in_chunks(start, hop, stage, status):
    sink = hop(extensions=ALL, script=lambda s, session: "drop" if s == stage else None)
    server = start(sink.port)
    msgid = submit(server, binary(700000)[0], " BODY=BINARYMIME")
    server.wait_log(rf"{msgid} .*status={status}")
    assert not sink.messages


@pytest.mark.parametrize("first,second", [(ALL, ("PIPELINING",)), (("PIPELINING",), ALL)], ids=["to-lines", "to-chunks"])
def test_another_host_has_other_extensions(folder, postern, hop, first, second):
    "What the first host offered does not count for the second."
    port = lib.free_port()
    turned = hop(host="127.0.0.11", port=port, extensions=first,
                 script=lambda stage, s: b"421 4.3.2 bye\r\n" if stage in ("data", "dot", "bdat") and s.sender else None)
    sink = hop(host="127.0.0.12", port=port, extensions=second)
    with lib.Nsd(folder / "nsd", {"two.example": "@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"}) as nsd:
        server = postern(SOON + f"deliver {{ port = {port} }}\n" + nsd.stub_conf(["two.example"]))
        body, parts = binary(3000)
        submit(server, body, " BODY=BINARYMIME", rcpts=("x@two.example",))
        if first == ALL:                        # 421 to a whole body: the next attempt
            lib.wait_for("the first host", lambda: said(turned, "BDAT"))
            turned.close()
        octets = sink.wait(1)[0][2]
        assert payloads(octets) == parts if second != ALL else lib.strip_received(octets) == body
        assert not turned.messages
        server.wait_empty()


def test_binary_into_a_mailbox(postern):
    server = postern(ONCE)
    for size in (3000, 700000):
        body, parts = binary(size)
        submit(server, body, " BODY=BINARYMIME", rcpts=("alice@local.example", "bob@local.example"))
        server.wait_empty()
        for user in ("alice", "bob"):
            newest = max(server.maildir(user), key=lambda p: p.stat().st_size)
            assert payloads(newest.read_bytes()) == parts
    msgid = submit(server, b"Content-Type: multipart/x\r\n\r\n\n", " BODY=BINARYMIME", rcpts=("carol@local.example",))
    server.wait_log(rf"{msgid} rcpt=<carol@local.example> relay=maildir .*dsn=5.6.1 status=permfail stage=file")
    assert not server.maildir("carol")


def test_binary_by_way_of_smtp_sink(start, folder):
    with lib.Sink(folder / "sink") as sink:
        server = start(sink.port)
        body, parts = binary(50000)
        submit(server, body, " BODY=BINARYMIME")
        lib.wait_for("the message", sink.files)
        server.wait_empty()
        # smtp-sink writes lines with LF, and its own header fields in front.
        text = sink.files()[0].read_bytes()
        assert payloads(text[text.index(b"Received:"):]) == parts


@pytest.mark.skipif(not lib.ROOT, reason="a private Postfix needs root")
def test_postfix_as_next_hop(start, folder):
    "Postfix offers CHUNKING, DSN and SMTPUTF8, but not BINARYMIME."
    with lib.Postfix(folder / "postfix") as peer:
        server = start(peer.port)
        body, parts = binary(50000)
        to = (f"a@{peer.domain}", f"\u00e4@{peer.domain}")
        submit(server, body, " BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=e+2B", rcpts=to,
               params=" NOTIFY=FAILURE ORCPT=rfc822;orig+40a.example")
        lib.wait_for("both copies", lambda: len(peer.mail()) >= 1 and server.queue_figures()["total"] == 0)
        for path in peer.mail():
            text = path.read_bytes()
            assert payloads(text[text.index(b"Received:"):]) == parts
        assert server.text().count("status=delivered") == 2


def test_aiosmtpd_as_next_hop(start):
    from aiosmtpd.controller import Controller

    class Keep:
        def __init__(self):
            self.got = []

        async def handle_DATA(self, peer, session, envelope):
            self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.mail_options, envelope.content))
            return "250 2.0.0 kept"

    keep = Keep()
    controller = Controller(keep, hostname="127.0.0.1", port=lib.free_port(), enable_SMTPUTF8=True)
    controller.start()
    try:
        server = start(controller.port)
        body, parts = binary(50000)
        submit(server, body, " BODY=BINARYMIME SMTPUTF8", rcpts=("\u00e4@dest.example",), sender="\u00f6@local.example")
        lib.wait_for("the message", lambda: keep.got)
        sender, rcpts, options, content = keep.got[0]
        assert (sender, rcpts) == ("\u00f6@local.example", ["\u00e4@dest.example"])
        assert "SMTPUTF8" in options and payloads(content) == parts
    finally:
        controller.stop()


@pytest.mark.sanitize
def test_postern_as_next_hop(postern):
    "All that is asked for arrives: the second server says what it got, and says it on."
    last = postern('domain "dest.example" { deliver = "maildir:%s/%%d/%%u" recipients = { "d", "\u00e4" } }\n' % "/tmp", start=False)
    last.write_conf(last.extra.replace("/tmp", str(last.mail)))
    last.start()
    server = postern(ONCE, route=f"smtp:[127.0.0.1]:{last.port}")
    body, parts = binary(700000)
    submit(server, body, " BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=e1 BY=500;R MT-PRIORITY=4", rcpts=(RELAY, "\u00e4@dest.example"),
           params=" NOTIFY=FAILURE ORCPT=utf-8;\u00f6@c.example")
    lib.wait_for("both copies", lambda: last.maildir("d", "dest.example") and last.maildir("\u00e4", "dest.example"))
    for user in ("d", "\u00e4"):
        assert payloads(last.maildir(user, "dest.example")[0].read_bytes()) == parts
    server.wait_empty()
    assert server.text().count("status=delivered") == 2 and "status=tempfail" not in server.text()


# ---- SMTPUTF8 ----

def test_utf8_is_asked_for_where_it_is_needed(start, hop):
    sink = hop(extensions=ALL)
    server = start(sink.port)
    plain = b"Subject: x\r\n\r\nx\r\n"
    for mail, sender, rcpt, body, wanted in (
            (" SMTPUTF8", "alice@local.example", "\u00e4@dest.example", plain, True),
            (" SMTPUTF8", "\u00f6@local.example", RELAY, plain, True),
            (" SMTPUTF8 BODY=8BITMIME", "alice@local.example", RELAY, "Subject: \u00e4\r\n\r\nx\r\n".encode(), True),
            (" SMTPUTF8", "alice@local.example", RELAY, plain, False),
            (" BODY=8BITMIME", "alice@local.example", RELAY, "Subject: \u00e4\r\n\r\nx\r\n".encode(), False)):
        before = len(sink.messages)
        submit(server, body, mail, rcpts=(rcpt,), sender=sender)
        sink.wait(before + 1)
        assert said(sink, "MAIL")[-1].startswith(f"MAIL FROM:<{utf8(sender)}>")
        assert ("SMTPUTF8" in said(sink, "MAIL")[-1]) == wanted, (mail, rcpt)
        assert said(sink, "RCPT")[-1] == f"RCPT TO:<{utf8(rcpt)}>"


def test_utf8_is_not_for_who_does_not_offer_it(start, hop):
    sink = hop(extensions=without("SMTPUTF8"))
    server = start(sink.port)
    plain = b"Subject: x\r\n\r\nx\r\n"
    msgid = submit(server, plain, " SMTPUTF8", rcpts=("a@dest.example", "\u00e4@dest.example", "b@dest.example"))
    sink.wait(1)
    server.wait_log(rf"{msgid} rcpt=<\S+@dest.example> .*dsn=5.6.7 status=permfail")
    assert sink.messages[0][1] == ["a@dest.example", "b@dest.example"]
    msgid = submit(server, "Subject: \u00e4\r\n\r\nx\r\n".encode(), " SMTPUTF8 BODY=8BITMIME")
    server.wait_log(rf"{msgid} .*dsn=5.6.9 status=permfail")
    msgid = submit(server, plain, " SMTPUTF8", sender="\u00f6@dest.example")
    server.wait_log(rf"{msgid} .*dsn=5.6.7 status=permfail")
    assert not any("\u00c3" in c for c in sink.commands)


# ---- DSN ----

def test_dsn_is_passed_on(start, hop):
    sink = hop(extensions=ALL)
    server = start(sink.port)
    submit(server, b"Subject: x\r\n\r\nx\r\n", " RET=HDRS ENVID=q+2B1", params=" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2Bb@C.example")
    sink.wait(1)
    server.wait_empty()
    assert re.search(r" RET=HDRS ENVID=q\+2B1\b", said(sink, "MAIL")[0])
    assert said(sink, "RCPT") == ["RCPT TO:<d@dest.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2Bb@C.example"]
    assert not server.maildir("alice")          # the next hop answers for it now


def test_dsn_is_not_for_who_does_not_offer_it(start, hop):
    sink = hop(extensions=without("DSN"))
    server = start(sink.port)
    submit(server, b"Subject: x\r\n\r\nx\r\n", " RET=HDRS ENVID=q1", params=" NOTIFY=SUCCESS ORCPT=rfc822;a@c.example")
    sink.wait(1)
    assert not any(word in c for c in sink.commands for word in ("RET=", "ENVID=", "NOTIFY=", "ORCPT="))
    lib.wait_for("the notice", lambda: server.maildir("alice"))
    text = server.maildir("alice")[0].read_text()
    assert "Action: relayed" in text and "Original-Envelope-Id: q1" in text


# ---- BY and MT-PRIORITY ----

def test_by_and_priority_are_passed_on(start, hop):
    sink = hop(extensions=ALL)
    server = start(sink.port)
    submit(server, b"Subject: x\r\n\r\nx\r\n", " BY=100;RT MT-PRIORITY=-3")
    sink.wait(1)
    found = re.search(r" BY=(\d+);RT MT-PRIORITY=-3\b", said(sink, "MAIL")[0])
    assert found and 60 <= int(found[1]) <= 100


@pytest.mark.parametrize("extensions", [without("DELIVERBY"), without("DELIVERBY") + ("DELIVERBY 500",)], ids=["none", "min"])
def test_by_return_needs_a_host_that_knows_it(start, hop, extensions):
    sink = hop(extensions=extensions)
    server = start(sink.port)
    msgid = submit(server, b"Subject: x\r\n\r\nx\r\n", " BY=100;R")
    server.wait_log(rf"{msgid} .*dsn=5.4.7 status=permfail")
    assert not sink.messages


def test_by_notify_goes_anywhere(start, hop):
    sink = hop(extensions=without("DELIVERBY", "MT-PRIORITY"))
    server = start(sink.port)
    submit(server, b"Subject: x\r\n\r\nx\r\n", " BY=100;N MT-PRIORITY=3")
    sink.wait(1)
    assert "BY=" not in said(sink, "MAIL")[0] and "PRIORITY" not in said(sink, "MAIL")[0]
    assert said(sink, "RCPT") == ["RCPT TO:<d@dest.example> NOTIFY=FAILURE,DELAY"]


# ---- questions about recipients ----

def asks(server, *rcpts):
    "The replies to RCPT, without a message."
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<x@client.example>")
        return [c.say(f"RCPT TO:<{r}>") for r in rcpts]


def verifying(port):
    return ('relay-domain "branch.example" { verify = true }\n'
            f'route "branch.example" {{ via = "smtp:[127.0.0.1]:{port}" }}\n')


def by_name(stage, session):
    return {b"bad": b"550 5.1.1 no such user\r\n", b"grey": b"450 4.2.0 later\r\n"}.get(
        session.line.split(b"<")[1].split(b"@")[0]) if stage == "rcpt" else None


@pytest.mark.sanitize
def test_recipients_are_asked_for_at_the_next_hop(postern, hop):
    sink = hop(script=by_name)
    server = postern(ONCE + verifying(sink.port) + 'deliver { idle = "60s" }\n')
    good, bad, grey = asks(server, "good@branch.example", "bad@branch.example", "grey@branch.example")
    assert good.startswith("250") and bad.startswith("550 5.1.1") and grey[:1] == "4"
    # By name, once each, from the null sender, over one connection, and nothing is left open.
    assert said(sink, "MAIL") == ["MAIL FROM:<>"] * 3 and sink.sessions == 1
    assert said(sink, "RCPT") == [f"RCPT TO:<{n}@branch.example>" for n in ("good", "bad", "grey")]
    assert len(said(sink, "RSET")) == 3 and not sink.messages
    server.wait_log("probe rcpt=<bad@branch.example> relay=\\[127.0.0.1\\].* status=refused stage=rcpt reply=\"550 .*no such user\"")
    # A message takes the same connection.
    submit(server, b"Subject: x\r\n\r\nx\r\n", rcpts=("good@branch.example",))
    sink.wait(1)
    assert sink.sessions == 1


@pytest.mark.parametrize("stage,what", [("connect", "drop"), ("ehlo", b"554 5.7.1 no\r\n"), ("mail", b"550 5.7.1 no <>\r\n"),
                                        ("mail", b"450 4.7.1 wait\r\n"), ("rcpt", "drop"), ("rcpt", b"421 4.3.2 bye\r\n"),
                                        ("connect", b"554 no\r\n")])
def test_what_is_not_said_of_the_recipient_is_no_refusal(postern, hop, stage, what):
    "It is taken: to keep mail while the next hop cannot be asked is what this server is there for."
    sink = hop(script=lambda s, session: what if s == stage else None)
    server = postern(ONCE + verifying(sink.port))
    assert asks(server, "good@branch.example")[0].startswith("250")
    server.wait_log("probe rcpt=<good@branch.example> .* status=unknown")


def test_a_host_that_hangs_is_not_waited_for(postern, hop):
    sink = hop(script=lambda s, session: "hang" if s == "rcpt" else None)
    server = postern(ONCE + verifying(sink.port))
    begin = time.monotonic()
    assert asks(server, "good@branch.example")[0].startswith("250")
    assert time.monotonic() - begin < 25
    server.wait_log("probe rcpt=<good@branch.example> .* status=unknown .*ran out of time")


# ---- mailboxes ----

def test_extension_of_a_mailbox(postern):
    server = postern('recipient-delimiter = "+"\n' + ONCE)
    submit(server, b"Subject: x\r\n\r\nx\r\n", rcpts=("alice+shop@local.example",))
    server.wait_empty()
    assert len(server.maildir("alice")) == 1
    assert b"\nDelivered-To: alice+shop@local.example\n" in server.maildir("alice")[0].read_bytes()
