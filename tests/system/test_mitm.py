"""A man in the middle, towards hosts elsewhere and towards our listeners: nothing goes where the policy forbids (G7)."""
import base64
import binascii
import contextlib
import hashlib
import re
import shutil
import smtplib
import ssl
import tempfile
from pathlib import Path

import pytest

import auth_kit
import certs
import lib
import scram
from mitm import Mitm, older, without
from scram import Scram
from tls_hop import TlsHop

NAME = "mx.dest.test"
LOGIN, PASSWORD = "alice@local.example", "wonder land"
HOSTS = {"may": "127.0.0.41", "encrypt": "127.0.0.42", "verify": "127.0.0.43", "fingerprint": "127.0.0.44", "dane": "127.0.0.45"}


@pytest.fixture(scope="module")
def bed():
    "An authority, the host's pair, and what a man in the middle may have; where postern-conf may read."
    folder = Path(tempfile.mkdtemp(prefix="postern."))
    folder.chmod(0o755)
    ca, other = certs.Authority(folder), certs.Authority(folder / "other")
    yield {"ca": ca, "host": ca.issue("host", NAME), "own": certs.make(folder, "own", NAME), "other": other.issue("other", NAME),
            "named": ca.issue("named", "another.example"), "expired": ca.issue("expired", NAME, days=-1)}
    shutil.rmtree(folder)


# ---- deliver -> man -> host ----

# Where a message ends: "tls" out of the man's sight, "man" under TLS that he has ended, "clear", "wait" (deferred, nothing said).
ALL_WAIT = dict.fromkeys(HOSTS, "wait")
CLEAR = ALL_WAIT | {"may": "clear"}             # what opportunistic TLS is: any TLS, else none
HIS = ALL_WAIT | {"may": "man", "encrypt": "man"}
ATTACKS = {
    "none": ({}, dict.fromkeys(HOSTS, "tls")),
    "strip": ({"ehlo": without(b"STARTTLS")}, CLEAR),
    "overwrite": ({"ehlo": lambda lines, inside: [b"XXXXXXXA" if x == b"STARTTLS" else x for x in lines]}, CLEAR),
    "454": ({"starttls": b"454 4.7.0 TLS not available\r\n"}, CLEAR),
    "500": ({"starttls": b"500 5.5.1 what\r\n"}, CLEAR),
    "drop-ehlo": ({"reply": lambda r, inside: b"502 5.5.1 no EHLO\r\n" if r.startswith(b"250-") else r}, CLEAR),
    "inject-250": ({"behind_220": b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 taken\r\n"}, CLEAR),
    "inject-ehlo": ({"behind_220": b"250-x\r\n250 AUTH PLAIN\r\n"}, CLEAR),
    "cut-0": ({"cut": 0}, CLEAR),
    "cut-1": ({"cut": 1}, CLEAR),
    "cut-2": ({"cut": 2}, CLEAR),
    "garble-1": ({"garble": 1}, CLEAR),
    "garble-2": ({"garble": 2}, CLEAR),
    "older": ({"hello": older}, CLEAR),
    "own": ({"pair": "own"}, HIS),
    "other-ca": ({"pair": "other"}, HIS),
    "other-name": ({"pair": "named"}, HIS),
    "expired": ({"pair": "expired"}, HIS),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_G7_outbound(postern, folder, bed, attack):
    "One message by each level, at two attempts or more."
    how, want = ATTACKS[attack]
    how = {k: bed[v] if k == "pair" else v for k, v in how.items()}
    host = TlsHop(bed["host"])
    man = Mitm(("127.0.0.1", host.port), **how)
    tlsa = certs.fingerprint(bed["host"][0], "spki")
    nsd = lib.Nsd(folder / "nsd", {"dest.test": f"@ MX 10 mx\nmx A {HOSTS['dane']}\n_{man.port}._tcp.mx TLSA 3 1 1 {tlsa}\n"},
                  signed=["dest.test"])
    try:
        policy = lambda level, more="": f'tls-policy "{HOSTS[level]}" {{ level = "{level}" {more} }}\n'
        server = postern(f'queue {{ retry = {{ "1s" }} }}\ndeliver {{ port = {man.port} }}\ntls-ca = "{bed["ca"].file}"\n'
                         + policy("may") + policy("encrypt") + policy("verify", f'names = {{ "{NAME}" }}')
                         + policy("fingerprint", f'fingerprints = {{ "{certs.fingerprint(bed["host"][0])}" }}')
                         + "".join(f'route "{level}.test" {{ via = "smtp:[{at}]:{man.port}" }}\n'
                                   for level, at in HOSTS.items() if level != "dane") + nsd.stub_conf(["dest.test"]))
        rcpt = {level: f"x@{level if level != 'dane' else 'dest'}.test" for level in HOSTS}
        for address in rcpt.values():
            server.send(to=address, body=f"Subject: secret of {address}\r\n\r\nhello\r\n".encode())
        for level, address in rcpt.items():
            if want[level] != "wait":
                server.wait_log(rf"rcpt=<{address}>.* status=delivered")
                continue
            line = server.wait_log(rf"rcpt=<{address}>.* status=tempfail.*", count=2)[0]
            assert "stage=tls" in line and f"TLS is required ({level}, by" in line, line
            assert re.search(r"dsn=4\.(7\.\d+|4\.2) ", line), line
        for level, address in rcpt.items():
            text, taken = address.encode(), [m for m in host.messages if address in m[1]]
            assert len(taken) == (want[level] != "wait"), (level, host.messages)
            assert (text in man.clear) == (want[level] == "clear"), (level, bytes(man.clear))
            assert (text in man.inside) == (want[level] == "man"), (level, bytes(man.inside))
            sent = re.search(rf"rcpt=<{address}>.* status=delivered.*", server.text())
            if want[level] == "tls" and level not in ("may", "encrypt"):
                assert re.search(r'tls="[^"]* verified', sent[0]), sent
            elif want[level] == "clear":
                assert ' tls="' not in sent[0], sent
            elif sent:
                assert re.search(r'tls="[^"]* unverified', sent[0]), sent
        if want["may"] == "clear" and {"cut", "garble", "hello", "behind_220"} & set(how):     # not before a later attempt, and not without a word
            assert re.search(rf"rcpt=<{rcpt['may']}>.* status=tempfail", server.text())
            server.wait_log("clear after failed TLS")
    except AssertionError:
        print(*re.findall(r".* rcpt=.*|.*tls=failed.*", server.text()), sep="\n")
        raise
    finally:
        nsd.close()
        man.close()
        host.close()


OFFER = lambda lines, inside: [x for x in lines if x != b"STARTTLS"] + [b"AUTH PLAIN LOGIN SCRAM-SHA-256"]
PASSWORD_ATTACKS = {"none": {}, "strip": {"ehlo": without(b"STARTTLS")}, "strip-offer": {"ehlo": OFFER},
                    "454": {"starttls": b"454 4.7.0 TLS not available\r\n", "ehlo": lambda lines, inside: [*lines, b"AUTH PLAIN"]},
                    "inject": {"behind_220": b"250-x\r\n250 AUTH PLAIN\r\n"}, "cut": {"cut": 2}, "older": {"hello": older},
                    "own": {"pair": "own"}, "other-ca": {"pair": "other"}, "other-name": {"pair": "named"},
                    "implicit-none": {"implicit": True}, "implicit-own": {"implicit": True, "pair": "own"},
                    "implicit-cut": {"implicit": True, "cut": 2}, "implicit-other-name": {"implicit": True, "pair": "named"}}


@pytest.mark.parametrize("attack", PASSWORD_ATTACKS)
def test_G7_our_password(postern, folder, bed, attack):
    "It goes to the verified host or nowhere, and so does the mail, at any number of attempts."
    how = {k: bed[v] if k == "pair" else v for k, v in PASSWORD_ATTACKS[attack].items()}
    implicit = bool(how.get("implicit"))
    host = TlsHop(bed["host"], implicit=implicit, users={LOGIN: PASSWORD}, mechanisms=("PLAIN", "LOGIN"))
    file = folder / "office"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    man = Mitm(("127.0.0.1", host.port), **how)
    try:
        server = postern(f'queue {{ retry = {{ "1s" }} }}\ntls-ca = "{bed["ca"].file}"\n'
                         f'login "office" {{ user = "{LOGIN}" password-file = "{file}" }}\n'
                         f'tls-policy "127.0.0.41" {{ level = "verify" names = {{ "{NAME}" }} }}\n',
                         route=f"{'smtps' if implicit else 'smtp'}:office@[127.0.0.41]:{man.port}")
        msgid = server.send(to="x@dest.example")
        if attack.endswith("none"):
            server.wait_log(rf"{msgid} rcpt=.* status=delivered")
            assert len(host.logged_in) == len(host.messages) == 1
        else:
            line = server.wait_log(rf"{msgid} rcpt=.* status=tempfail.*", count=2)[0]
            assert "stage=tls" in line and "TLS is required (verify, by" in line, line
            assert not host.logged_in and not host.messages
        seen = bytes(man.clear + man.inside)
        for secret in (PASSWORD, auth_kit.plain(LOGIN, PASSWORD), auth_kit.b64(PASSWORD), auth_kit.b64(LOGIN), "x@dest.example"):
            assert secret.encode() not in seen, (secret, seen)
    finally:
        man.close()
        host.close()


# ---- client -> man -> smtpd ----


def careless():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


@pytest.fixture
def inbound(postern, folder):
    "inbound(**attack): (server, man) with a login by SCRAM."
    men = []

    def make(more="", **attack):
        server = auth_kit.server(postern, folder / "auth", [auth_kit.scram_line(LOGIN, PASSWORD)], more=more)
        men.append(Mitm(("127.0.0.1", server.tls_port if attack.get("implicit") else server.port), host="127.0.0.1", **attack))
        return server, men[-1]
    yield make
    for man in men:
        man.close()


def client(man, starttls=True, highest=None):
    s = smtplib.SMTP("127.0.0.1", man.port, local_hostname="client.example", timeout=20 * lib.SLOW)
    if starttls:
        c = careless()
        if highest:
            c.maximum_version = highest
        assert s.starttls(context=c)[0] == 220
        s.ehlo()
    return s


def serves(server):
    "It goes on, and no handshake is left behind."
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example", timeout=20 * lib.SLOW) as s:
        assert s.starttls(context=careless())[0] == 220
        assert s.ehlo()[0] == 250


@pytest.mark.parametrize("how", [{"cut": n} for n in range(3)] + [{"garble": n} for n in range(3)] + [{"hello": older}],
                         ids=lambda how: "-".join(str(x) if isinstance(x, int) else x for kv in how.items() for x in kv if not callable(x)))
def test_handshake_inbound(inbound, how):
    "Cut or changed at each flight: it fails, is in the log, and nobody else is touched."
    server, man = inbound(**how)
    with pytest.raises((ssl.SSLError, smtplib.SMTPException, OSError)):
        with contextlib.closing(client(man)) as s:
            assert s.ehlo()[0] == 250
            raise AssertionError("a handshake through that")
    server.wait_log(r"(tls-failed|disconnect) client=127\.0\.0\.1")
    assert "tls client=127.0.0.1" not in server.text()
    serves(server)


@pytest.mark.parametrize("behind", [b"EHLO evil.example\r\n", b"MAIL FROM:<evil@local.example>\r\nRCPT TO:<bob@local.example>\r\n",
                                    b"AUTH PLAIN " + auth_kit.plain("evil", "evil").encode() + b"\r\n", b"\x16\x03\x01", b"X"],
                         ids=["ehlo", "mail", "auth", "record", "octet"])
def test_injection_inbound(inbound, behind):
    "Octets of his behind the client's STARTTLS: the session ends, nothing of them is taken up."
    server, man = inbound(behind_starttls=behind)
    with contextlib.closing(smtplib.SMTP("127.0.0.1", man.port, local_hostname="client.example", timeout=20 * lib.SLOW)) as s:
        s.ehlo()
        code, text = s.docmd("STARTTLS")
        assert code == 554 and b"behind STARTTLS" in text, (code, text)
    line = server.wait_log(r"disconnect client=127\.0\.0\.1.*starttls-pipelined.*")[0]
    assert "evil" not in server.text() and " tls=" not in line
    serves(server)


def test_nothing_stays_of_what_was_said_in_clear(inbound):
    "RFC 3207 4.2: he may have said the EHLO before STARTTLS, and MAIL as well."
    server, man = inbound(command=lambda line, inside: line if inside else line.replace(b"client.example", b"evil.example"))
    with contextlib.closing(smtplib.SMTP("127.0.0.1", man.port, local_hostname="client.example")) as s:
        s.ehlo()
        assert s.starttls(context=careless())[0] == 220
        assert s.docmd("MAIL FROM:<alice@local.example>")[0] == 503
        assert s.docmd("AUTH PLAIN " + auth_kit.plain(LOGIN, PASSWORD))[0] == 503
        s.ehlo()
        s.login(LOGIN, PASSWORD)
        s.sendmail(LOGIN, ["bob@local.example"], "Subject: x\r\n\r\nx\r\n")
    text = lib.wait_for("the message", lambda: server.maildir("bob"))[0].read_bytes()
    assert b"client.example" in text and b"evil" not in text
    assert not man.reads(PASSWORD.encode()) and not man.reads(auth_kit.plain(LOGIN, PASSWORD).encode())


def test_stripped_starttls(inbound):
    "Without TLS there is no AUTH for a client from elsewhere, and nothing to be relayed or sent as."
    server, man = inbound(more='proxy-from = { "127.0.0.1" }', ehlo=without(b"STARTTLS"),
                          before=b"PROXY TCP4 192.0.2.9 192.0.2.1 40000 587\r\n")
    with contextlib.closing(client(man, starttls=False)) as s:
        s.ehlo()
        assert not s.has_extn("starttls") and not s.has_extn("auth")
        assert s.docmd("AUTH PLAIN " + auth_kit.plain(LOGIN, PASSWORD))[0] == 538
        assert s.docmd("AUTH SCRAM-SHA-256 " + Scram(LOGIN, PASSWORD).first())[0] == 538
        assert s.docmd("MAIL FROM:<alice@local.example>")[0] == 530


def binding(s, name):
    if name == "tls-server-end-point":
        return name, hashlib.sha256(s.sock.getpeercert(True)).digest()
    return name, s.sock.get_channel_binding(name)


BINDINGS = [("tls-server-end-point", None), ("tls-server-end-point", ssl.TLSVersion.TLSv1_2), ("tls-unique", ssl.TLSVersion.TLSv1_2)]


@pytest.mark.parametrize("name, highest", BINDINGS, ids=["end-point-13", "end-point-12", "unique-12"])
def test_scram_plus(inbound, bed, name, highest):
    "Through a man who passes records on it succeeds; through one who ends TLS it fails, whatever the client may think of him."
    server, man = inbound()
    with contextlib.closing(client(man, highest=highest)) as s:
        assert "SCRAM-SHA-256-PLUS" in s.esmtp_features["auth"]
        assert scram.login(s, Scram(LOGIN, PASSWORD, binding(s, name)), plus=True)[0] == 235
    his = Mitm(("127.0.0.1", server.port), host="127.0.0.1", pair=bed["own"])
    with his, contextlib.closing(client(his, highest=highest)) as s:
        code, text = scram.login(s, Scram(LOGIN, PASSWORD, binding(s, name)), plus=True)
        assert (code, text[:5]) == (535, b"5.7.8"), (code, text)
        assert s.docmd("MAIL FROM:<alice@local.example>")[0] == 530
    server.wait_log(r"auth-failed client=127\.0\.0\.1 .*mechanism=SCRAM-SHA-256-PLUS")


def test_scram_stripped_plus(inbound, bed):
    "RFC 5802 6: he hides PLUS; a client that could have bound says so, and the server that offered it knows."
    drop = lambda lines, inside: [x.replace(b" SCRAM-SHA-256-PLUS", b"") for x in lines]
    server, man = inbound(pair=bed["own"], ehlo=drop)
    with contextlib.closing(client(man)) as s:
        assert "PLUS" not in s.esmtp_features["auth"]
        assert scram.login(s, Scram(LOGIN, PASSWORD, "y"))[0] == 535
    server.wait_log(r"auth-failed client=127\.0\.0\.1 .*mechanism=SCRAM-SHA-256 ")


def other_first(**change):
    "The server's first words of SCRAM, with other fields."
    def reply(octets, inside):
        if inside and octets.startswith(b"334 ") and len(octets) > 8:
            text = base64.b64decode(octets[4:]).decode()
            if text.startswith("r="):
                fields = dict(x.split("=", 1) for x in text.split(",")) | change
                return b"334 " + base64.b64encode(",".join(f"{k}={v}" for k, v in fields.items()).encode()) + b"\r\n"
        return octets
    return reply


@pytest.mark.parametrize("change, refused", [({"i": "1"}, True), ({"r": "AAAA"}, True), ({"s": "AAAAAAAAAAAAAAAAAAAAAA=="}, False),
                                             ({"i": "5000"}, False)], ids=["cheap", "nonce", "salt", "dear"])
def test_scram_other_first(inbound, bed, change, refused):
    "A careful client ends it where he asks for less than the RFC; one that goes on has not logged in, and he has no proof to replay."
    server, man = inbound(pair=bed["own"], reply=other_first(**change))
    with contextlib.closing(client(man)) as s:
        one = Scram(LOGIN, PASSWORD)
        if refused:
            with pytest.raises(ValueError):
                scram.login(s, one)
            assert s.docmd("*")[0] == 501
        code, _ = scram.login(s, Scram(LOGIN, PASSWORD), final=lambda c: Scram.final(one, c, careful=False))
        assert code == 535
    server.wait_log(r"auth-failed client=127\.0\.0\.1 .*mechanism=SCRAM-SHA-256 ")


def base64_of(line):
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return b""


def test_scram_replayed(inbound, bed):
    "What he read of one exchange is of no use in another: the server's nonce is new."
    server, man = inbound(pair=bed["own"])
    with contextlib.closing(client(man)) as s:
        one = Scram(LOGIN, PASSWORD)
        assert scram.login(s, one)[0] == 235
    lines = [x for x in bytes(man.inside).split(b"\r\n")]
    first = next(x for x in lines if x.startswith(b"AUTH SCRAM"))
    final = next(x for x in lines if base64_of(x).startswith(b"c="))
    with contextlib.closing(client(man)) as s:
        assert s.docmd(first.decode())[0] == 334
        assert s.docmd(final.decode())[0] == 535


def test_G7_loopback_by_dns(postern, folder, bed):
    "Loopback is what the operator wrote, not where DNS leads: our password goes there under TLS that is verified, or not at all."
    host = TlsHop(bed["own"], users={LOGIN: PASSWORD, "tls": False}, mechanisms=("PLAIN", "LOGIN"))
    man = Mitm(("127.0.0.1", host.port), ehlo=without(b"STARTTLS"))
    nsd = lib.Nsd(folder / "nsd", {"office.example": "smtp A 127.0.0.41\n"})
    file = folder / "office"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    try:
        server = postern(f'queue {{ retry = {{ "1s" }} }}\ntls-ca = "{bed["ca"].file}"\n'
                         f'login "office" {{ user = "{LOGIN}" password-file = "{file}" }}\n' + nsd.stub_conf(["office.example"]),
                         route=f"smtp:office@smtp.office.example:{man.port}")
        msgid = server.send(to="x@dest.example")
        line = server.wait_log(rf"{msgid} rcpt=.* status=(tempfail|delivered).*")[0]
        assert "stage=tls" in line and "TLS is required (verify, by login" in line, line
        assert not host.logged_in and not host.messages
        assert not any(man.reads(x.encode()) for x in (auth_kit.plain(LOGIN, PASSWORD), auth_kit.b64(PASSWORD), auth_kit.b64(LOGIN)))
    finally:
        nsd.close()
        man.close()
        host.close()
