"""deliver's MIME converter, judged by Python's email package: what it decodes from the converted message is what was
put into the binary one.  The converter is called as a library; test_extensions_out.py has it on its way."""
import ctypes
import email
import email.policy
import random
import subprocess

import pytest

from base import TOP

SOURCES = ["deliver/mime.c", "deliver/mime_head.c", "deliver/mime_field.c", "common/slice.c"]


class Slice(ctypes.Structure):
    _fields_ = [("p", ctypes.POINTER(ctypes.c_char)), ("n", ctypes.c_size_t)]


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    path = tmp_path_factory.mktemp("mime") / "mime.so"
    subprocess.run(["cc", "-std=c11", "-O1", "-shared", "-fPIC", "-I.", "-D_GNU_SOURCE", "-o", str(path), *SOURCES],
                   cwd=TOP, check=True)
    lib = ctypes.CDLL(str(path))
    out_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Slice)
    lib.mime_feed.argtypes = [ctypes.c_void_p, Slice]

    def run(octets, cut):
        got = []
        callback = out_type(lambda arg, s: got.append(s.p[:s.n]) or 0)
        state = ctypes.create_string_buffer(1 << 16)
        lib.mime_init(state, ctypes.c_size_t(998), callback, None)
        for at in range(0, len(octets), cut):
            piece = ctypes.create_string_buffer(octets[at:at + cut], cut)
            s = Slice(ctypes.cast(piece, ctypes.POINTER(ctypes.c_char)), len(octets[at:at + cut]))
            assert lib.mime_feed(state, s) == 0
        assert lib.mime_end(state) == 0
        return b"".join(got)
    return run


class Writer:
    "Writes a random message and remembers what its leaf parts hold."

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.leaves = []
        self.boundaries = 0

    def octets(self):
        n = self.random.choice((0, 1, 2, 3, 56, 57, 58, 500, 5000))
        alphabet = self.random.choice((bytes(range(256)), b"\r\n-=ab\0\xff"))
        return bytes(self.random.choices(alphabet, k=n)) + b"."

    def leaf(self):
        kind, label = self.random.choice((("image/png", "binary"), ("text/plain; charset=utf-8", "binary"),
                                          ("text/plain; charset=utf-8", "8bit"), ("text/plain", "7bit")))
        data = self.octets() if label == "binary" else b"lines\r\n" * self.random.randrange(3) + b"end"
        if label == "8bit":
            data += "\u00e4".encode()
        self.leaves.append(data)
        return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {label}\r\n".encode(), data

    def multipart(self, depth):
        self.boundaries += 1
        b = f"=_{self.boundaries}_{self.random.randrange(10 ** 9)}=="
        label = self.random.choice(("", "Content-Transfer-Encoding: binary\r\n"))
        body = self.random.choice((b"", b"preamble\r\n"))
        for _ in range(self.random.randrange(1, 4)):
            head, data = self.entity(depth - 1)
            body += b"--" + b.encode() + b"\r\n" + head + b"\r\n" + data + b"\r\n"
        return f'Content-Type: multipart/mixed; boundary="{b}"\r\n{label}'.encode(), body + f"--{b}--\r\n".encode()

    def inner(self, depth):
        head, data = self.entity(depth - 1)
        return (b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n",
                b"Subject: inner\r\nMIME-Version: 1.0\r\n" + head + b"\r\n" + data)

    def entity(self, depth):
        makers = [self.leaf] if depth == 0 else [self.leaf, self.multipart, self.multipart, self.inner]
        maker = self.random.choice(makers)
        return maker() if maker == self.leaf else maker(depth)

    def message(self):
        head, data = self.entity(4)
        return b"From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n" + head + b"\r\n" + data


def leaf_payloads(octets):
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    found = []
    for part in message.walk():
        assert not part.defects, part.defects
        assert part.get("Content-Transfer-Encoding", "7bit") != "binary"
        if not part.is_multipart():
            found.append(part.get_payload(decode=True))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_python_reads_what_was_written(convert, seed):
    writer = Writer(seed)
    octets = writer.message()
    converted = convert(octets, 1 + seed * 37 % 4096)
    assert all(len(line) <= 998 for line in converted.split(b"\r\n"))
    assert b"\r" not in converted.replace(b"\r\n", b"") and b"\n" not in converted.replace(b"\r\n", b"")
    strip = lambda leaf: leaf.rstrip(b"\r\n")    # a last part without a boundary behind it may gain a line end
    assert [strip(x) for x in leaf_payloads(converted)] == [strip(x) for x in writer.leaves]
