"""DSN (RFC 3461, 3464, 6533): who is told what, by whom, parsed with Python's email package; Postfix and aiosmtpd as
next hops."""
import email
import email.policy
import re

import pytest

import base
import lib
import peers

ONE_TRY = 'queue { retry = { "1h" } }\n'
SENDER = "alice@local.example"
BODY = b"Subject: test\r\nX-Mark: 1\r\n\r\nthe body\r\n"
DSN_HOP = ("PIPELINING", "8BITMIME", "SIZE 0", "DSN", "ENHANCEDSTATUSCODES")


def submit(server, to, mail=(), sender=SENDER, body=BODY):
    "to: [(address, [RCPT parameters])]; the queue ID."
    with server.smtp() as s:
        s.ehlo()
        code, text = s.mail(sender, list(mail))
        assert code == 250, (code, text)
        for address, options in to:
            code, text = s.rcpt(address, list(options))
            assert code == 250, (code, text)
        code, text = s.data(body)
        assert code == 250, (code, text)
        return re.search(rb"queued as (\w+)", text)[1].decode()


class Report:
    def __init__(self, raw):
        self.raw = raw
        m = self.message = email.message_from_bytes(raw, policy=email.policy.default)
        assert m.get_content_type() == "multipart/report" and m["Content-Type"].params["report-type"] == "delivery-status"
        self.text, self.status, self.original = m.iter_parts()
        self.status_type = self.status.get_content_type()
        if self.status_type == "message/delivery-status":
            blocks = self.status.get_payload()
        else:                       # Python knows no global ones: their octets are fields all the same
            octets = raw.split(b"Content-Type: message/global-delivery-status", 1)[1].split(b"\n\n", 1)[1]
            octets = octets.split(b"\n--=_postern", 1)[0]
            blocks = [dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line)
                      for block in octets.split(b"\n\n") if block.strip()]
        self.about, self.rcpts = blocks[0], blocks[1:]

    def actions(self):
        return {r["Final-Recipient"]: r["Action"] for r in self.rcpts}


def reports(server, n=1, user="alice"):
    lib.wait_for(f"{n} notices for {user}", lambda: len(server.maildir(user)) >= n)
    return [Report(p.read_bytes()) for p in server.maildir(user)]


def silence(server, msgid):
    "The message is over, and nobody was told."
    server.wait_log(f"{msgid} removed")
    server.wait_empty()
    assert " notice id=" not in server.text()
    assert not server.maildir("alice")


def test_delivered(postern):
    server = postern()
    msgid = submit(server, [("bob@local.example", ["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob+2Bold@old.example"]),
                            ("carol@local.example", [])], ["ENVID=QQ+2B314159", "RET=HDRS"])
    report, = reports(server)
    assert report.about["Original-Envelope-Id"] == "QQ+314159"
    assert report.about["Reporting-MTA"] == "dns; mx.local.example" and report.about["Arrival-Date"]
    rcpt, = report.rcpts
    assert rcpt["Original-Recipient"] == "rfc822;Bob+old@old.example"
    assert rcpt["Final-Recipient"] == "rfc822; bob@local.example"
    assert rcpt["Action"] == "delivered" and rcpt["Status"].startswith("2.")
    assert report.message["Subject"] == "Mail delivered" and report.message["Auto-Submitted"] == "auto-replied"
    assert "X-Mark: 1" in report.original.as_string() and "the body" not in report.raw.decode()
    server.wait_log(rf"{msgid} notice id=\w+ kind=success to=<alice@local.example> nrcpt=1")
    server.wait_empty()
    assert len(server.maildir("alice")) == 1 and len(server.maildir("carol")) == 1


@pytest.mark.parametrize("to,notify", [
    ("bob@local.example", "NEVER"), ("bob@local.example", "FAILURE,DELAY"), ("bob@local.example", None),
    ("x@dest.example", "NEVER"), ("x@dest.example", "FAILURE"), ("x@dest.example", None),
])
def test_success_nobody_asked_for(postern, hop, to, notify):
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{hop().port}")
    silence(server, submit(server, [(to, [f"NOTIFY={notify}"] if notify else [])]))


def test_relayed_where_the_next_hop_knows_no_dsn(postern, hop):
    sink = hop()
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    submit(server, [("x@dest.example", ["NOTIFY=SUCCESS,FAILURE"]), ("y@dest.example", [])], ["ENVID=e1"])
    report, = reports(server)
    assert report.actions() == {"rfc822; x@dest.example": "relayed"}
    rcpt = report.rcpts[0]
    assert rcpt["Status"].startswith("2.") and rcpt["Diagnostic-Code"].startswith("smtp; 250")
    assert report.message["Subject"] == "Mail relayed"
    assert not any("NOTIFY" in c or "ENVID" in c or "RET=" in c for c in sink.commands)
    server.wait_empty()


def test_passed_on_where_the_next_hop_knows_dsn(postern, hop):
    sink = hop(extensions=DSN_HOP)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;a+2Bb@c.example"]),
                            ("y@dest.example", [])], ["RET=FULL", "ENVID=e+2B1"])
    silence(server, msgid)
    mail = next(c for c in sink.commands if c.startswith("MAIL"))
    assert "RET=FULL" in mail and "ENVID=e+2B1" in mail
    one, other = [c for c in sink.commands if c.startswith("RCPT")]
    assert "NOTIFY=SUCCESS,DELAY" in one and "ORCPT=rfc822;a+2Bb@c.example" in one
    assert "NOTIFY" not in other


@pytest.mark.skipif(not base.ROOT, reason="Postfix needs root to start")
def test_postfix_answers_for_what_it_took(postern, folder):
    server = postern(ONE_TRY + 'relay-from = { "127.0.0.0/8" }\n', start=False)
    peer = peers.Postfix(folder / "postfix", extra=f"relayhost = [127.0.0.1]:{server.port}\n")
    try:
        server.write_conf(ONE_TRY + f'route "postfix.example" {{ via = "smtp:[127.0.0.1]:{peer.port}" }}\n')
        server.start()
        submit(server, [("x@postfix.example", ["NOTIFY=SUCCESS", "ORCPT=rfc822;was@old.example"])], ["ENVID=E7"])
        report, = reports(server)
        assert report.about["Reporting-MTA"] == "dns; mail.postfix.example"
        assert report.about["Original-Envelope-Id"] == "E7"
        assert report.rcpts[0]["Original-Recipient"] == "rfc822; was@old.example" or \
            report.rcpts[0]["Original-Recipient"] == "rfc822;was@old.example"
        assert report.rcpts[0]["Action"] == "delivered"
        assert "kind=success" not in server.text()
    finally:
        peer.close()


def test_relayed_to_aiosmtpd(postern):
    from aiosmtpd.controller import Controller

    class Sink:
        got = []

        async def handle_DATA(self, server, session, envelope):
            self.got.append((envelope.mail_from, envelope.rcpt_tos))
            return "250 2.0.0 taken"

    port = lib.free_port()
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{port}")
        submit(server, [("x@dest.example", ["NOTIFY=SUCCESS"])])
        report, = reports(server)
        assert report.actions() == {"rfc822; x@dest.example": "relayed"}
        assert sink.got == [(SENDER, ["x@dest.example"])]
    finally:
        controller.stop()


@pytest.mark.parametrize("notify,told", [(None, 1), ("FAILURE", 1), ("SUCCESS,FAILURE", 1), ("SUCCESS", 0), ("DELAY", 0),
                                         ("NEVER", 0)])
def test_failure(postern, hop, notify, told):
    sink = hop(script=lambda stage, s: b"550 5.1.1 nobody here\r\n" if stage == "rcpt" else None)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", [f"NOTIFY={notify}"] if notify else [])])
    if told:
        report, = reports(server)
        assert report.actions() == {"rfc822; x@dest.example": "failed"}
    else:
        silence(server, msgid)
        assert f"{msgid} notice none reason=\"notify=never\"" in server.text()


@pytest.mark.parametrize("notify,told", [(None, 1), ("DELAY", 1), ("SUCCESS,FAILURE", 0), ("NEVER", 0)])
def test_delay(postern, hop, notify, told):
    sink = hop(script=lambda stage, s: b"450 4.2.1 busy\r\n" if stage == "rcpt" else None)
    server = postern('queue { retry = { "1s" } delay-notice = "2s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", [f"NOTIFY={notify}"] if notify else [])])
    server.wait_log(rf"{msgid} .*status=tempfail", count=6)
    if told:
        report, = reports(server)
        assert report.actions() == {"rfc822; x@dest.example": "delayed"} and report.rcpts[0]["Will-Retry-Until"]
    assert len(server.maildir("alice")) == told


@pytest.mark.parametrize("ret,size,full", [("FULL", 100, True), ("HDRS", 100, False), (None, 100, False),
                                           ("FULL", 100000, True), ("FULL", 200000, False)])
def test_what_comes_back(postern, hop, ret, size, full):
    sink = hop(script=lambda stage, s: b"550 5.1.1 nobody here\r\n" if stage == "rcpt" else None)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    body = b"Subject: test\r\nX-Mark: 1\r\n\r\n" + b"the body of it\r\n" * (size // 16) + b"its end\r\n"
    submit(server, [("x@dest.example", [])], [f"RET={ret}"] if ret else [], body=body)
    report, = reports(server)
    assert report.original.get_content_type() == ("message/rfc822" if full else "text/rfc822-headers")
    assert ("its end" in report.raw.decode()) == full
    if full:
        inner = report.original.get_payload(0)
        assert inner["X-Mark"] == "1" and inner["Received"]
        assert inner.get_payload().replace("\n", "\r\n").encode() == body.split(b"\r\n\r\n", 1)[1]


def test_a_null_sender_is_told_nothing(postern, hop):
    sink = hop()
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = submit(server, [("x@dest.example", ["NOTIFY=SUCCESS,FAILURE,DELAY"])], sender="")
    silence(server, msgid)


ALIASES = ('domain "lists.example" { deliver = "maildir:%s/%%d/%%u" recipients = { "dora" }\n'
           '  aliases = { "one: bob@local.example", "team: bob@local.example, carol@local.example, x@dest.example",\n'
           '              "list: bob@local.example, x@dest.example", "owner-list: carol@local.example" } }\n')


@pytest.fixture
def aliased(postern, hop):
    def make(script=None):
        sink = hop(script=script, extensions=DSN_HOP)
        server = postern(start=False, route=f"smtp:[127.0.0.1]:{sink.port}")
        server.write_conf(ONE_TRY + ALIASES % server.mail)
        return server.start(), sink
    return make


def test_an_alias_of_several_is_expanded(aliased):
    server, sink = aliased()
    submit(server, [("team@lists.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;team@lists.example"])],
           ["ENVID=e9", "RET=HDRS"])
    report, = reports(server)
    assert report.actions() == {"rfc822; team@lists.example": "expanded"}
    assert report.about["Original-Envelope-Id"] == "e9"
    assert report.rcpts[0]["Original-Recipient"] == "rfc822;team@lists.example"
    sink.wait(1)
    # RFC 3461 5.2.7.3 c: all but SUCCESS goes on.
    rcpt = next(c for c in sink.commands if c.startswith("RCPT"))
    assert "NOTIFY=FAILURE" in rcpt and "SUCCESS" not in rcpt and "ORCPT=rfc822;team@lists.example" in rcpt
    assert "ENVID=e9" in next(c for c in sink.commands if c.startswith("MAIL"))
    server.wait_empty()
    assert len(server.maildir("bob")) == 1 and len(server.maildir("carol")) == 1 and len(server.maildir("alice")) == 1


def test_an_alias_of_one_is_not(aliased):
    server, _ = aliased()
    submit(server, [("one@lists.example", ["NOTIFY=SUCCESS"])])
    report, = reports(server)
    assert report.actions() == {"rfc822; bob@local.example": "delivered"}


def test_a_list_is_delivered_and_its_owner_hears_of_its_members(aliased):
    server, sink = aliased(lambda stage, s: b"550 5.1.1 gone\r\n" if stage == "rcpt" else None)
    submit(server, [("list@lists.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;list@lists.example"])],
           ["ENVID=e9", "RET=FULL"])
    report, = reports(server)
    assert report.actions() == {"rfc822; list@lists.example": "delivered"}
    owner, = reports(server, user="carol")
    assert owner.actions() == {"rfc822; x@dest.example": "failed"}
    assert "Original-Envelope-Id" not in owner.about
    mail = next(c for c in sink.commands if c.startswith("MAIL"))
    assert "ENVID" not in mail and "RET" not in mail and "owner-list@lists.example" in mail
    server.wait_empty()
    assert len(server.maildir("alice")) == 1


def test_utf8_addresses_are_told_in_utf8(postern, hop):
    sink = hop()                    # no SMTPUTF8
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    body = "Subject: gr\u00fc\u00dfe\r\n\r\nhello\r\n".encode()
    submit(server, [("j\u00f6rg@dest.example", ["ORCPT=utf-8;j\\x{F6}rg@dest.example"])], ["SMTPUTF8"], body=body)
    report, = reports(server)
    assert report.status_type == "message/global-delivery-status"
    rcpt, = report.rcpts
    assert rcpt["Final-Recipient"] == "utf-8; j\u00f6rg@dest.example"
    assert rcpt["Original-Recipient"] == "utf-8; j\u00f6rg@dest.example"
    assert rcpt["Status"] in ("5.6.7", "5.6.9") and rcpt["Action"] == "failed"     # the address; the header
    assert report.original.get_content_type() == "message/global-headers"
    # RFC 6533 4.5: nobody knows whether the way back to an ASCII address knows SMTPUTF8.
    assert report.original["Content-Transfer-Encoding"] == "base64"
    assert "j\u00f6rg@dest.example" in report.text.get_content()


@pytest.mark.sanitize
def test_a_notice_is_owed_over_a_crash(postern):
    "The outcome and its notice are one transaction: killed at any moment there is one notice, not none, not two."
    server = postern()
    for _ in range(5):
        pid = server.pid_of("postern-queue")
        submit(server, [("bob@local.example", ["NOTIFY=SUCCESS"])])
        server.kill("postern-queue")
        lib.wait_for("another queue", lambda: server.pid_of("postern-queue") not in (None, pid) and server.all_ready())
    lib.wait_for("notices", lambda: len(server.maildir("alice")) >= 5)
    server.wait_empty()
    assert len(server.maildir("alice")) == 5 and len(server.maildir("bob")) == 5
