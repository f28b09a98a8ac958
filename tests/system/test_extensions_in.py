"""What clients may ask of us: SMTPUTF8 with domains in UTF-8 from the configuration to the mailbox, DSN, and who is offered
what.  Clients: by hand, smtplib, Postfix."""
import re
import smtplib

import pytest

import lib

UTF8_CONF = ('domain "m\u00fcller.example" { deliver = "maildir:%s/%%d/%%u" recipients = { "j\u00fcrgen", "alice" } }\n'
             'relay-domain "b\u00fccher.example" { }\n')
ASCII = "xn--mller-kva.example"


def octets(text):
    "Raw.say() sends latin-1."
    return text.encode().decode("latin-1")


@pytest.fixture
def utf8(postern, folder):
    return postern(UTF8_CONF % (folder / "p0/mail") + 'queue { retry = { "1h" } }\n')


def one(client, sender, to, params=" SMTPUTF8", body=b"Subject: x\r\n\r\nx\r\n"):
    "One message; the last reply."
    for line in (f"MAIL FROM:<{sender}>{params}", f"RCPT TO:<{to}>", "DATA"):
        reply = client.say(octets(line))
        if reply[0] not in "23":
            client.say("RSET")
            return reply
    client.send(body + b".\r\n")
    return client.reply()


@pytest.mark.sanitize
def test_utf8_from_the_configuration_to_the_mailbox(utf8):
    "U-label and A-label are one domain; the local part stays as it was written."
    with lib.Raw(utf8.port) as c:
        assert "SMTPUTF8" in c.say("EHLO client.example")
        for to in ("j\u00fcrgen@m\u00fcller.example", f"j\u00fcrgen@{ASCII}", "j\u00fcrgen@M\u00dcLLER.Example",
                   '"j\u00fcrgen"@m\u00fcller.example'):
            assert one(c, "j\u00f6rg@b\u00fccher.example", to).startswith("250"), to
        assert one(c, "", "alice@m\u00fcller.example").startswith("250")
        assert one(c, "a@client.example", f"alice@{ASCII}", "").startswith("250")
        assert one(c, "a@client.example", "nobody@m\u00fcller.example").startswith("550 5.1.1")
        assert one(c, "a@client.example", "alice@m\u00fcller.example", "").startswith("553 5.6.7")
        assert one(c, "j\u00f6rg@client.example", "alice@local.example", "").startswith("550 5.6.7")
        assert one(c, "a@client.example", "alice@\ud83d\ude00\u200d.example".encode("utf-16", "surrogatepass").decode("utf-16")
                   ).startswith("501 5.1.3")
    utf8.wait_empty()
    assert len(utf8.maildir("j\u00fcrgen", ASCII)) == 4 and len(utf8.maildir("alice", ASCII)) == 2
    got = utf8.maildir("j\u00fcrgen", ASCII)[0].read_bytes()
    assert b"Return-Path: <j\xc3\xb6rg@" in got and re.search(rb"with UTF8SMTP\b|with UTF8ESMTP\b", got), got[:600]


def test_smtplib_and_its_own_utf8(utf8):
    with utf8.smtp() as s:
        s.sendmail("j\u00f6rg@client.example", ["j\u00fcrgen@m\u00fcller.example"], "Subject: gr\u00fc\u00dfe\r\n\r\nx\r\n".encode(),
                   mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        assert s.verify("alice")[0] == 252
    utf8.wait_empty()
    assert "Subject: gr\u00fc\u00dfe".encode() in utf8.maildir("j\u00fcrgen", ASCII)[0].read_bytes()


def test_etrn_and_posternctl_know_the_domain_in_both_forms(utf8):
    with lib.Raw(utf8.port) as c:
        c.say("EHLO client.example")
        assert c.say(octets("ETRN b\u00fccher.example")) == "251 2.0.0 OK, no messages waiting for node xn--bcher-kva.example"
        assert c.say("ETRN xn--bcher-kva.example").startswith("25")
        assert c.say(octets("ETRN m\u00fcller.example")).startswith("459 4.7.1")
    steps = utf8.ctl("lookup", "j\u00fcrgen@m\u00fcller.example").stdout.decode()
    assert ASCII in steps and "no such" not in steps, steps


def test_bad_names_are_refused_with_file_and_line(postern):
    server = postern('route "b\u00fccher.example" { via = "smtp:[m\u00fcller.example]:25" }\n'
                     'postmaster = "j\u00fcrgen@m\u00fcller.example"\n', start=False, hostname="m\u00fcller.example")
    assert server.ctl("check").returncode == 0
    server.write_conf('domain "a\u200db.example" { deliver = "mx" }\n')
    run = server.ctl("check", check=False)
    assert run.returncode != 0 and re.search(rb"postern.conf:\d+: ", run.stderr + run.stdout)


@pytest.mark.parametrize("relay", (True, False), ids=("relays", "stranger"))
def test_who_is_offered_what(postern, relay):
    server = postern("" if relay else 'relay-from = { "192.0.2.1" }\n')
    with server.smtp() as s:
        s.ehlo()
        for word in ("deliverby", "futurerelease", "mt-priority"):
            assert s.has_extn(word) == relay, word
        for word in ("size", "etrn", "8bitmime", "binarymime", "chunking", "smtputf8", "dsn", "limits", "help"):
            assert s.has_extn(word), word
        assert not s.has_extn("xclient") and not s.has_extn("xforward") and not s.has_extn("vrfy")
        for param in ("BY=60;R", "HOLDFOR=60", "MT-PRIORITY=1"):
            assert s.docmd("MAIL", f"FROM:<a@client.example> {param}")[0] == (250 if relay else 555)
            s.rset()
        if relay:       # the last date that is offered is taken, and a second more is not
            _, until = s.esmtp_features["futurerelease"].split()
            assert s.docmd("MAIL", f"FROM:<a@client.example> HOLDUNTIL={until}")[0] == 250
            s.rset()
            assert s.docmd("MAIL", "FROM:<a@client.example> HOLDFOR=2592001")[0] == 501


@pytest.fixture
def postfix(utf8, folder):
    if not lib.ROOT:
        pytest.skip("Postfix needs root to start")
    with lib.Postfix(folder / "postfix", extra=f"relayhost = [127.0.0.1]:{utf8.port}\nsmtp_tls_security_level = none\n"
                     "smtputf8_enable = yes\n") as peer:
        yield peer


def test_postfix_passes_on_dsn_and_utf8(utf8, postfix):
    "Postfix writes ORCPT=rfc822;j+C3+BCrgen@...: taken, as the utf-8 address that it is, and we answer for success."
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.example", timeout=60) as s:
        s.ehlo()
        s.command_encoding = "utf-8"
        assert s.mail("alice@local.example", ["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ+2B1"])[0] == 250
        assert s.rcpt("j\u00fcrgen@m\u00fcller.example", ["NOTIFY=SUCCESS,FAILURE"])[0] == 250
        assert s.data("Subject: gr\u00fc\u00dfe\r\n\r\nx\r\n".encode())[0] == 250
    lib.wait_for("the message", lambda: utf8.maildir("j\u00fcrgen", ASCII))
    notice = lib.wait_for("the notice", lambda: utf8.maildir("alice"))[0].read_bytes()
    assert b"Original-Envelope-Id: QQ+1" in notice and b"Action: delivered" in notice, notice
    assert re.search(rb"(?mi)^Original-Recipient: *utf-8; *j(\xc3\xbc|\\x\{FC\})rgen@", notice), notice
