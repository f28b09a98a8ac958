"""The header section over a real connection: what is put in, rewritten, refused, and logged."""
import re

import pytest

import lib

ENVELOPE = ("MAIL FROM:<root@old.example>", "RCPT TO:<d@dest.example>")


def give(client, message, chunk=0):
    "One transaction, by DATA or in chunks; the last reply."
    for line in ENVELOPE:
        assert client.say(line).startswith("250")
    if not chunk:
        assert client.say("DATA").startswith("354")
        client.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return client.reply()
    for off in range(0, len(message), chunk):
        piece = message[off:off + chunk]
        client.send(b"BDAT %d%s\r\n" % (len(piece), b" LAST" if off + chunk >= len(message) else b"") + piece)
        answer = client.reply()
    return answer


@pytest.mark.sanitize
def test_canonical_header_addresses_of_any_length(postern, hop):
    "The window to queue is 128K: a longer section goes as queue takes it."
    sink = hop()
    server = postern('canonical = { "@old.example @new.example" }\nsender-canonical = { "root@old.example admin@old.example" }\n',
                     route=f"smtp:[127.0.0.1]:{sink.port}")
    want = []
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        for n, body, chunk in ((1, b"\r\nx@old.example\r\n", 0), (20000, b"\r\nbody\r\n", 0), (20000, b"", 0),
                               (9000, b"\r\nbody\r\n" * 9000, 70000), (9000, b"", 1000), (7000, b"\r\n", 131072)):
            head = b"From: Root <root@old.example>\r\nTo: %sy@old.example\r\n"
            rcpts = b"".join(b"u%d@old.example,\r\n\t" % i for i in range(n))
            assert give(c, head % rcpts + body, chunk).startswith("250 2.0.0 Ok")
            want.append((head.replace(b"root@old", b"admin@new") % rcpts).replace(b"@old.", b"@new.") + body)
    got = sink.wait(len(want))
    assert [lib.strip_received(m[2]) for m in got] == want
    assert {m[0] for m in got} == {"admin@new.example"}
    server.wait_empty()


def test_mail_of_strangers_keeps_its_header(postern, hop):
    sink = hop()
    server = postern('relay-from = { "192.0.2.1" }\nrelay-domain "dest.example" { }\n'
                     'canonical = { "@old.example @new.example" }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    message = b"From: Root <root@old.example>\r\nTo: d@old.example\r\n\r\nbody\r\n"
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        assert give(c, message).startswith("250 2.0.0 Ok")
    assert lib.strip_received(sink.wait(1)[0][2]) == message
    server.wait_empty()


def test_limits_and_what_the_log_says(postern):
    server = postern("smtpd { header-size-max = 4K header-count-max = 100 line-max = 1000 }\n")
    cases = (
        (b"A: " + b"x\r\n " * 1400 + b"\r\n\r\n", "552 5.3.4", "header-size-max"),
        (b"A: b\r\n" * 101, "552 5.3.4", "header-count-max"),
        (b"\r\n" + b"x" * 999 + b"\r\n", "554 5.6.0", "line-max"),
        (b"A: \0\r\n", "550 5.6.0", "NUL"),
        (b"From: a\r\nFrom: b\r\n", "554 5.6.0", "From"),
    )
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        for message, code, word in cases:
            answer = give(c, message)
            assert answer.startswith(code) and word in answer
            server.wait_log(r" reject .*" + re.escape(answer))
        assert c.say("QUIT").startswith("221")
