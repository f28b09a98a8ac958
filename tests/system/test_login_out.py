"""Our own login at a next hop: mechanisms, refusals, hosts that lie, auth that goes away; where the password is never seen."""
import shutil
import threading

import pytest

import auth_kit
import lib
import peers
from test_tls_out import NAME, ONCE, SOON, at, authority, outcome, pair, policy, tls_hop, words_of   # noqa: F401

USER, PASSWORD = "us@client.example", "hunter two"
SECRETS = (PASSWORD.encode(), auth_kit.b64(f"\0{USER}\0{PASSWORD}").encode(), auth_kit.b64(PASSWORD).encode())


def write_password(folder, password=PASSWORD):
    path = folder / "office.password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def start(postern, folder, authority):
    def make(port, conf="", queue=ONCE, scheme="smtps", level="verify", password=PASSWORD):
        ca = folder / "ca.pem"
        ca.write_bytes(authority.file.read_bytes())
        ca.chmod(0o644)
        path = write_password(folder, password)
        text = policy(level, f'names = {{ "{NAME}" }}' if level == "verify" else "")
        return postern(queue + f'tls-ca = "{ca}"\nlogin "office" {{ user = "{USER}" password-file = "{path}" }}\n' + text + conf,
                       route=f"{scheme}:office@[127.0.0.1]:{port}")
    return make


def unseen(server):
    "The password is in no log, no dialogue and no list."
    octets = server.text().encode() + server.ctl("why", "dest.example", check=False).stdout
    assert not [s for s in SECRETS if s in octets]


@pytest.mark.sanitize
@pytest.mark.parametrize("mechanisms", [("PLAIN",), ("LOGIN",), ("X-FIRST", "LOGIN", "PLAIN")], ids=["plain", "login", "both"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_logged_in(start, tls_hop, pair, mechanisms, scheme):
    sink = tls_hop(pair, implicit=scheme == "smtps", users={USER: PASSWORD}, mechanisms=mechanisms)
    server = start(sink.port, scheme=scheme)
    for n in (1, 2):
        assert "verified by ca" in outcome(server, server.send(to=f"{n}@dest.example"), "delivered")
    assert len(sink.logged_in) == 1 and sink.logged_in[0][1] == USER        # once a connection
    assert sink.clear_mail == 0
    unseen(server)


def test_refused(start, tls_hop, pair):
    sink = tls_hop(pair, implicit=True, users={USER: "another"}, mechanisms=("PLAIN",))
    server = start(sink.port)
    msgid = server.send(to="x@dest.example")
    line = outcome(server, msgid)
    assert " stage=auth " in line and " dsn=4.7.8 " in line and "535" in line and "verified by ca" in line
    assert not [c for c in sink.commands if c.startswith("MAIL")]
    text = words_of(server, msgid)
    assert "AUTH PLAIN (initial response)" in text and "= TLS established: TLSv1.3" in text
    unseen(server)


@pytest.mark.parametrize("mechanisms,words", [((), "does not offer AUTH"), (("GSSAPI", "NTLM"), "no mechanism that we know"),
                                              (("EXTERNAL",), "no mechanism that will do")])
def test_not_offered(start, tls_hop, pair, mechanisms, words):
    sink = tls_hop(pair, implicit=True, users={USER: PASSWORD}, mechanisms=mechanisms)
    server = start(sink.port)
    line = outcome(server, server.send(to="x@dest.example"))
    assert " stage=auth " in line and words in line, line
    assert not sink.messages


def test_offered_in_clear_alone(start, tls_hop, pair):
    "What a host in the middle says in clear brings it no password."
    sink = tls_hop(pair, users={USER: PASSWORD, "tls": False}, mechanisms=("PLAIN",), extensions=("AUTH PLAIN",), under=())
    server = start(sink.port, scheme="smtp")
    line = outcome(server, server.send(to="x@dest.example"))
    assert "does not offer STARTTLS" in line and not sink.logged_in
    assert not [c for c in sink.commands if c.startswith("AUTH")]


@pytest.mark.parametrize("proof", [False, True])
def test_a_host_that_knows_no_password(start, tls_hop, pair, proof):
    sink = tls_hop(pair, implicit=True, users={"proof": proof}, mechanisms=("SCRAM-SHA-256",))
    server = start(sink.port)
    line = outcome(server, server.send(to="x@dest.example"))
    assert " stage=auth " in line and "has not proved that it knows the password" in line, line
    assert not [c for c in sink.commands if c.startswith("MAIL")]


@pytest.mark.parametrize("reply,words", [(b"454 4.7.0 later\r\n", "454 4.7.0 later"), (b"334 ***\r\n", "malformed"),
                                         (b"421 4.3.2 bye\r\n", "421 4.3.2 bye"), (b"250 ok\r\n", "unexpected code 250")])
def test_odd_answers(start, tls_hop, pair, reply, words):
    sink = tls_hop(pair, implicit=True, users={USER: PASSWORD}, mechanisms=("PLAIN",), script=at("auth", reply))
    server = start(sink.port)
    line = outcome(server, server.send(to="x@dest.example"))
    assert " stage=auth " in line and words in line and " status=tempfail " in line, line


def test_a_new_password_is_noticed(start, tls_hop, pair, folder):
    sink = tls_hop(pair, implicit=True, users={USER: PASSWORD}, mechanisms=("LOGIN",))
    server = start(sink.port, queue=SOON, password="the old one")
    msgid = server.send(to="x@dest.example")
    outcome(server, msgid)
    new = folder / "new"
    new.write_text(PASSWORD + "\n")
    new.chmod(0o600)
    new.rename(folder / "office.password")
    outcome(server, msgid, "delivered")


def test_auth_goes_away(start, tls_hop, pair):
    "Mail waits, the next attempt has it; nobody else is the worse for it."
    held, go_on = [], threading.Event()

    def script(stage, session):
        if stage == "ehlo" and not held:
            held.append(1)
            go_on.wait(20)
    sink = tls_hop(pair, implicit=True, users={USER: PASSWORD}, mechanisms=("LOGIN",), script=script)
    server = start(sink.port, queue=SOON)
    msgid = server.send(to="x@dest.example")
    lib.wait_for("EHLO", lambda: held)
    pid = server.kill("postern-auth")
    server.wait_log("auth has gone")
    go_on.set()
    outcome(server, msgid, "delivered")
    assert server.pid_of("postern-auth") != pid


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_at_a_postern(start, postern, folder, authority, mechanism, scheme):
    pair = [shutil.copy(path, folder) for path in authority.issue("peer", NAME)]    # where postern-conf may look
    peer = auth_kit.server(postern, folder / "peer", [auth_kit.scram_line(USER, PASSWORD)], pair=pair, more="any-sender = true",
                           auth=f'mechanisms = {{ "{mechanism}" }}',
                           conf='domain "far.example" { deliver = "maildir:%s/%%d/%%u" recipients = { "bob" } }\n' % (folder / "far"))
    server = start(peer.tls_port if scheme == "smtps" else peer.port, scheme=scheme)
    assert "verified by ca" in outcome(server, server.send(to="bob@far.example"), "delivered")
    peer.wait_log(f"mechanism={mechanism}( |$)")
    peer.wait_log("rcpt=<bob@far.example> .*status=delivered")
    assert len(list((folder / "far/far.example/bob/new").iterdir())) == 1
    unseen(server)
    unseen(peer)


@pytest.mark.skipif(not lib.ROOT, reason="a private Postfix needs root")
@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256"])
def test_at_a_postfix_with_dovecot(start, folder, authority, mechanism):
    from dovecot import Dovecot
    cert, key = authority.issue("peer", NAME)
    with Dovecot(folder / "dovecot", {USER: PASSWORD}, mechanism) as dovecot, peers.Postfix(folder / "postfix", extra=f"""
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.socket}
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
""") as postfix:
        server = start(postfix.port, scheme="smtp")
        assert "verified by ca" in outcome(server, server.send(to="bob@postfix.example"), "delivered")
        lib.wait_for("the mail", lambda: postfix.mail())
        log = (postfix.dir / "log").read_text()
        assert f"sasl_method={mechanism.upper()}, sasl_username={USER}" in log
