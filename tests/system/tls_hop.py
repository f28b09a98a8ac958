"""A next hop with STARTTLS or implicit TLS, and what can go wrong around it."""
import base64
import contextlib
import ssl

from hop import Ended, Hop


def context(pair, lowest=None, highest=None, ciphers=None, tickets=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        c.set_ciphers(ciphers)          # with @SECLEVEL=0: before a weak certificate is looked at
    c.load_cert_chain(*map(str, pair))
    if lowest:
        c.minimum_version = lowest
    if highest:
        c.maximum_version = highest
    if tickets is not None:
        c.num_tickets = tickets
    return c


class TlsHop(Hop):
    """Stages beside Hop's: starttls (octets instead of 220, "drop", "reset", "hang") and auth, answer to a whole exchange.
    flight: (n, cut): of the n-th thing the server says in the handshake (from 0) only cut octets, then the end.
    garbage: octets in clear behind the 220, in the same segment or (with apart) after it.
    users: {login: password} for AUTH PLAIN and LOGIN; SCRAM-SHA-256 is one who knows no password.  AUTH is offered under TLS
    alone, unless users has "tls": False."""

    def __init__(self, pair, *args, implicit=False, flight=None, garbage=b"", apart=False, users=None, mechanisms=(),
                 under=None, **kw):
        self.context = pair if isinstance(pair, ssl.SSLContext) else context(pair)
        self.implicit, self.flight, self.garbage, self.apart = implicit, flight, garbage, apart
        self.users, self.mechanisms = users or {}, tuple(mechanisms)
        self.under = under              # extensions under TLS; None: the same
        self.names = []                 # SNI of each handshake that was finished
        self.secure = []                # (version, cipher, resumed)
        self.failures = []              # handshakes that were not
        self.clear_mail = 0             # MAIL commands in clear
        self.logged_in = []
        self.context.sni_callback = lambda sock, name, ctx: self.names.append(name)
        super().__init__(*args, **kw)

    def offers(self, session):
        tls = getattr(session, "tls", False)
        found = tuple(self.extensions) if not tls or self.under is None else tuple(self.under)
        if not tls and self.under is None:
            found += ("STARTTLS",)
        if self.mechanisms and (tls or self.users.get("tls") is False):
            found += ("AUTH " + " ".join(self.mechanisms),)
        return found

    def shake(self, sock, session):
        session.tls = False
        try:
            if self.flight:
                self.cut_short(sock)
            sock = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=True)
        except (OSError, ssl.SSLError) as e:
            with self.lock:
                self.failures.append(str(e))
            raise Ended("handshake") from e
        session.tls = True
        with self.lock:
            self.secure.append((sock.version(), sock.cipher()[0], sock.session_reused))
        return sock

    def cut_short(self, sock):
        which, cut = self.flight
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        obj = self.context.wrap_bio(come, go, server_side=True)
        said = 0
        while True:
            done = False
            with contextlib.suppress(ssl.SSLWantReadError):
                obj.do_handshake()
                done = True
            octets = go.read()
            if octets:
                if said == which:
                    sock.sendall(octets[:cut])
                    raise Ended("in the handshake")
                sock.sendall(octets)
                said += 1
            if done:
                raise Ended("behind the handshake")
            if not (octets := sock.recv(65536)):
                raise Ended("eof in the handshake")
            come.write(octets)

    def opened(self, sock, session):
        session.tls = False
        return self.shake(sock, session) if self.implicit else sock

    def do_starttls(self, sock, session, stream):
        octets = self.decide(sock, "starttls", session, b"220 2.0.0 go ahead\r\n")
        if not self.apart:
            octets += self.garbage
        sock.sendall(octets)
        if not octets.startswith(b"220"):
            return None
        if self.apart:
            sock.sendall(self.garbage)
        sock = self.shake(sock, session)
        return sock, sock.makefile("rb")

    def do_mail(self, sock, session, stream):
        if not getattr(session, "tls", False):
            with self.lock:
                self.clear_mail += 1
        super().do_mail(sock, session, stream)

    def do_auth(self, sock, session, stream):
        words = session.line.decode("latin-1").split(" ")
        if (octets := self.script("auth", session)) is not None:
            sock.sendall(octets)
            return
        ask = lambda text: (sock.sendall(b"334 " + base64.b64encode(text) + b"\r\n"), stream.readline().rstrip(b"\r\n"))[1]
        if words[1] == "SCRAM-SHA-256":         # it does not know the password, and would like to be believed all the same
            nonce = base64.b64decode(words[2]).decode().split("r=")[1]
            ask(f"r={nonce}more,s={base64.b64encode(b'salt' * 4).decode()},i=4096".encode())
            if self.users.get("proof"):
                ask(b"v=" + base64.b64encode(b"x" * 32))
            sock.sendall(b"235 2.7.0 ok\r\n")
            return
        if words[1] == "PLAIN":
            answer = words[2].encode() if len(words) > 2 else ask(b"")
            _, user, password = base64.b64decode(answer).split(b"\0")
        else:
            user = base64.b64decode(words[2]) if len(words) > 2 else base64.b64decode(ask(b"Username:"))
            password = base64.b64decode(ask(b"Password:"))
        good = self.users.get(user.decode()) == password.decode()
        if good:
            with self.lock:
                self.logged_in.append((words[1], user.decode()))
        sock.sendall(b"235 2.7.0 ok\r\n" if good else b"535 5.7.8 no\r\n")
