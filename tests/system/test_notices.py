"""Notices as a mail reader meets them: parsed by Python's email package (RFC 3464, 6522, 3834; R9, R16)."""
import email
import email.policy
import re
import time

import pytest

import lib

ONE_TRY = 'queue { retry = { "1h" } }\n'


def at(stage, what):
    return lambda s, session: what if s == stage else None


def notices(server, user="alice", n=1):
    "The notices in a mailbox, and their octets with CRLF."
    lib.wait_for(f"{n} notices", lambda: len(server.maildir(user)) >= n)
    raws = [p.read_bytes() for p in server.maildir(user)]
    found = []
    for raw in raws:
        m = email.message_from_bytes(raw, policy=email.policy.strict)
        assert not m.defects
        found.append((m, raw))
    return found


def parts(m):
    assert m.get_content_type() == "multipart/report"
    assert m.get_content_type() == "multipart/report" and m["Content-Type"].params["report-type"] == "delivery-status"
    first, second, third = m.iter_parts()
    assert [p.get_content_type() for p in (first, second, third)] == \
        ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert not any(p.defects for p in m.walk())
    blocks = second.get_payload()
    return first, blocks[0], blocks[1:], third


def check_lines(raw):
    for line in raw.split(b"\n"):
        assert len(line) <= 998, line[:80]
        assert b"\r" not in line and b"\0" not in line


def bounce(server, body=b"Subject: test\r\n\r\nhello\r\n", to="x@dest.example"):
    msgid = server.send(sender="alice@local.example", to=to, body=body)
    (m, raw), = notices(server)
    check_lines(raw)
    return msgid, m, raw


def test_structure_and_fields(postern, hop):
    sink = hop(script=lambda stage, s: (b"550-5.1.1 no such\r\n550 5.1.1 mailbox here\r\n" if s.line.startswith(b"RCPT TO:<x")
                                        else b"552 5.3.4 too big\r\n") if stage == "rcpt" else None)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid, m, raw = bounce(server, to=["x@dest.example", "y@dest.example"])
    assert m["From"].addresses[0].addr_spec == "MAILER-DAEMON@mx.local.example"
    assert [a.addr_spec for a in m["To"].addresses] == ["alice@local.example"]
    assert m["Auto-Submitted"] == "auto-replied" and m["Subject"] and m["Date"].datetime.tzinfo and m["Message-ID"]
    assert raw.startswith(b"Return-Path: <>\n")
    text, about, rcpts, header = parts(m)
    assert about["Reporting-MTA"] == "dns; mx.local.example" and about["Arrival-Date"]
    assert [r["Final-Recipient"] for r in rcpts] == ["rfc822; x@dest.example", "rfc822; y@dest.example"]
    assert [r["Status"] for r in rcpts] == ["5.1.1", "5.3.4"]
    for r, said in zip(rcpts, ("550 5.1.1 no such", "552 5.3.4 too big")):
        assert r["Action"] == "failed" and r["Last-Attempt-Date"]
        assert r["Diagnostic-Code"].startswith("smtp; " + said)
    shown = text.get_content()
    assert msgid in shown and "<x@dest.example>" in shown and "no such" in shown
    sub = email.message_from_string(header.get_payload())
    assert sub["Subject"] == "test" and sub["Received"]
    assert "hello" not in raw.decode("latin-1")             # the header only


def test_hostile_words_of_the_host_stay_words(postern, hop):
    evil = (b"550-\r\n550-Content-Type: text/html\r\n550---=_postern-0\r\n550-a\x07b\x1b[31m\xff\xfe%s%n\r\n"
            b"550 " + b"w" * 450 + b"\r\n")
    sink = hop(script=at("rcpt", evil))
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    _, m, raw = bounce(server)
    _, _, rcpts, _ = parts(m)
    assert len(rcpts) == 1 and rcpts[0]["Action"] == "failed"
    assert "text/html" not in [p.get_content_type() for p in m.walk()]
    assert b"\x1b" not in raw and b"\x07" not in raw and b"\xff" not in raw


@pytest.mark.parametrize("head", [
    b"Subject: \xc3\xa4\xc3\xb6 and \xff\xfe raw\r\nX-A: 1\r\n",
    b"Subject: a\r\nX-Long: " + b"y" * 900 + b"\r\n " + b"z" * 997 + b"\r\n",
    b"Subject: a\r\n--=_postern-0\r\nX: \x01\x02\x7f\t tab\r\n",
    b"no colon at all\r\n: empty\r\n\tfolded first\r\nSubject: late\r\n",
    b"Subject: many\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"v" * 60) for i in range(1000)),
    b"",
])
def test_hostile_headers_of_the_original(postern, hop, head):
    sink = hop(script=at("rcpt", b"550 5.1.1 no\r\n"))
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    _, m, raw = bounce(server, head + b"\r\nthe body's own words\r\n")
    _, _, rcpts, header = parts(m)
    assert len(rcpts) == 1 and b"own words" not in raw
    assert len(raw) < 2 * 16384 + 8192
    eight = any(c >= 0x80 for c in raw)
    assert eight == any(c >= 0x80 for c in head)
    # RFC 2045 6.4: what a part says of its octets its parent says too.
    wanted = "8bit" if eight else "7bit"
    assert header["Content-Transfer-Encoding"] == wanted
    assert str(m.get("Content-Transfer-Encoding", "7bit")) == wanted


def test_expiry_and_one_delay_notice(postern, hop):
    sink = hop(script=at("mail", b"451 4.7.1 greylisted\r\n"))
    server = postern('queue { retry = { "1s" } delay-notice = "2s" lifetime = "7s" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    server.send(sender="alice@local.example", to="x@dest.example")
    lib.wait_for("both notices", lambda: len(server.maildir("alice")) == 2)
    time.sleep(0.5)
    kinds = {}
    for m, raw in notices(server, n=2):
        check_lines(raw)
        _, _, (r,), _ = parts(m)
        kinds[r["Action"]] = r
    assert sorted(kinds) == ["delayed", "failed"]
    assert kinds["delayed"]["Will-Retry-Until"] and kinds["delayed"]["Status"] == "4.7.1"
    assert kinds["failed"]["Status"] == "4.4.7" and "greylisted" in kinds["failed"]["Diagnostic-Code"]


def test_R16_a_storm_of_bounces_is_paced_and_stops_nobody(postern, hop):
    "Far more failures for one sender than notices a minute: the rest stays in the queue; other mail goes on."
    sink = hop(script=lambda stage, s: b"550 5.1.1 no\r\n" if stage == "rcpt" and b"bad" in s.line else None)
    server = postern(ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    with server.smtp() as c:
        for i in range(200):
            c.sendmail("alice@local.example", f"bad{i}@dest.example", b"Subject: t\r\n\r\nx\r\n")
    lib.wait_for("some to wait", lambda: server.text().count("notice waits reason=rate") >= 80)
    for i in range(20):
        server.send(sender="bob@local.example", to=f"good{i}@dest.example")
    sink.wait(20, 10 * lib.SLOW)
    lib.wait_for("every job to end", lambda: server.queue_figures()["active"] == 0)
    figures = server.queue_figures()
    told = len(server.maildir("alice"))
    assert 60 <= told <= 120 and figures["deferred"] == figures["total"] == 200 - told
    story = server.ctl("queue", "show", re.search(r"(\w+) notice waits", server.text())[1]).stdout.decode()
    assert "5.1.1" in story
    server.stop()
    server.start()                                  # what waits is in the store
    assert server.queue_figures()["total"] == 200 - told


def test_a_postmaster_that_cannot_be_reached_ends_in_the_log(postern, hop):
    sink = hop(script=at("rcpt", b"550 5.1.1 no\r\n"))
    server = postern('postmaster = "nobody@gone.example"\n' + ONE_TRY, route=f"smtp:[127.0.0.1]:{sink.port}")
    server.send(sender="stranger@far.example", to="x@dest.example")
    server.wait_log("notice none reason=")
    server.wait_empty()
    # The message, its notice, the postmaster's copy: each refused once, then no more.
    assert server.text().count("status=permfail") == 3
    assert server.text().count(" kind=failure ") == 2
