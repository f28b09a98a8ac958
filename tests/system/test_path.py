"""The whole path of a message: receive, store, route, deliver, against real peers and exact octets."""
import os
import random
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import lib

AWKWARD = {
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.leading\r\n\r\n.\r\nend\r\n",
    "eight-bit": b"Subject: \xe9\xff\x80\r\n\r\n" + bytes(set(range(256)) - {10, 13}) + b"\r\n",
    "nul": b"Subject: nul\r\n\r\na\0b\0\0\r\n\0\r\n",
    "long line": b"Subject: long\r\n\r\n" + b"x" * 998 + b"\r\n" + b"y" * 70000 + b"\r\n",
    "no body": b"Subject: nothing follows\r\n",
    "no header": b"\r\nbody at once\r\n",
    "empty": b"",
    "only a blank line": b"\r\n",
    "no final blank": b"Subject: x\r\n\r\n" + b"line\r\n" * 3000,
    "starts with a dot": b".first: line\r\n\r\n.\r\n",
}


def say_message(client, body, sender="alice@local.example", to=("d@dest.example",), params=""):
    "One transaction by hand; the reply to the dot."
    assert client.say(f"MAIL FROM:<{sender}>{params}").startswith("250")
    for rcpt in to:
        assert client.say(f"RCPT TO:<{rcpt}>").startswith("250")
    assert client.say("DATA").startswith("354")
    client.send(re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
    return client.reply()


@pytest.mark.sanitize
def test_awkward_messages_are_relayed_octet_for_octet(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        for name, body in AWKWARD.items():
            answer = say_message(c, body, params=" BODY=8BITMIME")
            assert answer.startswith("250 2.0.0"), (name, answer)
    got = [lib.strip_received(m[2]) for m in sink.wait(len(AWKWARD))]
    for name, body in AWKWARD.items():
        assert body in got, name
    server.wait_empty()


def test_bodies_around_the_window_to_deliver(postern, hop):
    "JOB_WINDOW is 128K, handed over in blocks of 4K: the last, short one needs no whole block of credit."
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    sizes = [*range(126 * 1024, 132 * 1024, 300), *range(158 * 1024, 164 * 1024, 700)]
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        for size in sizes:
            body = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n"
            body += b"y" * 72 + b"\r\n" if size % 2 else b""
            while len(body) + 100 < size:
                body += b"z" * 98 + b"\r\n"
            body += b"e" * (size - len(body) - 2) + b"\r\n"
            assert say_message(c, body).startswith("250")
    got = sorted(len(lib.strip_received(m[2])) for m in sink.wait(len(sizes)))
    assert got == sizes
    server.wait_empty()


def test_fifty_megabytes_pass_unchanged(postern, hop):
    sink = hop()
    server = postern('message-size-limit = "60M"\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    rng = random.Random(1)
    line = lambda: bytes(rng.choices(b"abcdefghij.\xc3\xa9 ", k=rng.randint(0, 200))) + b"\r\n"
    part = b"".join(line() for _ in range(5000))
    body = b"Subject: large\r\n\r\n" + part * (50 * 1024 * 1024 // len(part))
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        assert say_message(c, body).startswith("250")
    assert lib.strip_received(sink.wait(1, 90)[0][2]) == body
    server.wait_empty()


@pytest.mark.sanitize
def test_maildir_delivery(postern):
    server = postern()
    msgid = server.send("someone@client.example", ["bob@local.example", "ALICE@Local.Example"],
                        b"From: a@b.example\r\nSubject: hi\r\n\r\n.dot\r\nbody\r\n")
    lib.wait_for("mail for both", lambda: server.maildir("bob") and server.maildir("alice"))
    text = server.maildir("bob")[0].read_bytes()
    assert text.startswith(b"Return-Path: <someone@client.example>\nDelivered-To: bob@local.example\nReceived: from ")
    assert text.endswith(b"Subject: hi\n\n.dot\nbody\n")
    assert msgid.encode() in text and b"\r" not in text
    assert server.maildir("bob")[0].stat().st_mode & 0o777 == 0o600
    server.wait_empty()
    for event in ("accepted", r"rcpt=<bob@local\.example>.*status=delivered", "removed"):
        server.wait_log(rf"{msgid} {event}")


def test_maildirs_that_have_no_directory_in_common(postern):
    "Landlock lets the mailbox process into these directories alone, though its root directory is the host's."
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="postern.") as away:
        os.chmod(away, 0o755)
        server = postern(f'domain "away.example" {{ deliver = "maildir:{away}/mail/%u/Maildir" recipients = {{ "*" }} }}\n')
        server.send("a@client.example", ["bob@local.example", "dave@away.example"])
        lib.wait_for("mail in both", lambda: server.maildir("bob") and [*Path(away, "mail/dave/Maildir/new").glob("*")])
        server.wait_empty()
        server.stop()


def test_unknown_recipient_and_relay_refused(postern):
    server = postern('relay-from = { "192.0.2.0/24" }\nrelay-domain "branch.example" { }\n')
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        assert c.say("MAIL FROM:<x@client.example>").startswith("250")
        assert c.say("RCPT TO:<nobody@local.example>").startswith("550 5.1.1")
        assert c.say("RCPT TO:<a@branch.example>").startswith("250")
        for path in ("<a@other.example>", "<a%other.example@local.example>", "<other.example!a@local.example>",
                     '<"a@other.example"@local.example>', "<@local.example:a@other.example>",
                     "<a@[192.0.2.55]>", '<"a%other.example"@local.example>', "<a@local.example@other.example>",
                     "<a@other.example.>", "<other.example!a>", "<a%other.example>"):
            assert c.say(f"RCPT TO:{path}")[0] == "5", path
        assert c.say("RCPT TO:<postmaster>").startswith("250")
        assert c.say("RCPT TO:<PostMaster@local.example>").startswith("250")
    server.wait_log(r"reject .*a@other\.example")


def test_smtp_source_to_smtp_sink(postern, folder):
    with lib.Sink(folder / "sink") as sink:
        server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
        lib.smtp_source(server.port, "-d", n=300, sessions=20, size=4096)
        lib.wait_for("all messages in the sink", lambda: len(sink.files()) >= 300)
        server.wait_empty()
        assert len(sink.files()) == 300


@pytest.mark.skipif(not lib.ROOT, reason="a private Postfix needs root")
def test_postfix_as_next_hop_and_as_sender(postern, folder):
    with lib.Postfix(folder / "postfix") as peer:
        server = postern(route=f"smtp:[127.0.0.1]:{peer.port}")
        server.send(to=["a@postfix.example", "b@postfix.example"], body=b"Subject: one\r\n\r\n..dots\r\n.\r\n")
        lib.wait_for("two copies in Postfix", lambda: len(peer.mail()) == 2)
        assert all(b"\n..dots\n.\n" in p.read_bytes() for p in peer.mail())
        server.wait_empty()


def test_aiosmtpd_as_next_hop(postern):
    from aiosmtpd.controller import Controller
    got = []

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 taken"
    port = lib.free_port()
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        server = postern(route=f"smtp:[127.0.0.1]:{port}")
        server.send(to=["x@dest.example", "y@dest.example"])
        lib.wait_for("the message", lambda: got)
        assert got[0][:2] == ("alice@local.example", ["x@dest.example", "y@dest.example"])
        server.wait_empty()
    finally:
        controller.stop()


def test_swaks_and_curl_as_senders(postern, folder):
    server = postern()
    swaks = subprocess.run(["perl", str(lib.PEERS / "usr/bin/swaks"), "--server", f"127.0.0.1:{server.port}", "--from", "s@client.example",
                            "--to", "bob@local.example", "--ehlo", "client.example", "--pipeline"], capture_output=True)
    assert swaks.returncode == 0, swaks.stdout.decode() + swaks.stderr.decode()
    (folder / "mail").write_bytes(b"Subject: curl\r\n\r\nby curl\r\n")
    curl = subprocess.run(["curl", "-sS", "--url", f"smtp://127.0.0.1:{server.port}/client.example", "--mail-from", "c@client.example",
                           "--mail-rcpt", "bob@local.example", "--upload-file", str(folder / "mail")], capture_output=True)
    assert curl.returncode == 0, curl.stderr
    lib.wait_for("both", lambda: len(server.maildir("bob")) == 2)


def test_many_recipients(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    rcpts = [f"r{i}@dest.example" for i in range(1000)]
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<>")
        for i in range(0, 1000, 100):
            c.send(b"".join(b"RCPT TO:<%s>\r\n" % r.encode() for r in rcpts[i:i + 100]))
            assert all(c.reply().startswith("250") for _ in range(100))
        assert c.say("RCPT TO:<one-more@dest.example>").startswith("452 4.5.3")
        assert c.say("DATA").startswith("354")
        c.send(b"Subject: many\r\n\r\n.\r\n")
        assert c.reply().startswith("250")
    server.wait_empty()
    seen = [r for m in sink.messages for r in m[1]]
    assert sorted(seen) == sorted(rcpts)
    assert max(len(m[1]) for m in sink.messages) == 100


def test_permanent_failure_makes_a_notice(postern, hop):
    words = b"550-5.7.1 first line of why\r\n550 5.7.1 we do not want <b>this</b> \xff here\r\n"
    sink = hop(script=lambda stage, s: words if stage == "rcpt" and s.rcpts[-1].startswith("no") else None)
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send("alice@local.example", ["no1@dest.example", "yes@dest.example", "no2@dest.example"],
                        b"From: alice@local.example\r\nSubject: secret body\r\nX-Mark: kept\r\n\r\nthe body\r\n")
    sink.wait(1)
    lib.wait_for("the notice", lambda: server.maildir("alice"))
    import email
    notice = email.message_from_bytes(server.maildir("alice")[0].read_bytes())
    assert notice["Return-Path"] == "<>" and notice["Auto-Submitted"] == "auto-replied"
    assert notice.get_content_type() == "multipart/report" and notice.get_param("report-type") == "delivery-status"
    text, status, original = notice.get_payload()
    assert "first line of why" in text.get_payload() and "no1@dest.example" in text.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    fields = status.get_payload()
    assert fields[0]["Reporting-MTA"] == f"dns; {server.hostname}"
    assert {f["Final-Recipient"] for f in fields[1:]} == {"rfc822; no1@dest.example", "rfc822; no2@dest.example"}
    for f in fields[1:]:
        assert f["Action"] == "failed" and f["Status"] == "5.7.1" and "550" in f["Diagnostic-Code"]
    assert original.get_content_type() == "text/rfc822-headers"
    assert "X-Mark: kept" in original.get_payload() and "the body" not in original.get_payload()
    assert len(server.maildir("alice")) == 1
    server.wait_log(f"{msgid} .*status=permfail")
    server.wait_empty()


def test_a_bounce_is_never_bounced(postern, hop):
    sink = hop(script=lambda stage, s: b"550 5.1.1 no\r\n" if stage == "rcpt" else None)
    server = postern('postmaster = "carol@local.example"\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    server.send("", "x@dest.example")
    server.send("lost@gone.example", "x@dest.example")      # its notice fails too
    lib.wait_for("double bounces at the postmaster's", lambda: len(server.maildir("carol")) == 2)
    server.wait_empty()
    time.sleep(0.2)                                         # nothing more may come
    assert len(server.maildir("carol")) == 2


def test_deferred_then_delivered_and_why_tells(postern, hop):
    state = {"open": False}
    sink = hop(script=lambda stage, s: None if state["open"] or stage != "rcpt" else b"450 4.2.0 greylisted, try later\r\n")
    server = postern('queue { retry = { "1h" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send(to="x@dest.example")
    server.wait_log(f"{msgid} .*status=tempfail")
    lib.wait_for("deferred", lambda: server.queue_figures()["deferred"] == 1)
    why = server.ctl("why", msgid).stdout.decode()
    for word in ("greylisted", "x@dest.example", "450", f"127.0.0.1]:{sink.port}"):
        assert word in why, why
    assert "greylisted" in server.ctl("why", "dest.example").stdout.decode()
    rows = server.json("queue", "list")
    assert [r["id"] for r in rows] == [msgid]
    state["open"] = True
    server.ctl("queue", "retry", msgid)
    sink.wait(1)
    server.wait_empty()


def test_operator_commands(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    server.ctl("pause")
    ids = [server.send(to=f"x{i}@dest{i % 2}.example") for i in range(4)]
    assert server.queue_figures()["total"] == 4
    server.ctl("queue", "hold", ids[0])
    assert server.queue_figures()["held"] == 1
    server.ctl("queue", "delete", ids[1])
    assert server.queue_figures()["total"] == 3
    assert server.ctl("queue", "show", "NOSUCHID", check=False).returncode != 0
    server.ctl("resume")
    sink.wait(2)
    lib.wait_for("their outcomes", lambda: server.queue_figures()["total"] == 1)
    server.ctl("queue", "undo", ids[1])
    sink.wait(3)
    server.ctl("queue", "release", ids[0])
    sink.wait(4)
    server.wait_empty()
    server.wait_log(rf"{ids[0]} held.*uid={os.getuid()}")
    server.wait_log(rf"{ids[1]} deleted.*uid={os.getuid()}")


def test_flush_a_domain(postern, hop):
    state = {"open": False}
    sink = hop(script=lambda stage, s: None if state["open"] or stage != "mail" else b"451 4.3.0 not now\r\n")
    server = postern('queue { retry = { "1h" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    for i in range(6):
        server.send(to=f"x@dest{i % 2}.example")
    lib.wait_for("all deferred", lambda: server.queue_figures()["deferred"] == 6)
    state["open"] = True
    server.ctl("flush", "dest1.example")
    sink.wait(3)
    time.sleep(0.3)                                         # the others must not come along
    assert {m[1][0] for m in sink.messages} == {"x@dest1.example"}


def test_delay_notice_and_expiry(postern, hop):
    sink = hop(script=lambda stage, s: b"451 4.3.0 not now\r\n" if stage == "mail" else None)
    server = postern('queue { retry = { "1s" } delay-notice = "2s" lifetime = "6s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send(to="x@dest.example")
    lib.wait_for("delay notice", lambda: server.maildir("alice"))
    first = server.maildir("alice")[0].read_bytes()
    assert b"Action: delayed" in first and b"Will-Retry-Until:" in first
    lib.wait_for("failure notice", lambda: len(server.maildir("alice")) == 2)
    second = next(p.read_bytes() for p in server.maildir("alice") if p.read_bytes() != first)
    assert b"Action: failed" in second and b"Status: 4." in second and b"not now" in second
    server.wait_empty()
    server.wait_log(rf"{msgid} .*expired")


def test_loop_is_cut_at_a_hundred_hops(postern):
    server = postern()
    received = b"Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        assert say_message(c, received * 99 + b"\r\nx\r\n", to=["bob@local.example"]).startswith("250")
        assert say_message(c, received * 101 + b"\r\nx\r\n", to=["bob@local.example"]).startswith("554 5.4.6")


def test_smuggling_is_refused(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n"):
        with lib.Raw(server.port) as c:
            c.say("EHLO client.example")
            c.say("MAIL FROM:<a@client.example>")
            c.say("RCPT TO:<x@dest.example>")
            c.say("DATA")
            c.send(b"Subject: x\r\n\r\nfirst" + end + b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<y@dest.example>\r\nDATA\r\n"
                   b"smuggled\r\n.\r\n")
            answer = c.reply()
            if b"\0" not in end:
                assert answer[0] == "5" and c.closed(), (end, answer)
    time.sleep(0.2)
    assert not any(m[0] == "evil@client.example" for m in sink.messages)


def test_smtplib_on_the_wire(postern):
    server = postern()
    with server.smtp() as s:
        s.ehlo()
        for word in ("pipelining", "size", "8bitmime", "enhancedstatuscodes", "limits"):
            assert s.has_extn(word), word
        assert s.esmtp_features["size"] == str(50 * 1024 * 1024)
        assert s.verify("bob")[0] == 252
        assert s.noop()[0] == 250
        assert b"EHLO" in s.help()
        s.ehlo()
        assert s.docmd("MAIL FROM:<a@client.example> SIZE=99999999999")[0] == 552
