"""CHUNKING and BINARYMIME (RFC 3030) over a real connection: exact octets, the place in the stream, bounds."""
import os
import random
import re
from pathlib import Path

import pytest

import lib

LOCAL = "alice@local.example"


def start(client, to="d@dest.example", params=""):
    assert client.say(f"MAIL FROM:<{LOCAL}>{params}").startswith("250")
    assert client.say(f"RCPT TO:<{to}>").startswith("250")


def chunks(body, sizes):
    "The octets of body in BDATs of these sizes, LAST with the rest."
    out, off = b"", 0
    for n in sizes:
        piece = body[off:off + n]
        out += b"BDAT %d\r\n" % len(piece) + piece
        off += len(piece)
    return out + b"BDAT %d LAST\r\n" % (len(body) - off) + body[off:]


@pytest.mark.sanitize
def test_chunks_of_any_size_arrive_octet_for_octet(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    body = b"Subject: x\r\n\r\n" + b"".join(b".%d\r\n" % i for i in range(60000)) + b".\r\n\r\n"
    rng = random.Random(3030)
    ways = [[], [0], [1] * 50, [65536] * 4, [131072], [131071, 1, 2], [rng.randrange(9000) for _ in range(60)]]
    with lib.Raw(server.port) as c:
        assert "CHUNKING" in c.say("EHLO client.example")
        for sizes in ways:
            start(c)
            c.send(chunks(body, sizes))
            for _ in sizes:
                assert re.match(r"250 2\.0\.0 \d+ octets received", c.reply())
            assert c.reply().startswith("250 2.0.0 Ok: queued as")
        assert c.say("QUIT").startswith("221")
    got = [lib.strip_received(m[2]) for m in sink.wait(len(ways))]
    assert got == [body] * len(ways)
    server.wait_empty()


def test_a_session_in_one_write(postern, hop):
    "Every command of three messages at once, one of them refused in its midst (RFC 2920, RFC 3030 4.2)."
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    envelope = b"MAIL FROM:<%s>\r\nRCPT TO:<d@dest.example>\r\n" % LOCAL.encode()
    good = b"Subject: x\r\n\r\nbody\r\n"
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.send(envelope + chunks(good, [3, 0, 5]) +
               envelope + b"BDAT 4\r\na\nb\rBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nRSET\r\n" +
               b"BDAT 6 LAST\r\nQUIT\r\n" + envelope + b"BDAT 0\r\n" + chunks(good, []) + b"QUIT\r\n")
        codes = [c.reply()[:3] for _ in range(16)]
    assert codes == ["250"] * 6 + ["250", "250", "554", "503", "503", "503", "250", "250", "250", "250"]
    assert [lib.strip_received(m[2]) for m in sink.wait(2)] == [good] * 2
    server.wait_empty()


@pytest.mark.sanitize
def test_a_chunk_without_a_length_ends_the_session(postern):
    server = postern()
    for arg in (b"", b"x", b"-1", b"1 2", b"99999999999999999999999"):
        with lib.Raw(server.port) as c:
            c.say("EHLO client.example")
            c.send(b"BDAT " + arg + b"\r\nMAIL FROM:<smuggled@local.example>\r\nQUIT\r\n")
            assert c.reply()[:3] in ("501", "552")
            assert c.closed(), arg


def test_what_is_thrown_away_costs_no_memory(postern):
    "64 MB of one chunk that belongs to no message, beside a message of which 40 MB are too much."
    server = postern("message-size-limit = \"20M\"\n")
    pids = [pid for name, pid in server.daemons() if name.startswith(("postern-smtpd", "postern-queue"))]

    def memory():
        "Resident, KB."
        return sum(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids)
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
    before = memory()
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.send(b"BDAT 41943040 LAST\r\n")
        for _ in range(40):
            c.send(os.urandom(1 << 20))
        assert c.reply().startswith("503")
        start(c, LOCAL)
        c.send(b"BDAT 41943040 LAST\r\n")
        for _ in range(40):
            c.send(b"x" * (1 << 20))
        assert c.reply().startswith("552 5.3.4")
        assert c.say("BDAT 67108864 LAST").startswith("552 5.3.4")
        assert c.closed()
    assert memory() - before < 8192
