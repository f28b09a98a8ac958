"""A next hop that keeps what it got, octet for octet, and misbehaves as told."""
import contextlib
import socket
import threading
from types import SimpleNamespace

from base import DEADLINE, free_port, wait_for


class Ended(Exception):
    "The script ends this session here."


class Hop:
    """script(stage, session) -> None for the ordinary answer, octets to answer instead, "drop", "reset"
    or "hang"; at "dot" also "accept-drop": keep the message and close without an answer.
    Stages: connect ehlo helo mail rcpt data bdat dot rset quit; the last chunk's is "dot" as well.  session has number,
    sender, rcpts, line, count, chunks."""

    def __init__(self, host="127.0.0.1", port=None, script=None, extensions=("PIPELINING", "8BITMIME", "SIZE 0")):
        self.host, self.port = host, port or free_port(host)
        self.script = script or (lambda stage, session: None)
        self.extensions = extensions
        self.messages = []          # (sender, [recipients], octets), in the order of their 250
        self.sessions = 0
        self.commands = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.server = socket.create_server((host, self.port), backlog=256, family=family)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closing.is_set():
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                number = self.sessions
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def decide(self, sock, stage, session, ordinary):
        "The answer to one stage as the script has it; Ended if there is none."
        what = self.script(stage, session)
        if what == "hang":
            self.closing.wait(300)
        if what == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if isinstance(what, str):
            raise Ended(what)
        return ordinary if what is None else what

    def play(self, sock, stage, session, ordinary):
        "Answer one stage; whether the answer was a positive one."
        octets = self.decide(sock, stage, session, ordinary)
        sock.sendall(octets)
        return octets[:1] in (b"2", b"3")

    def serve(self, sock, number):
        session = SimpleNamespace(number=number, sender=None, rcpts=[], line=b"", count=0, chunks=[])
        with sock, contextlib.suppress(OSError, Ended):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self.opened(sock, session)
            self.play(sock, "connect", session, b"220 hop.example ESMTP\r\n")
            stream = sock.makefile("rb")
            while True:
                session.line = stream.readline().rstrip(b"\r\n")
                if not session.line:
                    return
                with self.lock:
                    self.commands.append(session.line.decode("latin-1"))
                verb = session.line.split(b" ")[0].decode("latin-1").lower()
                handler = getattr(self, "do_" + verb, None)
                if handler is None:
                    sock.sendall(b"502 5.5.2 what\r\n")
                elif (swap := handler(sock, session, stream)) is not None:
                    sock, stream = swap         # under TLS from here on

    def opened(self, sock, session):
        return sock

    def offers(self, session):
        return self.extensions

    def do_ehlo(self, sock, session, stream):
        lines = ["hop.example", *self.offers(session)]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self.play(sock, "ehlo", session, "".join(f"250{m}{x}\r\n" for m, x in zip(marks, lines)).encode())

    def do_helo(self, sock, session, stream):
        self.play(sock, "helo", session, b"250 hop.example\r\n")

    def do_mail(self, sock, session, stream):
        session.sender, session.rcpts, session.chunks = self.path(session.line), [], []
        if not self.play(sock, "mail", session, b"250 2.1.0 ok\r\n"):
            session.sender = None

    def do_rcpt(self, sock, session, stream):
        if session.sender is None:
            sock.sendall(b"503 5.5.1 MAIL first\r\n")
            return
        session.rcpts.append(self.path(session.line))
        if not self.play(sock, "rcpt", session, b"250 2.1.5 ok\r\n"):
            session.rcpts.pop()

    def do_data(self, sock, session, stream):
        if not session.rcpts:
            sock.sendall(b"554 5.5.1 no valid recipients\r\n")
            return
        if not self.play(sock, "data", session, b"354 go on\r\n"):
            return
        lines = []
        while (line := stream.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line[1:] if line.startswith(b".") else line)
        self.end_of_data(sock, session, b"".join(lines))

    def do_bdat(self, sock, session, stream):
        words = session.line.split()
        octets = stream.read(int(words[1]))
        if len(octets) < int(words[1]):
            raise Ended("in a chunk")
        if not session.rcpts:
            sock.sendall(b"503 5.5.1 no valid recipients\r\n")
            return
        session.chunks.append(octets)
        if words[-1] == b"LAST":
            self.end_of_data(sock, session, b"".join(session.chunks))
            session.rcpts = []
        elif not self.play(sock, "bdat", session, b"250 2.0.0 more\r\n"):
            session.rcpts = []

    def end_of_data(self, sock, session, body):
        session.count += 1
        try:
            answer = self.decide(sock, "dot", session, b"250 2.0.0 taken\r\n")
        except Ended as how:
            if str(how) == "accept-drop":
                self.keep(session, body)
            raise
        if answer.startswith(b"2"):
            self.keep(session, body)    # before the answer: who reads of it elsewhere finds it here
        sock.sendall(answer)

    def do_rset(self, sock, session, stream):
        session.rcpts = []
        self.play(sock, "rset", session, b"250 2.0.0 ok\r\n")

    def do_quit(self, sock, session, stream):
        self.play(sock, "quit", session, b"221 2.0.0 bye\r\n")
        raise Ended("quit")

    @staticmethod
    def path(line):
        return line.split(b"<", 1)[1].split(b">")[0].decode("latin-1")

    def keep(self, session, body):
        with self.lock:
            self.messages.append((session.sender, list(session.rcpts), body))

    def wait(self, n, seconds=DEADLINE):
        wait_for(f"{n} messages at the next hop", lambda: len(self.messages) >= n, seconds)
        return self.messages

    def close(self):
        self.closing.set()
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
