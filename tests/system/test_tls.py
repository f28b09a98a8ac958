"""Inbound TLS with real clients: levels, names, certificates, tickets over processes, keys that die, and what is never there."""
import contextlib
import random
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

import certs
import lib
import peers
from memory import holds

NAME = "mx.local.example"


def listener(name, port, tls, more=""):
    return f'listener "{name}" {{ address = "127.0.0.1" port = {port} tls = "{tls}" {more} }}\n'


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    return {"rsa": certs.make(folder, "rsa", NAME, "rsa"), "ec": certs.make(folder, "ec", NAME),
            "other": certs.make(folder, "other", "other.example"), "wild": certs.make(folder, "wild", "*.wild.example", "rsa"),
            "new": certs.make(folder, "new", NAME)}


@pytest.fixture
def start(postern, pairs, folder):
    "start(...) is a server that has STARTTLS on server.port and implicit TLS on server.tls_port."
    def make(tls="starttls", conf="", processes=1, own=None):
        mine = folder / "certs"
        mine.mkdir(exist_ok=True)
        for pair in pairs.values():
            for path in pair:
                shutil.copy(path, mine)
        here = {n: tuple(mine / path.name for path in pair) for n, pair in pairs.items()}
        port, implicit, clear = lib.free_port(), lib.free_port(), lib.free_port()
        server = postern(own or (certs.section(NAME, here["rsa"], here["ec"]) + certs.section("other.example", here["other"])
                         + certs.section("wild.example", here["wild"])) + f"smtpd {{ processes = {processes} }}\n" + conf, port=port,
                         listeners=listener("mx", port, tls) + listener("smtps", implicit, "implicit")
                         + listener("clear", clear, "none"))
        server.tls_port, server.clear_port, server.pairs = implicit, clear, here
        return server
    return make


def context(lowest=None, highest=None, ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if lowest:
        c.minimum_version = lowest
    if highest:
        c.maximum_version = highest
    if ciphers:
        c.set_ciphers(ciphers)
    return c


def s_client(port, *options, starttls=True, text=b"QUIT\r\n"):
    "openssl s_client; what it printed."
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *(("-starttls", "smtp") if starttls else ()), *options]
    run = subprocess.run(argv, input=text, capture_output=True, timeout=30 * lib.SLOW)
    return run.returncode, (run.stdout + run.stderr).decode("latin-1")


def body_of(server, user="bob"):
    return lib.wait_for("the message", lambda: server.maildir(user))[0].read_bytes()


# ---- who speaks what ----

@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("algorithm", ["rsa", "ec"])
def test_s_client(start, version, algorithm):
    "Each certificate to the client that can verify nothing else."
    server = start()
    algorithms = "RSA-PSS+SHA256:RSA+SHA256" if algorithm == "rsa" else "ECDSA+SHA256"
    code, text = s_client(server.port, "-tls1_" + version[2], "-sigalgs", algorithms, "-servername", NAME)
    assert code == 0 and f"New, TLSv{version}" in text and ("RSA" if algorithm == "rsa" else "ECDSA") in re.search(
        r"Peer signature type: (.*)", text)[1], text
    assert f"subject=CN = {NAME}" in text
    assert "Secure Renegotiation IS" in text and "Compression: NONE" in text, text
    assert "Max Early Data" not in text or "Max Early Data: 0" in text, text


def test_message(start):
    "STARTTLS, a message: Received and three log lines tell version, cipher and group."
    server = start()
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example") as s:
        s.ehlo()
        assert s.has_extn("starttls")
        assert s.starttls(context=context())[0] == 220
        assert s.helo_resp is None and s.ehlo_resp is None
        s.ehlo()
        assert not s.has_extn("starttls")
        s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")
    head = body_of(server).decode()
    assert re.search(r"by mx\.local\.example with ESMTPS id \w+\n\s+for <bob@local.example>\n"
                     r"\s+tls TLS_AES_128_GCM_SHA256 group x25519 \(TLSv1\.3\);", head.replace("\r\n", "\n")), head
    words = "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519"
    server.wait_log(rf'tls client=127\.0\.0\.1 session=\d+ tls="{words}" sni=\S+ resumed=no')
    server.wait_log(rf'accepted .* tls="{words}"')
    server.wait_log(rf'disconnect .* tls="{words}"')


def test_implicit(start):
    server = start()
    with smtplib.SMTP_SSL("127.0.0.1", server.tls_port, local_hostname="client.example", context=context()) as s:
        s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")
    assert b"with ESMTPS id" in body_of(server)


def test_clear_listener(start):
    server = start()
    with lib.Raw(server.clear_port) as c:
        assert "STARTTLS" not in c.say("EHLO client.example")
        assert c.say("STARTTLS").startswith("502 5.5.1")


@pytest.mark.parametrize("name, want", [(NAME, NAME), ("other.example", "other.example"), ("a.wild.example", r"\*.wild.example"),
                                        ("a.b.wild.example", NAME), ("nobody.example", NAME)])
def test_names(start, name, want):
    server = start()
    code, text = s_client(server.port, "-servername", name)
    assert code == 0 and re.search(rf"subject=CN = {want}$", text, re.M), text
    server.wait_log(rf"sni={re.escape(name)} ")


@pytest.mark.parametrize("options", [("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"),
                                     ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384"),
                                     ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), ("-tls1_2", "-cipher", "NULL:aNULL:eNULL"),
                                     ("-tls1_2", "-groups", "ffdhe2048"), ("-ssl3",)],
                         ids=["tls10", "tls11", "rsa-kx", "cbc", "dhe", "null", "group", "ssl3"])
def test_refused_at_intermediate(start, options):
    server = start()
    extra = ("-cipher", "ALL:@SECLEVEL=0") if "-cipher" not in options else ()
    code, text = s_client(server.port, *options, *extra)
    assert code != 0 and "Cipher is (NONE)" in text or "Call with -h" in text or "unknown option" in text.lower(), text
    code, text = s_client(server.port)
    assert code == 0, text


def test_no_renegotiation(start):
    server = start()
    code, text = s_client(server.port, "-tls1_2", text=b"R\n")
    assert "RENEGOTIATING" in text and "no renegotiation" in text, text


def test_modern(start):
    server = start(conf='tls-level = "modern"\n')
    assert s_client(server.port, "-tls1_3")[0] == 0
    assert s_client(server.port, "-tls1_2")[0] != 0


@pytest.mark.parametrize("tls", ["--tls", "--tls-on-connect"])
def test_swaks(start, tls):
    server = start()
    port = server.port if tls == "--tls" else server.tls_port
    run = subprocess.run(["swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.example", "--from", "a@client.example",
                          "--to", "bob@local.example", tls], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert b"with ESMTPS id" in body_of(server)


@pytest.mark.parametrize("priority", ["NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                      "NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA"], ids=["13", "12", "12-rsa"])
def test_gnutls(start, priority):
    if not shutil.which("gnutls-cli"):
        pytest.skip("gnutls-cli is not installed")
    server = start()
    run = subprocess.run(["gnutls-cli", "--insecure", "--starttls-proto=smtp", "--priority", priority, "-p", str(server.port),
                          "127.0.0.1"], input=b"EHLO client.example\r\nQUIT\r\n", capture_output=True, timeout=60)
    assert b"Handshake was completed" in run.stdout, run.stdout + run.stderr
    assert b"250 HELP" in run.stdout or b"221" in run.stdout, run.stdout


@pytest.mark.skipif(not lib.ROOT, reason="needs the users of Postfix")
def test_posttls_finger(start, folder):
    server = start()
    (folder / "main.cf").write_text("compatibility_level = 3.6\nmail_owner = postern-peer\nsetgid_group = postern-peerdrop\n"
                                    f"shlib_directory = {lib.PEERS}/usr/lib/postfix\n")
    run = subprocess.run([str(lib.PEERS / "usr/sbin/posttls-finger"), "-c", "-l", "encrypt", "-L", "summary",
                          f"[127.0.0.1]:{server.port}"], env=dict(lib.PEER_ENV, MAIL_CONFIG=str(folder)), capture_output=True,
                         text=True, timeout=60)
    out = run.stdout + run.stderr
    assert "TLS connection established" in out, out


@pytest.mark.skipif(not lib.ROOT, reason="Postfix needs root")
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_postfix_as_client(start, folder, version):
    server = start()
    with peers.Postfix(folder / "postfix", extra=f"relayhost = [127.0.0.1]:{server.port}\nsmtp_tls_security_level = encrypt\n"
                       f"smtp_tls_mandatory_protocols = >={version}, <={version}\nsmtp_tls_loglevel = 1\n") as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.example") as s:
            s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")
        head = body_of(server)
    assert b"with ESMTPS id" in head and f"({version})".encode() in head


# ---- STARTTLS and what comes along with it ----

@pytest.mark.parametrize("behind", [b"MAIL FROM:<evil@evil.example>\r\n", b"EHLO evil\r\n", b"x", b"\x16\x03\x01"],
                         ids=["mail", "ehlo", "octet", "hello"])
def test_injection(start, behind):
    "R6: octets behind STARTTLS end the session."
    server = start()
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.send(b"STARTTLS\r\n" + behind)
        assert c.reply().startswith("554 5.5.1")
        assert c.closed()
    server.wait_log(r'reject .* verb=STARTTLS .*stand behind STARTTLS')


def test_injection_late(start):
    "Octets that come between the reply and the handshake are part of the handshake, and end it."
    server = start()
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        assert c.say("STARTTLS").startswith("220")
        c.send(b"MAIL FROM:<evil@evil.example>\r\n")
        assert c.closed()
    server.wait_log("tls-failed .*other octets where a handshake is due")
    server.wait_log("disconnect .*reason=tls-handshake")


def test_plain_on_implicit(start):
    server = start()
    with lib.Raw(server.tls_port, greeting=False) as c:
        c.send(b"EHLO client.example\r\n")
        assert c.reply() == ""
    server.wait_log("tls-failed .*listener=smtps")


def test_require(start):
    server = start(tls="require")
    with lib.Raw(server.port) as c:
        assert "250-STARTTLS" in c.say("EHLO client.example")
        assert c.say("MAIL FROM:<a@client.example>").startswith("530 5.7.0")
        assert c.say("NOOP").startswith("250")
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example") as s:
        s.starttls(context=context())
        s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")


def test_garbage(start):
    "Noise in every place of a handshake, and records that are cut, grown, or repeated: nobody dies, everybody is served."
    server = start()
    pids = dict((pid, name) for name, pid in server.daemons())
    noise = random.Random(4)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context().wrap_bio(incoming, outgoing, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    for i in range(300):
        with lib.Raw(server.port if i % 2 else server.tls_port, greeting=bool(i % 2)) as c:
            if i % 2:
                c.say("EHLO client.example")
                assert c.say("STARTTLS").startswith("220")
            octets = bytearray(hello)
            for _ in range(noise.randrange(1, 6)):
                octets[noise.randrange(len(octets) if i % 3 else 12)] = noise.randrange(256)
            if i % 5 == 0:
                octets = octets[:noise.randrange(len(octets))]
            if i % 7 == 0:
                octets += noise.randbytes(noise.randrange(20000))
            with contextlib.suppress(OSError):
                c.send(bytes(octets))
                c.sock.shutdown(socket.SHUT_WR)
                said = b""
                while (piece := c.sock.recv(65536)):
                    said += piece
                assert not said or said[0] in (0x15, 0x16), said[:100]
    assert dict((pid, name) for name, pid in server.daemons()) == pids
    assert s_client(server.port)[0] == 0


# ---- sessions resumed ----

def test_resumed_over_processes(start):
    "Tickets of one smtpd are good at the other; nothing is signed for them."
    server = start(processes=2)
    c = context(highest=ssl.TLSVersion.TLSv1_2)

    def visit(session=None):
        with socket.create_connection(("127.0.0.1", server.tls_port), 10) as raw:
            with c.wrap_socket(raw, session=session) as s:
                assert s.recv(100).startswith(b"220")
                s.sendall(b"QUIT\r\n")
                assert s.recv(100).startswith(b"221")
                assert s.session_reused == (session is not None)
                return s.session
    session = visit()
    for _ in range(30):
        visit(session)
    lib.wait_for("both to have resumed it", lambda: len(set(re.findall(r"smtpd\[(\d+)\]: tls .* resumed=yes", server.text()))) == 2)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_s_client_resumes(start, folder, version):
    server = start(processes=2)
    ticket = folder / "ticket"
    code, text = s_client(server.port, "-tls1_" + version[2], "-sess_out", str(ticket), "-ign_eof", text=b"EHLO x\r\nQUIT\r\n")
    assert code == 0 and ticket.exists(), text
    for _ in range(5):
        code, text = s_client(server.port, "-tls1_" + version[2], "-sess_in", str(ticket))
        assert code == 0 and f"Reused, TLSv{version}" in text, text


# ---- certificates renewed ----

def test_reload_keeps_sessions(start):
    server = start(conf="")
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example") as s:
        s.starttls(context=context())
        s.ehlo()
        before = ssl.get_server_certificate(("127.0.0.1", server.tls_port))
        for old, new in zip(server.pairs["ec"], server.pairs["new"]):
            shutil.copy(new, old)
        server.ctl("reload")
        after = lib.wait_for("the new certificate", lambda: (lambda c: c != before and c)(
            ssl.get_server_certificate(("127.0.0.1", server.tls_port))))
        assert after.split() == server.pairs["new"][0].read_text().split()
        s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")
    body_of(server)


# ---- keys ----

def test_keys_killed_under_load(start):
    "Handshakes fail softly while keys is gone, and recover; no smtpd dies, and an open session goes on."
    server = start(processes=2)
    counts = {"ok": 0, "failed": 0}

    def load(over, _):
        while not over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", server.tls_port), 10) as raw, context().wrap_socket(raw) as s:
                    assert s.recv(100).startswith(b"220")
                counts["ok"] += 1
            except (OSError, ssl.SSLError):
                counts["failed"] += 1
    with smtplib.SMTP("127.0.0.1", server.port, local_hostname="client.example") as s:
        s.starttls(context=context())
        server.kill_under_load("postern-keys", load, lambda: counts["ok"], 20)
        s.sendmail("a@client.example", ["bob@local.example"], "Subject: x\r\n\r\nhello\r\n")


@pytest.mark.skipif(not lib.ROOT, reason="reads other processes' memory")
@pytest.mark.skipif(lib.SLOW != 1, reason="a sanitizer's shadow is most of the memory")
def test_private_key_is_nowhere_else(start):
    "R10: after handshakes with either key no process but keys holds anything of them."
    server = start(processes=2)
    for algorithms in ("ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256"):
        for version in ("-tls1_2", "-tls1_3"):
            for _ in range(3):
                assert s_client(server.port, version, "-sigalgs", algorithms)[0] == 0
    secrets = {}
    for kind in ("rsa", "ec"):
        for name, octets in certs.secrets(server.pairs[kind][1]).items():
            secrets[kind + " " + name] = octets
    assert len(secrets) == 4, secrets.keys()
    for name, pid in server.daemons():
        found = holds(pid, secrets)
        if name.startswith("postern-keys"):
            assert found, "the search finds nothing even where the keys are"
        else:
            assert not found, (name, found)
    assert not holds(server.proc.pid, secrets)


# ---- time and memory ----

def test_handshake_time(start):
    "A client that never finishes its handshake is let go, without a word in clear."
    server = start(conf="", processes=1)
    text = server.conf_path.read_text().replace("smtpd { processes = 1 }", "smtpd { processes = 1 command-timeout = \"2s\" }")
    server.conf_path.write_text(text)
    server.ctl("reload")
    began = time.monotonic()
    with lib.Raw(server.tls_port, greeting=False) as c:
        c.send(b"\x16\x03\x01")
        assert c.reply() == ""
    assert time.monotonic() - began < 15 * lib.SLOW
    server.wait_log("disconnect .*reason=tls-timeout")


def test_idle_memory(start):
    "An idle session under TLS costs what OpenSSL keeps of it, and no buffers."
    server = start()
    pid = server.pid_of("postern-smtpd")
    rss = lambda: int(re.search(r"Rss:\s+(\d+)", open(f"/proc/{pid}/smaps_rollup").read())[1])
    held = []

    def more(n):
        for _ in range(n):
            raw = socket.create_connection(("127.0.0.1", server.tls_port), 10)
            s = context().wrap_socket(raw)
            assert s.recv(100).startswith(b"220")
            held.append(s)
    try:
        more(20)
        before = rss()
        more(100)
        each = (rss() - before) / 100
    finally:
        for s in held:
            s.close()
    assert each < 32 * lib.SLOW ** 3, f"{each} KB each"
