"""AUTH with real clients: mechanisms, both kinds of TLS, certificates, senders, failures, and auth that dies."""
import hashlib
import json
import re
import shutil
import smtplib
import ssl
import subprocess
import time

import pytest

import auth_kit as kit
import certs
import lib
from test_clients import NODE_PATH, run

PASSWORD = "a secret, with blanks"
LETTER = b"From: <alice@local.example>\r\nTo: <bob@local.example>\r\nSubject: x\r\n\r\nhello\r\n"


def context(pair=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if pair:
        c.load_cert_chain(*pair)
    return c


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return certs.make(tmp_path_factory.mktemp("pair"), "pair", kit.NAME, "rsa")


@pytest.fixture
def start(postern, folder, pair):
    def make(**kw):
        mine = folder / "auth"
        mine.mkdir()
        here = tuple(shutil.copy(path, mine) for path in pair)
        lines = kw.pop("lines", [kit.scram_line("alice", PASSWORD), kit.crypt_line("carol", PASSWORD), "dave@local.example:!"])
        return kit.server(postern, mine, lines, pair=here, **kw)
    return make


def client(server, kind, source=None, pair=None):
    "smtplib, greeted, under TLS."
    if kind == "implicit":
        s = smtplib.SMTP_SSL("127.0.0.1", server.tls_port, "client.example", context=context(pair), timeout=30 * lib.SLOW,
                             source_address=(source, 0) if source else None)
    else:
        s = smtplib.SMTP("127.0.0.1", server.port, "client.example", timeout=30 * lib.SLOW,
                         source_address=(source, 0) if source else None)
        s.starttls(context=context(pair))
    s.ehlo()
    return s


def arrived(server, subject=b"Subject: x", user="bob"):
    return lib.wait_for("the message", lambda: [p for p in server.maildir(user) if subject in p.read_bytes()])[0].read_bytes()


# ---- clients ----

def by_smtplib(server, kind, mechanism, letter):
    with client(server, kind) as s:
        s.user, s.password = "alice", PASSWORD
        how = {"PLAIN": s.auth_plain, "LOGIN": s.auth_login}[mechanism]
        assert s.auth(mechanism, how, initial_response_ok=kind == "implicit")[0] == 235
        assert s.docmd("AUTH", "PLAIN")[0] == 503
        s.sendmail("alice@local.example", ["bob@local.example"], letter)


def by_swaks(server, kind, mechanism, letter):
    port, tls = (server.tls_port, "--tlsc") if kind == "implicit" else (server.port, "--tls")
    r = run(["swaks", "--server", f"127.0.0.1:{port}", tls, "--auth", mechanism, "--auth-user", "alice", "--auth-password", PASSWORD,
             "--from", "alice@local.example", "--to", "bob@local.example", "--data", f"@{letter}", "--suppress-data"])
    assert r.returncode == 0, r.stdout + r.stderr


def by_msmtp(server, kind, mechanism, letter, more=(), login="alice"):
    port, start = (server.tls_port, "off") if kind == "implicit" else (server.port, "on")
    r = run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=on", f"--tls-starttls={start}",
             "--tls-certcheck=off", f"--auth={mechanism.lower()}", f"--user={login}", f"--passwordeval=printf %s '{PASSWORD}'",
             *more, f"--from={login if '@' in login else login + '@local.example'}", "--", "bob@local.example"], stdin=letter)
    assert r.returncode == 0, r.stdout + r.stderr


def by_curl(server, kind, mechanism, letter):
    url = f"smtps://127.0.0.1:{server.tls_port}" if kind == "implicit" else f"smtp://127.0.0.1:{server.port}"
    r = run(["curl", "--silent", "--show-error", "--noproxy", "*", url + "/client.example", "--ssl-reqd", "--insecure",
             "--user", f"alice:{PASSWORD}", "--login-options", f"AUTH={mechanism}", "--mail-from", "alice@local.example",
             "--mail-rcpt", "bob@local.example", "--upload-file", letter])
    assert r.returncode == 0, r.stdout + r.stderr


NODE = """
const m = JSON.parse(process.argv[1]);
require('nodemailer').createTransport({ host: '127.0.0.1', port: m.port, name: 'client.example', secure: m.secure, requireTLS: true,
    tls: { rejectUnauthorized: false }, auth: { user: 'alice', pass: m.password }, authMethod: m.mechanism })
    .sendMail({ envelope: { from: 'alice@local.example', to: 'bob@local.example' }, raw: require('fs').readFileSync(m.file) },
    (error, info) => { if (error) { console.error(error.message); process.exit(1); } console.log(info.response); });
"""


def by_nodemailer(server, kind, mechanism, letter):
    if shutil.which("node") and run(["node", "-e", "require('nodemailer')"], NODE_PATH=NODE_PATH).returncode:
        pytest.skip("nodemailer is not installed here (.ci/deps test)")
    arg = json.dumps({"port": server.tls_port if kind == "implicit" else server.port, "secure": kind == "implicit",
                      "password": PASSWORD, "mechanism": mechanism, "file": letter})
    r = run(["node", "-e", NODE, arg], NODE_PATH=NODE_PATH)
    assert r.returncode == 0, r.stdout + r.stderr


CLIENTS = [(by_smtplib, "PLAIN"), (by_smtplib, "LOGIN"), (by_swaks, "PLAIN"), (by_swaks, "LOGIN"), (by_msmtp, "PLAIN"),
           (by_msmtp, "LOGIN"), (by_msmtp, "SCRAM-SHA-256"), (by_curl, "PLAIN"), (by_curl, "LOGIN"), (by_nodemailer, "PLAIN"),
           (by_nodemailer, "LOGIN")]


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
def test_clients(start, folder, kind):
    "Each logs in, and its message says so: ESMTPSA in Received, login= in the log."
    server = start()
    skipped = []
    for n, (send, mechanism) in enumerate(CLIENTS):
        subject = f"Subject: {send.__name__} {mechanism} {n}".encode()
        letter = folder / "letter"
        letter.write_bytes(LETTER.replace(b"Subject: x", subject))
        try:
            send(server, kind, mechanism, letter.read_bytes() if send is by_smtplib else str(letter))
        except pytest.skip.Exception as e:
            skipped.append(str(e))
            continue
        body = arrived(server, subject)
        assert b"with ESMTPSA id" in body and b"alice" not in body.split(b"\r\nFrom:")[0].replace(b"\n", b"\r\n").split(b"Date:")[0].split(
            b"Delivered-To:")[0].replace(b"Return-Path: <alice@local.example>", b""), body
        server.wait_log(rf'auth client=127\.0\.0\.1 port=\d+ listener=\w+ session=\w+ mechanism={mechanism} login="alice" tls=yes')
    server.wait_log(r"accepted .* login=alice", count=len(CLIENTS) - len(skipped))
    assert PASSWORD not in server.text() and kit.plain("alice", PASSWORD) not in server.text()
    if skipped:
        pytest.skip("; ".join(sorted(set(skipped))))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_wrong_password(start, mechanism):
    "535 for a wrong password, an unknown login and one without a password; a line each that names client and login."
    server = start()
    for n, login in enumerate(("alice", "carol", "nobody", "dave@local.example")):
        with client(server, "starttls", source=f"127.0.1.{n + 1}") as s:
            with pytest.raises(smtplib.SMTPAuthenticationError) as e:
                s.user, s.password = login, "wrong"
                s.auth(mechanism, {"PLAIN": s.auth_plain, "LOGIN": s.auth_login}[mechanism])
            assert (e.value.smtp_code, e.value.smtp_error) == (535, b"5.7.8 authentication failed")
            assert s.mail("alice@local.example")[0] == 530
        server.wait_log(rf'auth-failed client=127\.0\.1\.{n + 1} port=\d+ listener=submission session=\w+ mechanism={mechanism} '
                        rf'login="{login}" reason="authentication failed"')


def test_hostile_login(start):
    "A login that wants to be a log line."
    server = start()
    with client(server, "starttls") as s:
        for login in ('x" reason="" auth-failed client=192.0.2.1', "x\r\nauth-failed client=192.0.2.1", "x\x1b[2J\\"):
            s.docmd("AUTH", "PLAIN " + kit.plain(login, "p"))
    server.wait_log("disconnect")
    assert not re.search(r"^\S+ postern-smtpd\[\d+\]: auth-failed client=192", server.text(), re.M)
    assert not re.search(r'auth-failed client=127\.0\.0\.1 [^"]*login="[^"\\]*" reason="" ', server.text())


# ---- what is offered where ----

def offered(s):
    return set(s.esmtp_features.get("auth", "").split())


def test_offers(start):
    server = start()
    with smtplib.SMTP("127.0.0.1", server.clear_port, "client.example") as s:
        s.ehlo()
        assert offered(s) == {"PLAIN", "LOGIN", "SCRAM-SHA-256"}
    for kind in ("starttls", "implicit"):
        with client(server, kind) as s:
            assert offered(s) == {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}
            assert s.docmd("AUTH", "EXTERNAL =")[0] == 504
            assert s.mail("alice@local.example") == (530, b"5.7.0 authentication required")
            assert s.vrfy("alice")[0] == 530
    with smtplib.SMTP("127.0.0.1", server.mx_port, "client.example") as s:
        s.ehlo()
        assert not offered(s) and s.docmd("AUTH", "PLAIN")[0] == 503
        assert s.mail("alice@local.example")[0] == 250


def test_relay_needs_login(start, hop):
    "Who has said who he is may send anywhere; on the other listeners nobody may."
    next_hop = hop()
    server = start(conf=f'route "*" {{ via = "smtp:[127.0.0.1]:{next_hop.port}" }}\n')
    with smtplib.SMTP("127.0.0.1", server.mx_port, "client.example") as s:
        s.ehlo()
        s.mail("alice@local.example")
        assert s.rcpt("x@elsewhere.example")[0] == 550
    with client(server, "implicit") as s:
        s.login("alice", PASSWORD)
        s.ehlo()
        assert s.has_extn("mt-priority") and not s.has_extn("auth")
        s.sendmail("alice@local.example", ["x@elsewhere.example"], b"Subject: out\r\n\r\nx\r\n", mail_options=["AUTH=<>"])
    server.wait_log(r'auth-parameter client=127\.0\.0\.1 session=\w+ value="<>"')
    server.wait_empty()
    next_hop.wait(1)
    body = next_hop.messages[0][2]
    assert re.search(rb"\r\nDate: .*\r\nMessage-ID: <\w+\.\w+@mx\.local\.example>\r\n\r\n", body), body


def test_sender(start):
    "A login's own addresses, those that sender-login gives it, and no other; on a listener with any-sender all but others'."
    conf = 'sender-login = { "team@local.example alice, carol", "boss@local.example carol" }\n'
    server = start(conf=conf)
    taken = ("alice@local.example", "Alice@LOCAL.example", "team@local.example", "")
    refused = ("boss@local.example", "carol@local.example", "alice@elsewhere.example", "x@elsewhere.example")
    with client(server, "starttls") as s:
        s.login("alice", PASSWORD)
        for sender in taken + refused:
            assert s.mail(sender)[0] == (250 if sender in taken else 553), sender
            s.rset()
    server.wait_log(r'reject .* verb=MAIL args="FROM:<boss@local.example>.*" reply="553 5.7.1 ')


def test_any_sender(start):
    server = start(more="any-sender = true", conf='sender-login = { "boss@local.example carol" }\n')
    with client(server, "starttls") as s:
        s.login("alice", PASSWORD)
        for sender, code in (("x@elsewhere.example", 250), ("boss@local.example", 553)):
            assert s.mail(sender)[0] == code
            s.rset()


# ---- channel bindings ----

class Bound(lib.Raw):
    "A client under TLS that knows what its channel is bound to."

    def __init__(self, port, version):
        super().__init__(port, greeting=False)
        c = context()
        c.minimum_version = c.maximum_version = version
        self.sock = c.wrap_socket(self.sock)
        self.reply()
        self.say("EHLO client.example")
        certificate = self.sock.getpeercert(binary_form=True)
        self.bindings = {"tls-server-end-point": hashlib.sha256(certificate).digest()}
        if version == ssl.TLSVersion.TLSv1_2:
            self.bindings["tls-unique"] = self.sock.get_channel_binding("tls-unique")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_plus(start, version):
    "SCRAM-SHA-256-PLUS by the bindings there are; another channel's is refused, and so is who was told that there is none."
    server = start()
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    plus = "SCRAM-SHA-256-PLUS"
    for kind in ("tls-unique", "tls-server-end-point") if version == ssl.TLSVersion.TLSv1_2 else ("tls-server-end-point",):
        with Bound(server.tls_port, version) as c:
            assert kit.scram(c, "alice", PASSWORD, plus, f"p={kind},,", c.bindings[kind])[:3] == "235"
        with Bound(server.tls_port, version) as c:
            wrong = bytes(reversed(c.bindings[kind]))
            assert kit.scram(c, "alice", PASSWORD, plus, f"p={kind},,", wrong)[:3] in ("535", "501")
    with Bound(server.tls_port, version) as c:          # "I could, but you do not": somebody has taken PLUS off the list
        assert kit.scram(c, "alice", PASSWORD, gs2="y,,")[:3] in ("535", "501")
        assert kit.scram(c, "alice", PASSWORD, gs2="n,,")[:3] == "235"
    with lib.Raw(server.clear_port) as c:
        c.say("EHLO client.example")
        assert kit.scram(c, "alice", PASSWORD, plus, "p=tls-server-end-point,,", b"x" * 32)[:3] == "504"
        assert kit.scram(c, "alice", PASSWORD, gs2="y,,")[:3] == "235"


def test_plus_exporter(start):
    "tls-exporter (RFC 9266), whose octets openssl s_client prints."
    server = start()
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.tls_port}", "-tls1_3", "-crlf", "-keymatexport", "EXPORTER-Channel-Binding",
            "-keymatexportlen", "32"]
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    class Lines:
        text = b""

        def until(self, pattern):
            while not (found := re.search(pattern, self.text, re.M)):
                octets = p.stdout.read1(65536)
                assert octets, self.text
                self.text += octets
            self.text = self.text[found.end():]
            return found

        def say(self, line):
            p.stdin.write(line.encode() + b"\n")
            p.stdin.flush()
            return self.until(rb"^(\d\d\d .*)\r?\n")[1].decode().rstrip("\r")
    try:
        c = Lines()
        exported = bytes.fromhex(c.until(rb"Keying material: ([0-9A-F]+)\s*\n")[1].decode())
        c.until(rb"^220 .*\n")
        assert c.say("EHLO client.example")[:3] == "250"
        assert kit.scram(c, "alice", PASSWORD, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", exported)[:3] == "235"
    finally:
        lib.end(p)


# ---- limits and failures ----

def test_session_ends_after_failures(start):
    "SESSION_AUTH_FAILURES_MAX, each later than the one before."
    server = start()
    with lib.Raw(server.clear_port, source="127.0.2.1") as c:
        c.say("EHLO client.example")
        waits, answers = [], []
        for _ in range(5):
            began = time.monotonic()
            answers.append(c.say("AUTH PLAIN " + kit.plain("alice", "wrong"))[:9])
            waits.append(time.monotonic() - began)
        assert answers == ["535 5.7.8"] * 4 + ["421 4.7.0"]
        assert c.closed()
        assert waits == sorted(waits) and waits[-1] > 2, waits
    server.wait_log(r"disconnect .* reason=auth-failures")
    with lib.Raw(server.clear_port, source="127.0.2.2") as c:       # nobody else waits
        began = time.monotonic()
        c.say("EHLO client.example")
        assert c.say("AUTH PLAIN " + kit.plain("carol", PASSWORD))[:3] == "235"
        assert time.monotonic() - began < 2 * lib.SLOW


def test_auth_dies(start):
    "Killed under load: 454 meanwhile, then logins succeed again; sessions and smtpd go on."
    server = start()
    counts, wrong = {"235": 0, "454": 0}, []

    def work(over, n):
        while not over.is_set():
            with lib.Raw(server.clear_port, source=f"127.0.3.{n}") as c:
                c.say("EHLO client.example")
                for _ in range(5):
                    answer = c.say("AUTH PLAIN " + kit.plain("alice" if n % 2 else "carol", PASSWORD))[:3]
                    if answer not in counts:
                        wrong.append(answer)
                        return
                    counts[answer] += 1
                    if answer == "235":
                        break
                    time.sleep(0.05)
    server.kill_under_load("postern-auth", work, lambda: counts["235"], 10)
    assert not wrong and counts["454"] > 0, (wrong, counts)


# ---- by hand ----

def talk(argv, lines, expect):
    "A TLS client of the command line, line by line; what it printed."
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    try:
        for want, line in zip(expect, lines):
            while not re.search(want, text, re.M):
                octets = p.stdout.read1(65536)
                assert octets, text
                text += octets
            text = b""
            p.stdin.write(line + b"\n")        # the program makes CR LF of it
            p.stdin.flush()
        return p.communicate(timeout=20 * lib.SLOW)[0]
    finally:
        lib.end(p)


@pytest.mark.parametrize("program", ["openssl", "gnutls-cli"])
def test_by_hand(start, program):
    server = start()
    argv = {"openssl": ["openssl", "s_client", "-quiet", "-crlf", "-connect", f"127.0.0.1:{server.tls_port}"],
            "gnutls-cli": ["gnutls-cli", "--insecure", "--crlf", f"--port={server.tls_port}", "127.0.0.1"]}[program]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed here (.ci/deps test)")
    talk(argv, [b"EHLO client.example", b"AUTH PLAIN " + kit.plain("alice", PASSWORD).encode(), b"QUIT"],
         [rb"^220 ", rb"^250 HELP", rb"^235 2\.7\.0 "])
    server.wait_log(r"mechanism=PLAIN login=\"alice\" tls=yes")
    server.wait_log(r"disconnect .* reason=quit")


# ---- certificates ----

@pytest.fixture
def people(folder):
    "An authority, and certificates of it and of nobody."
    where = folder / "people"
    where.mkdir()
    where.chmod(0o755)
    ca = certs.make(where, "ca", "people", "ec", 3, "-addext", "basicConstraints=critical,CA:true")

    def issue(stem, subject, *extensions, signed=True, days="3"):
        key, request, cert, ext = (where / f"{stem}.{kind}" for kind in ("key", "csr", "pem", "ext"))
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key),
                        "-out", str(request), "-subj", subject], check=True, capture_output=True)
        ext.write_text("\n".join(("basicConstraints=CA:false", *extensions)) + "\n")
        sign = ["-CA", str(ca[0]), "-CAkey", str(ca[1]), "-CAcreateserial"] if signed else ["-key", str(key)]
        subprocess.run(["openssl", "x509", "-req", "-in", str(request), "-out", str(cert), "-days", days, "-extfile", str(ext), *sign],
                       check=True, capture_output=True)
        return cert, key
    issue.ca = ca[0]
    return issue


def external(server, pair, kind="implicit"):
    with client(server, kind, pair=pair) as s:
        return offered(s), s.docmd("AUTH", "EXTERNAL =")[0]


def test_external(start, people, folder):
    "The first rfc822Name is who it is, else the commonName; one of nobody's authority, or expired, or with a NUL in it, is nobody."
    good = people("dave", "/CN=somebody else", "subjectAltName=email:dave@local.example,email:alice")
    common = people("alice", "/CN=alice")
    cases = {
        "alien": people("alien", "/CN=alice", signed=False),
        "expired": people("expired", "/CN=alice", days="-1"),
        "server": people("server", "/CN=alice", "extendedKeyUsage=serverAuth"),
        "blank": people("blank", "/CN=alice smith"),
        "two": people("two", "/CN=alice/CN=carol"),
        "none": people("none", "/O=nobody"),
    }
    server = start(conf=f'client-ca = "{people.ca}"\n', more="client-certificates = true")
    for kind in ("implicit", "starttls"):
        have, code = external(server, good, kind)
        assert "EXTERNAL" in have and code == 235
        server.wait_log(r'auth client=.* mechanism=EXTERNAL login="dave@local\.example" tls=yes')
    assert external(server, common) == (have, 235)
    for name, pair in cases.items():
        have, code = external(server, pair)
        assert "EXTERNAL" not in have and code == 504, name
        assert "PLAIN" in have, name        # a bad certificate is as none
    assert external(server, None)[1] == 504
    server.wait_log(r'client-certificate client=127\.0\.0\.1 session=\w+ name="dave@local\.example" verified=yes')
    server.wait_log(r'client-certificate client=127\.0\.0\.1 session=\w+ name="alice" verified=no reason="self.signed certificate"')
    server.wait_log(r'client-certificate client=127\.0\.0\.1 session=\w+ name="" verified=yes')
    with client(server, "implicit", pair=good) as s:
        assert s.docmd("AUTH", "EXTERNAL " + kit.b64("alice"))[0] == 535       # to act for another
        assert s.docmd("AUTH", "EXTERNAL =")[0] == 235
        s.sendmail("dave@local.example", ["bob@local.example"], LETTER)
    body = arrived(server)
    assert re.search(rb"tls TLS_\S+ group \S+ \(TLSv1\.3, client-verified\)", body), body
    letter = folder / "letter"
    letter.write_bytes(LETTER.replace(b"Subject: x", b"Subject: by msmtp"))
    by_msmtp(server, "implicit", "EXTERNAL", str(letter), [f"--tls-cert-file={good[0]}", f"--tls-key-file={good[1]}"],
             "dave@local.example")
    assert arrived(server, b"Subject: by msmtp")


def test_certificate_is_looked_at_again(start, people, folder):
    "No session is resumed on a listener that asks for certificates: each handshake shows one."
    good = people("alice", "/CN=alice")
    server = start(conf=f'client-ca = "{people.ca}"\n', more="client-certificates = true")
    session = folder / "session"
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.tls_port}", "-cert", str(good[0]), "-key", str(good[1])]
    for version in ("-tls1_2", "-tls1_3"):
        subprocess.run([*argv, version, "-sess_out", str(session)], input=b"QUIT\r\n", capture_output=True, timeout=30 * lib.SLOW)
        if session.exists():
            subprocess.run([*argv, version, "-sess_in", str(session)], input=b"QUIT\r\n", capture_output=True, timeout=30 * lib.SLOW)
    server.wait_log(r"tls client=")
    assert "resumed=yes" not in server.text()
