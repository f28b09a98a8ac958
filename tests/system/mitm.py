"""A man in the middle: an SMTP proxy that strips, injects, cuts, changes and takes down what it can read."""
import contextlib
import re
import select
import socket
import ssl
import threading

from base import free_port
from tls_hop import context

VERSIONS = re.compile(rb"\x00\x2b(\x00.[\x02-\x0a](?:\x03[\x01-\x04])*\x03\x04(?:\x03[\x01-\x04])*)", re.S)   # supported_versions with 1.3


def without(*words):
    "For ehlo: leaves these extensions out."
    return lambda lines, inside: [x for x in lines if x.split(b" ")[0] not in words]


def older(octets):
    "For hello: the ClientHello does not speak of TLS 1.3 any more, by an extension that nobody knows."
    changed, n = VERSIONS.subn(lambda m: b"\xfa\xfa" + m[1], octets)
    assert n == 1, octets
    return changed


class Mitm:
    """Between whoever connects to port and target.  What an attack is made of:

    ehlo(lines, inside)     another list of extensions (octets, without 250 and ends of lines)
    starttls                its own answer instead of passing STARTTLS on
    behind_starttls         octets behind the client's STARTTLS, in its segment
    behind_220              octets behind the server's 220 to STARTTLS, in its segment
    cut                     n: in the handshake, the n-th run of octets in one direction (from 0) goes nowhere, and all ends
    garble                  n: one octet of it is changed
    hello(octets)           another ClientHello
    pair                    a certificate of its own: it ends TLS on both sides, and all is readable
    reply(octets, inside)   another reply of the server, command(line, inside) another line of the client; b"" drops it
    before                  octets that it says to the server first, as a PROXY header
    implicit                TLS from the first octet on

    .clear is what went through in clear, .inside what it read within TLS that it had ended; .secret whether text is in neither."""

    def __init__(self, target, host="0.0.0.0", port=None, **attack):
        self.target, self.port = target, port or free_port()
        self.attack = attack
        self.clear, self.inside = bytearray(), bytearray()
        self.connections = self.handshakes = 0
        self.closing = False
        self.socks, self.problems = set(), []
        self.server = socket.create_server((host, self.port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def __getattr__(self, name):
        return self.__dict__.get("attack", {}).get(name)

    def reads(self, text):
        return text in self.clear or text in self.inside

    def accept(self):
        while not self.closing:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.session, args=(sock,), daemon=True).start()

    def session(self, client):
        try:
            self.serve(client)
        except Exception as e:          # a fault of the proxy's own must not look like an attack that failed
            self.problems.append(repr(e))
            raise

    def serve(self, client):
        with contextlib.suppress(OSError, EOFError, ssl.SSLError), client, socket.create_connection(self.target, 20) as server:
            ends = {client, server}
            self.socks |= ends
            for s in ends:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.settimeout(60)
            if self.before:
                server.sendall(self.before)
            if self.implicit:
                client, server = self.secure(client, server)
            self.lines(client, server, bool(self.implicit))

    def lines(self, client, server, inside):
        "SMTP by the line, until TLS begins or somebody goes."
        said, asked = b"", False
        note = self.inside if inside else self.clear
        while True:
            for sock in self.ready(client, server):
                octets = sock.recv(65536)
                if not octets:
                    raise EOFError
                note += octets
                if sock is client:
                    for line in octets.splitlines(keepends=True):
                        if line.strip().upper() == b"STARTTLS":
                            if self.starttls:
                                client.sendall(self.starttls)
                                continue
                            asked = True
                            line += self.behind_starttls or b""
                        if self.command:
                            line = self.command(line, inside)
                        server.sendall(line)
                    continue
                said += octets
                while (at := self.whole(said)) is not None:
                    reply, said = said[:at], said[at:]
                    if asked and reply.startswith(b"220"):
                        client.sendall(reply + (self.behind_220 or b""))
                        client, server = self.secure(client, server)
                        return self.lines(client, server, True)
                    asked = False
                    reply = self.changed(reply, inside)
                    client.sendall(reply)

    def changed(self, reply, inside):
        lines = reply.split(b"\r\n")[:-1]
        if self.ehlo and len(lines) > 1:
            kept = [lines[0][4:], *self.ehlo([x[4:] for x in lines[1:]], inside)]
            reply = b"".join(b"250%s%s\r\n" % (b"-" if i + 1 < len(kept) else b" ", x) for i, x in enumerate(kept))
        return self.reply(reply, inside) if self.reply else reply

    @staticmethod
    def whole(octets):
        "Where the first whole reply ends."
        at = 0
        while (end := octets.find(b"\r\n", at)) != -1:
            if octets[at + 3:at + 4] != b"-":
                return end + 2
            at = end + 2
        return None

    @staticmethod
    def ready(*socks):
        waiting = [s for s in socks if isinstance(s, ssl.SSLSocket) and s.pending()]
        return waiting or select.select(socks, [], [], 60)[0]

    def secure(self, client, server):
        self.handshakes += 1
        if self.pair:
            outer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            outer.check_hostname, outer.verify_mode = False, ssl.CERT_NONE
            return context(self.pair).wrap_socket(client, server_side=True), outer.wrap_socket(server)
        self.octets(client, server)
        raise EOFError

    def octets(self, client, server):
        "Records that it cannot read."
        flight, last = -1, None
        while True:
            for sock in self.ready(client, server):
                octets = sock.recv(65536)
                if not octets:
                    return
                if sock is not last:
                    flight, last = flight + 1, sock
                if flight == 0 and self.hello:
                    octets = self.hello(octets)
                if flight == self.cut:
                    return
                if flight == self.garble:
                    at = len(octets) * 3 // 4
                    octets = octets[:at] + bytes([octets[at] ^ 0x55]) + octets[at + 1:]
                (server if sock is client else client).sendall(octets)

    def close(self):
        self.closing = True
        for s in [self.server, *self.socks]:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.server.close()
        assert not self.problems, self.problems

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
