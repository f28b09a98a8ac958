"""What stands in front of smtpd: proxies (PROXY v1 and v2), hosts that say XCLIENT and XFORWARD, LMTP clients, local users.
"""
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import time

import pytest

import certs
import lib

BODY = "Subject: {}\r\n\r\nhello\r\n"


def start(postern, listener="", conf="", smtpd=1):
    "A server whose one listener has these settings as well."
    port = lib.free_port()
    return postern(f"smtpd {{ processes = {smtpd} }}\n" + conf, port=port,
                   listeners=f'listener "mx" {{ address = "127.0.0.1" port = {port} {listener} }}\n')


def v1(client, server="203.0.113.1", port=40000):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {server} {port} 25\r\n".encode()


def v2(client, server="203.0.113.1", port=40000, extra=b""):
    if ":" in client:
        addrs, family = socket.inet_pton(socket.AF_INET6, client) + socket.inet_pton(socket.AF_INET6, server), 0x21
    else:
        addrs, family = socket.inet_aton(client) + socket.inet_aton(server), 0x11
    addrs += struct.pack("!HH", port, 25) + extra
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, family]) + struct.pack("!H", len(addrs)) + addrs


def through(server, header, subject, to="bob@local.example"):
    "A connection by a proxy, with one message; the reply to RCPT."
    with lib.Raw(server.port, greeting=False) as c:
        c.send(header)
        assert c.reply().startswith("220 ")
        assert c.say("EHLO client.example").startswith("250")
        assert c.say("MAIL FROM:<sender@client.example>").startswith("250")
        answer = c.say(f"RCPT TO:<{to}>")
        if answer.startswith("250"):
            assert c.say("DATA").startswith("354")
            c.send(BODY.format(subject).encode() + b".\r\n")
            assert c.reply().startswith("250")
        c.say("QUIT")
    return answer


def arrived(server, user="bob", n=1):
    lib.wait_for(f"{n} messages for {user}", lambda: len(server.maildir(user)) >= n)
    return sorted(p.read_bytes() for p in server.maildir(user))


def received(octets):
    return re.sub(r"\s+", " ", octets.decode().split("\n\n", 1)[0].replace("\r", "").split("\nSubject:")[0])


@pytest.mark.sanitize
def test_proxy_headers_of_both_versions_name_the_client(postern):
    server = start(postern, 'proxy-from = { "127.0.0.0/8" }')
    checksum = b"\x04\x00\x03abc"                   # a NOOP extension of three octets
    cases = {"192.0.2.10": v1("192.0.2.10"), "2001:db8::10": v1("2001:db8::10", "2001:db8::1"),
             "192.0.2.11": v2("192.0.2.11"), "2001:db8::11": v2("2001:db8::11", "2001:db8::1", extra=checksum)}
    for address, header in cases.items():
        assert through(server, header, address).startswith("250"), address
    for octets in arrived(server, n=len(cases)):
        trace = received(octets)
        address = re.search(rb"Subject: (\S+)", octets)[1].decode()
        assert f"[{'IPv6:' if ':' in address else ''}{address}]" in trace, trace
        assert "127.0.0.1" not in trace, trace
    log = server.text()
    for address in cases:
        assert re.search(rf"connect client={re.escape(address)} port=40000 listener=mx .*proxy=127\.0\.0\.1", log)


@pytest.mark.sanitize
@pytest.mark.parametrize("octets", [b"EHLO x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\0" * 500,
                                    b"PROXY TCP4 192.0.2.1 203.0.113.1 1\r\n", b"PROXY " + b"x" * 5000,
                                    v2("192.0.2.1")[:14] + b"\xff\xff" + b"\0" * 70000, b""],
                         ids=["ehlo", "http", "tls", "short", "endless", "huge", "silent"])
def test_proxy_without_a_good_header_hears_nothing(postern, octets):
    server = start(postern, 'proxy-from = { "127.0.0.0/8" }')
    with lib.Raw(server.port, greeting=False) as c:
        try:
            c.send(octets)
        except ConnectionError:
            pass
        try:
            assert c.sock.recv(100) == b""
        except ConnectionResetError:
            pass                                    # it left octets of ours unread
    server.wait_log(r'reject client=127\.0\.0\.1 .*verb=PROXY reason="')
    assert through(server, v1("192.0.2.10"), "x").startswith("250")


def test_proxy_does_not_lend_its_rights(postern):
    server = start(postern, 'proxy-from = { "127.0.0.0/8" }', 'relay-from = { "127.0.0.0/8", "192.0.2.77" }\n')
    assert through(server, v1("192.0.2.10"), "x", "x@elsewhere.example").startswith("550 5.7.1")
    assert through(server, b"PROXY UNKNOWN\r\n", "x", "x@elsewhere.example").startswith("550 5.7.1")
    assert through(server, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "x", "x@elsewhere.example").startswith("550 5.7.1")
    with lib.Raw(server.port, greeting=False) as c:
        c.send(v1("192.0.2.77"))
        c.reply()
        c.say("EHLO client.example")
        c.say("MAIL FROM:<sender@client.example>")
        assert c.say("RCPT TO:<x@elsewhere.example>").startswith("250")


def test_proxy_limits_are_its_clients(postern):
    server = start(postern, 'proxy-from = { "127.0.0.0/8" } per-address = 2 per-prefix = 3')
    held = []

    def connect(client):
        c = lib.Raw(server.port, greeting=False)
        held.append(c)
        c.send(v1(client))
        return c.reply()
    assert connect("192.0.2.1").startswith("220") and connect("192.0.2.1").startswith("220")
    assert connect("192.0.2.1").startswith("421 4.7.0")
    assert connect("192.0.2.2").startswith("220")
    assert connect("192.0.2.3").startswith("421 4.7.0")         # the network's
    assert connect("198.51.100.1").startswith("220")
    for c in held:
        c.close()
    lib.wait_for("room again", lambda: connect("192.0.2.1").startswith("220"))


def test_proxy_setting_follows_a_reload(postern):
    server = start(postern)
    with lib.Raw(server.port) as c:
        assert c.greeting.startswith("220") and c.say("PROXY TCP4 192.0.2.1 203.0.113.1 1 25").startswith("500")
    server.listeners = server.listeners.replace(" }", ' proxy-from = { "127.0.0.1" } }')
    server.write_conf()
    server.ctl("reload")

    def asks():
        with lib.Raw(server.port, greeting=False) as c:
            c.sock.settimeout(0.3)
            try:
                return c.sock.recv(100) == b""
            except socket.timeout:
                return True
    lib.wait_for("the new setting", asks)
    assert through(server, v1("192.0.2.10"), "x").startswith("250")


def swaks(server, *args):
    program = shutil.which("swaks", path=f"{os.environ['PATH']}:{lib.PEERS}/usr/bin")
    return subprocess.run([program, "--server", f"127.0.0.1:{server.port}", "--helo", "proxy.example", "--from",
                           "sender@client.example", "--header", "Subject: swaks", *args], capture_output=True, text=True, timeout=60)


@pytest.mark.sanitize
def test_xclient_by_swaks(postern):
    server = start(postern, 'xclient-from = { "127.0.0.1" }', 'relay-from = { "192.0.2.77" }\n')
    run = swaks(server, "--to", "bob@local.example", "--xclient-name", "mail.client.example", "--xclient-addr", "192.0.2.44",
                "--xclient-port", "4711")
    assert run.returncode == 0, run.stdout + run.stderr
    octets, = arrived(server)
    assert "mail.client.example" in received(octets) and "[192.0.2.44]" in received(octets), octets
    server.wait_log(r"xclient client=192\.0\.2\.44 port=4711 name=mail\.client\.example .*by=127\.0\.0\.1 relay=no")
    refused = swaks(server, "--to", "x@elsewhere.example", "--xclient-addr", "192.0.2.44")
    assert refused.returncode == 24 and "550 5.7.1" in refused.stdout, refused.stdout
    for who in (["--xclient-addr", "192.0.2.77"], ["--xclient-addr", "192.0.2.44", "--xclient-login", "ann"]):
        allowed = swaks(server, "--to", "x@elsewhere.example", "--quit-after", "RCPT", *who)
        assert allowed.returncode == 0, allowed.stdout
    six = swaks(server, "--to", "bob@local.example", "--xclient-addr", "IPV6:2001:db8::5", "--xclient-helo", "h.example",
                "--xclient-delim", "--xclient-name", "[UNAVAILABLE]")
    assert six.returncode == 0, six.stdout
    assert any("[IPv6:2001:db8::5]" in received(o) for o in arrived(server, n=2))


def test_xclient_and_xforward_are_not_for_strangers(postern):
    server = start(postern, 'xclient-from = { "192.0.2.1" } xforward-from = { "192.0.2.1" }')
    with lib.Raw(server.port) as c:
        assert "XCLIENT" not in c.say("EHLO c.example") and "XFORWARD" not in c.say("EHLO c.example")
        assert c.say("XCLIENT ADDR=192.0.2.1").startswith("550 5.7.1")
        assert c.say("XFORWARD ADDR=192.0.2.1").startswith("550 5.7.1")
    assert "client=192.0.2.1" not in server.text()


def test_xclient_decides_for_access_rules_and_limits(postern):
    server = start(postern, 'xclient-from = { "127.0.0.1" } per-address = 2',
                   'client-access = { "192.0.2.66 REJECT not you", "bad.example REJECT nor you" }\n'
                   'relay-from = { "127.0.0.1" }\n')
    held = []

    def mail(attributes):
        c = lib.Raw(server.port)
        held.append(c)
        greeting = c.say(f"XCLIENT {attributes}")
        if not greeting.startswith("220"):
            return greeting
        c.say("EHLO client.example")
        return c.say("MAIL FROM:<sender@client.example>")
    assert "not you" in mail("ADDR=192.0.2.66 NAME=[UNAVAILABLE]")
    assert "nor you" in mail("ADDR=192.0.2.67 NAME=host.bad.example")
    assert mail("ADDR=192.0.2.68 NAME=ok.example").startswith("250")
    assert mail("ADDR=192.0.2.68 NAME=ok.example").startswith("250")
    assert mail("ADDR=192.0.2.68 NAME=ok.example").startswith("421 4.7.0")
    for c in held:
        c.close()


@pytest.mark.skipif(not lib.ROOT, reason="Postfix needs root")
def test_xforward_from_a_relaying_postfix(postern, folder):
    server = start(postern, 'xforward-from = { "127.0.0.1" }')
    extra = f"relayhost = [127.0.0.1]:{server.port}\nsmtp_send_xforward_command = yes\n"
    with lib.Postfix(folder / "postfix", extra=extra) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="origin.example", timeout=30) as s:
            port = s.sock.getsockname()[1]
            s.sendmail("sender@client.example", ["bob@local.example"], BODY.format("far"))
            s.sendmail("sender@client.example", ["bob@local.example"], BODY.format("farther"))
        octets = arrived(server, n=2)[0]
    assert "from mail.postfix.example" in received(octets)          # what is true here stays in the trace
    server.wait_log(rf"xforward client=127\.0\.0\.1 .*origin=\S*127\.0\.0\.1\S*{port}\b")
    line = server.wait_log(r"xforward client=127\.0\.0\.1 .*helo=origin\.example.*")[0]
    assert "protocol=ESMTP" in line and "ident=" in line, line
    assert server.wait_log(rf"origin=\"?[^ ]*{port}", count=2)


# ---- LMTP ----

def lmtp_both(s):
    assert s.lhlo("client.example")[0] == 250 and s.has_extn("pipelining")
    s.mail("sender@client.example")
    assert s.rcpt("alice@local.example")[0] == 250
    assert s.rcpt("nobody-there@local.example")[0] == 550
    assert s.rcpt("bob@local.example")[0] == 250
    s.putcmd("data")
    assert s.getreply()[0] == 354
    s.send(BODY.format("lmtp") + ".\r\n")
    replies = [s.getreply() for _ in range(2)]
    assert [code for code, _ in replies] == [250, 250], replies
    assert s.noop()[0] == 250


class Lmtp(smtplib.LMTP):
    def lhlo(self, name):
        return self.ehlo(name)      # smtplib says LHLO in this class


@pytest.mark.sanitize
def test_lmtp_by_smtplib(postern):
    server = start(postern, 'protocol = "lmtp"')
    with lib.Raw(server.port) as c:
        assert "LMTP" in c.greeting
        assert c.say("EHLO x.example").startswith("500") and c.say("HELO x.example").startswith("500")
    s = Lmtp("127.0.0.1", server.port)
    lmtp_both(s)
    s.quit()
    assert "with LMTP" in received(arrived(server, "alice")[0])
    arrived(server, "bob")


@pytest.mark.skipif(not lib.ROOT, reason="Postfix needs root")
def test_lmtp_by_postfix(postern, folder):
    server = start(postern, 'protocol = "lmtp"')
    extra = f"virtual_mailbox_domains = local.example\nvirtual_transport = lmtp:inet:127.0.0.1:{server.port}\n"
    with lib.Postfix(folder / "postfix", extra=extra) as postfix:
        with open(folder / "postfix/etc/master.cf", "a") as master:
            master.write("lmtp unix - - n - - lmtp\n")
        os.kill(postfix.proc.pid, signal.SIGHUP)
        to = ["alice@local.example", "bob@local.example", "nobody-there@local.example"]
        with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="origin.example", timeout=30) as s:
            s.sendmail("", to, BODY.format("by lmtp"))
        for user in ("alice", "bob"):
            octets, = arrived(server, user)
            assert "with LMTP" in received(octets)
        server.wait_log(r"reject client=127\.0\.0\.1 .*550 5\.1\.1 <nobody-there@local\.example>")


# ---- Unix sockets ----

def unix(path, greeting=True):
    c = lib.Raw.__new__(lib.Raw)
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.settimeout(20 * lib.SLOW)
    c.sock.connect(str(path))
    c.pending = b""
    if greeting:
        c.greeting = c.reply()
    return c


@pytest.mark.sanitize
def test_unix_listener_speaks_lmtp(postern, folder):
    server = postern(listeners=f'listener "box" {{ address = "unix:{folder}/box" protocol = "lmtp" }}\n')
    s = Lmtp(f"{folder}/box")
    lmtp_both(s)
    s.quit()
    arrived(server, "alice")
    server.wait_log(rf"connect client=local uid={os.getuid()} port=0 listener=box")


@pytest.mark.sanitize
def test_submit_socket_knows_the_user(postern):
    server = postern("smtpd { processes = 2 }\nlocal-submission = true\n")
    path = server.dir / "run/submit"
    lib.wait_for("the socket", path.exists)
    for i in range(20):                             # whichever process is first
        with unix(path) as c:
            assert c.greeting.startswith("220") and "DELIVERBY" in c.say("EHLO local")
            c.say(f"MAIL FROM:<sender{i}@client.example>")
            assert c.say("RCPT TO:<x@elsewhere.example>").startswith("250")
            c.say("RSET")
            c.say(f"MAIL FROM:<sender{i}@client.example>")
            c.say("RCPT TO:<bob@local.example>")
            c.say("DATA")
            c.send(BODY.format(i).encode() + b".\r\n")
            assert c.reply().startswith("250")
    octets = arrived(server, n=20)[0]
    assert "[" not in received(octets).split(" by ")[0], received(octets)
    if lib.ROOT:
        user = pwd.getpwnam("nobody")
        script = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(200)); "
                  "s.sendall(b'BAD\\r\\n'); print(s.recv(200))")
        subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "/usr/bin/python3", "-c",
                        script, str(path)], check=True, timeout=60, stdout=subprocess.DEVNULL)
        server.wait_log(rf"connect client=local uid={user.pw_uid} ")
        server.wait_log(rf"reject client=local uid={user.pw_uid} .*500 5\.5\.2")


def test_one_user_does_not_take_all_connections(postern, folder):
    server = postern("smtpd { processes = 1 }\n",
                     listeners=f'listener "box" {{ address = "unix:{folder}/box" per-address = 3 }}\n')
    held = [unix(folder / "box") for _ in range(3)]
    assert all(c.greeting.startswith("220") for c in held)
    with unix(folder / "box") as more:
        assert more.greeting.startswith("421 4.7.0")
    assert held[0].say("QUIT").startswith("221") and held[0].closed()
    with unix(folder / "box") as again:
        assert again.greeting.startswith("220")
    for c in held:
        c.close()
    server.wait_log(rf"reject client=local uid={os.getuid()} port=0 listener=box verb=CONNECT")


def test_idle_local_connections_do_not_wear_it_down(postern):
    server = postern("smtpd { processes = 1 }\nlocal-submission = true\n")
    path = server.dir / "run/submit"
    lib.wait_for("the socket", path.exists)
    pid = server.pid_of("postern-smtpd")
    for _ in range(2000):
        unix(path, greeting=False).close()
    began = time.monotonic()
    with unix(path) as c:
        assert c.greeting[:3] in ("220", "421")
    assert time.monotonic() - began < 5 * lib.SLOW
    assert server.pid_of("postern-smtpd") == pid

    def open_now():
        daemon = [d for d in server.json("status")["daemons"] if d["name"].startswith("smtpd")]
        return daemon and daemon[0]["counters"][0] == 0
    lib.wait_for("all to be closed", open_now)


def test_proxy_header_and_client_hello_in_one_segment(postern, folder):
    "Under implicit TLS what stands behind the header is TLS's, however the octets come."
    name = "mx.local.example"
    port = lib.free_port()
    postern(certs.section(name, certs.make(folder, "pair", name)), port=port,
            listeners=f'listener "smtps" {{ address = "127.0.0.1" port = {port} tls = "implicit" proxy-from = {{ "127.0.0.0/8" }} }}\n')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for pieces in ((0,), (20, 0), (60, 0)):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", port), 20 * lib.SLOW) as sock:
            first = b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 465\r\n"
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    text, first = first + outgoing.read(), b""
                    for n in pieces:
                        sock.sendall(text[:n] if n else text)
                        text = text[n:] if n else b""
                        if n:
                            time.sleep(0.1)
                    incoming.write(sock.recv(65536))
            sock.sendall(outgoing.read())
            got = b""
            while not got.startswith(b"220 "):
                try:
                    got = tls.read(1000)
                except ssl.SSLWantReadError:
                    incoming.write(sock.recv(65536))
