"""Mail programs that people use submit to a running Postern, by SMTP, LMTP and its sendmail; what arrived, and what they
said, is checked.

Each sends: a plain message, one in UTF-8, one with an attachment of 2 MB, one to several recipients, and one to a
recipient who does not exist.  A program that this machine does not have is skipped by name; .ci/deps installs all.
"""
import email
import email.policy
import hashlib
import json
import os
import random
import shutil
import re
import smtplib
import subprocess
import tempfile
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest

import lib

SENDER = "sender@client.example"
NODE_PATH = "/usr/share/nodejs:/usr/lib/nodejs"
SEEN = {}       # what is in the maildirs, read once: a file there never changes
PAYLOAD = random.Random(7).randbytes(2 * 1024 * 1024)
CASES = {
    "plain": ("plain", "hello\n.\n..\nthe end\n", ["alice"]),
    "utf8": ("grüße, 你好 \N{PARTY POPPER}", "Falsches Üben von Xylophonmusik\n你好\n", ["bob"]),
    "attachment": ("with an attachment", "see there\n", ["carol"]),
    "several": ("several", "to all of you\n", ["alice", "bob", "carol"]),
    "refused": ("refused", "never read\n", ["nobody-there"]),
}


class Letter:
    "One of the cases for one client, with a subject by which it is found again, and as a file."

    def __init__(self, client, case, folder):
        text, self.body, to = CASES[case]
        self.case, self.subject = case, f"{client} {text}"
        self.to = [f"{user}@local.example" for user in to]
        self.users = [] if case == "refused" else to
        self.attachment = folder / "noise.bin" if case == "attachment" else None
        if self.attachment:
            self.attachment.write_bytes(PAYLOAD)
        message = EmailMessage(email.policy.SMTP)
        message["From"], message["To"], message["Subject"] = SENDER, ", ".join(self.to), self.subject
        message.set_content(self.body, cte="8bit" if case == "utf8" else None)
        if self.attachment:
            message.add_attachment(PAYLOAD, "application", "octet-stream", filename="noise.bin")
        self.octets = message.as_bytes()
        self.file = folder / "message.eml"
        self.file.write_bytes(self.octets)
        self.text = folder / "body.txt"
        self.text.write_text(self.body)
        self.folder = folder

    def check(self, server):
        "It is in each recipient's maildir, once, with its subject, text and attachment."
        for user in self.users:
            def look():
                paths = server.maildir(user)
                for path in paths:
                    if path not in SEEN:
                        SEEN[path] = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                return [SEEN[path] for path in paths if str(SEEN[path]["Subject"]) == self.subject]
            found = lib.wait_for(f"{self.subject!r} in the maildir of {user}", look)
            assert len(found) == 1
            text = found[0].get_body(("plain",)).get_content()
            assert self.body.split() == text.split(), text
            if self.attachment:
                part = next(p for p in found[0].walk() if p.get_filename() == "noise.bin")
                assert hashlib.sha256(part.get_content()).digest() == hashlib.sha256(PAYLOAD).digest()
        server.wait_empty()


def run(argv, stdin=None, **env):
    program = shutil.which(argv[0], path=f"{os.environ['PATH']}:{lib.PEERS}/usr/bin")
    if not program:
        pytest.skip(f"{argv[0]} is not installed here (.ci/deps test)")
    return subprocess.run([program, *argv[1:]], stdin=stdin and open(stdin, "rb"), capture_output=True,
                          env=dict(os.environ, **env), timeout=60 * lib.SLOW, **({} if stdin else {"input": b""}))


def swaks(port, m):
    return run(["swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.example", "--from", SENDER,
                "--to", ",".join(m.to), "--data", f"@{m.file}", "--suppress-data"])


def swaks_pipelined(port, m):
    return run(["swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.example", "--from", SENDER, "--pipeline",
                "--to", ",".join(m.to), "--data", f"@{m.file}", "--suppress-data"])


def msmtp(port, m):
    return run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=off", "--auth=off",
                "--domain=client.example", f"--from={SENDER}", "--", *m.to], stdin=m.file)


def curl(port, m):
    rcpts = [word for to in m.to for word in ("--mail-rcpt", to)]
    what = ["--upload-file", str(m.file)]
    if m.attachment:
        what = ["-H", f"Subject: {m.subject}", "-H", f"From: {SENDER}", "-F", f"=<{m.text};type=text/plain;encoder=quoted-printable",
                "-F", f"noise=@{m.attachment};encoder=base64"]
    return run(["curl", "--silent", "--show-error", "--noproxy", "*", f"smtp://127.0.0.1:{port}/client.example",
                "--mail-from", SENDER, *rcpts, *what])


NODE = """
const m = JSON.parse(process.argv[1]);
const transport = require('nodemailer').createTransport(
    { host: '127.0.0.1', port: m.port, name: 'client.example', secure: false, ignoreTLS: true });
transport.sendMail({ from: m.from, to: m.to, subject: m.subject, text: m.text,
    attachments: m.attachment ? [{ filename: 'noise.bin', path: m.attachment }] : [] },
    (error, info) => {
        if (error) { console.error(error.message); process.exit(1); }
        console.log(info.response);
    });
"""


def nodemailer(port, m):
    if shutil.which("node") and run(["node", "-e", "require('nodemailer')"], NODE_PATH=NODE_PATH).returncode:
        pytest.skip("nodemailer is not installed here (.ci/deps test)")
    arg = json.dumps({"port": port, "from": SENDER, "to": m.to, "subject": m.subject, "text": m.body,
                      "attachment": m.attachment and str(m.attachment)})
    return run(["node", "-e", NODE, arg], NODE_PATH=NODE_PATH)


def git_send_email(port, m):
    if b"not a git command" in run(["git", "send-email", "-h"]).stderr:
        pytest.skip("git send-email is not installed here (.ci/deps test)")
    patch = m.folder / "0001.patch"
    text = m.body
    if m.attachment:        # a patch has its payload in its text
        text += "".join(PAYLOAD[i:i + 35].hex() + "\n" for i in range(0, len(PAYLOAD) // 2, 35))
        m.body, m.attachment = text, None
    patch.write_text(f"From: Some One <{SENDER}>\nSubject: {m.subject}\n\n{text}")
    server = [f"--smtp-server={m.sendmail}"] if port is None else [
        "--smtp-server=127.0.0.1", f"--smtp-server-port={port}", "--smtp-domain=client.example"]
    return run(["git", "-C", str(m.folder), "send-email", *server, f"--from=Some One <{SENDER}>", *[f"--to={to}" for to in m.to],
                "--confirm=never", "--suppress-cc=all", "--no-validate", "--8bit-encoding=UTF-8", "--quiet", str(patch)],
               GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null", HOME=str(m.folder), GIT_COMMITTER_NAME="x",
               GIT_COMMITTER_EMAIL=SENDER, GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL=SENDER)


PERL = r"""
use strict; use warnings; use Net::SMTP;
my ($port, $from, $file, @to) = @ARGV;
my $smtp = Net::SMTP->new("127.0.0.1", Port => $port, Hello => "client.example", Timeout => 60) or die "no connection: $@";
sub ok { $_[0] or die $smtp->code . " " . $smtp->message }
ok($smtp->mail($from, Bits => 8));
ok($smtp->recipient(@to));
open(my $in, "<:raw", $file) or die $!;
ok($smtp->data);
while (my $line = <$in>) { ok($smtp->datasend($line)) }
ok($smtp->dataend);
ok($smtp->quit);
"""


def net_smtp(port, m):
    return run(["perl", "-e", PERL, str(port), SENDER, str(m.file), *m.to])


def s_nail(port, m):
    files = ["-a", str(m.attachment)] if m.attachment else []
    return run(["s-nail", "-:/", "-S", "v15-compat", "-S", f"mta=smtp://127.0.0.1:{port}", "-S", "smtp-auth=none",
                "-S", f"from={SENDER}", "-S", "hostname=client.example", "-S", "ttycharset=utf-8", "-S", "sendwait",
                "-S", "nosave",
                "-s", m.subject, *files, *m.to],
               stdin=m.text, HOME=str(m.folder), LC_ALL="C.UTF-8", MAILRC="/dev/null")


def by_smtplib(kind, port, m):
    try:
        with kind("127.0.0.1", port, local_hostname="client.example", timeout=60) as s:
            s.sendmail(SENDER, m.to, m.octets, mail_options=["BODY=8BITMIME"])
    except smtplib.SMTPRecipientsRefused as e:
        return SimpleNamespace(returncode=1, stdout=b"", stderr=repr(e.recipients).encode())
    return SimpleNamespace(returncode=0, stdout=b"", stderr=b"")


def python(port, m):
    return by_smtplib(smtplib.SMTP, port, m)


class Lmtp(smtplib.LMTP):
    "smtplib's own, which reads one reply to DATA: here one for each recipient (RFC 2033 4.2)."

    def rcpt(self, *args):
        reply = super().rcpt(*args)
        self.taken = getattr(self, "taken", 0) + (reply[0] == 250)
        return reply

    def data(self, message):
        reply = super().data(message)
        others = [self.getreply() for _ in range(self.taken - 1)]
        assert all(code == 250 for code, _ in [reply, *others]), (reply, others)
        return reply


def python_lmtp(port, m):
    return by_smtplib(Lmtp, port, m)


def msmtp_lmtp(port, m):
    return run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=off", "--auth=off",
                "--protocol=lmtp", "--domain=client.example", f"--from={SENDER}", "--", *m.to], stdin=m.file)


def swaks_lmtp(port, m):
    return run(["swaks", "--protocol", "LMTP", "--server", f"127.0.0.1:{port}", "--helo", "client.example", "--from", SENDER,
                "--to", ",".join(m.to), "--data", f"@{m.file}", "--suppress-data"])


class Bdat(smtplib.SMTP):
    "All chunks in one go where the server takes them ahead (RFC 3030 4.2), as large mailers send."

    def data(self, message):
        chunks = [message[i:i + 100000] for i in range(0, len(message), 100000)] + [b""]
        self.send(b"".join(b"BDAT %d%s\r\n" % (len(c), b"" if c else b" LAST") + c for c in chunks))
        replies = [self.getreply() for _ in chunks]
        assert all(code == 250 for code, _ in replies), replies
        return replies[-1]


def python_bdat(port, m):
    return by_smtplib(Bdat, port, m)


def script(port, m):
    "sendmail as scripts call it."
    return run([m.sendmail, "-oi", "-f", SENDER, "--", *m.to], stdin=m.file)


def script_t(port, m):
    "The recipients are those of the header; lines end as on Unix."
    m.file.write_bytes(m.octets.replace(b"\r\n", b"\n"))
    return run([m.sendmail, "-t", "-i", "-f", SENDER], stdin=m.file)


def s_nail_sendmail(port, m):
    files = ["-a", str(m.attachment)] if m.attachment else []
    return run(["s-nail", "-:/", "-S", "v15-compat", "-S", f"mta=file://{m.sendmail}", "-S", f"from={SENDER}",
                "-S", "ttycharset=utf-8", "-S", "sendwait", "-S", "nosave", "-s", m.subject, *files, *m.to],
               stdin=m.text, HOME=str(m.folder), LC_ALL="C.UTF-8", MAILRC="/dev/null")


def git_sendmail(port, m):
    return git_send_email(None, m)


CLIENTS = (swaks, swaks_pipelined, msmtp, curl, nodemailer, git_send_email, net_smtp, s_nail, python, python_bdat,
           python_lmtp, msmtp_lmtp, swaks_lmtp, script, script_t, s_nail_sendmail, git_sendmail)


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="postern.") as folder:
        os.chmod(folder, 0o755)
        mx, lmtp = lib.free_port(), lib.free_port()
        path = Path(folder) / "p"
        listeners = (f'listener "mx" {{ address = "127.0.0.1" port = {mx} }}\n'
                     f'listener "lmtp" {{ address = "127.0.0.1" port = {lmtp} protocol = "lmtp" }}\n')
        domain = (f'domain "local.example" {{ deliver = "maildir:{path}/mail/%d/%u"\n'
                  'recipients = { "alice", "bob", "carol", "jürgen" }\n'
                  'aliases = { "root: alice", "staff: root, bob", "www-data: /dev/null" } }\n')
        with lib.Postern(path, domain, port=mx, listeners=listeners, default_domain=False,
                         hostname="local.example") as server:
            server.lmtp = lmtp
            server.sendmail = path / "sendmail"         # as the programs know it, with one name for all
            server.sendmail.write_text(f'#!/bin/sh\nexec "{lib.BIN}/sendmail" -O "postern-runtime={path}/run" "$@"\n')
            server.sendmail.chmod(0o755)
            yield server


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: c.__name__)
def test_client(server, tmp_path, client, case):
    letter = Letter(client.__name__, case, tmp_path)
    letter.sendmail = str(server.sendmail)
    done = client(server.lmtp if client.__name__.endswith("lmtp") else server.port, letter)
    said = (done.stdout + done.stderr).decode(errors="replace")[-3000:]
    assert (done.returncode == 0) == (case != "refused"), (done.returncode, said)
    if case == "refused" and client not in (s_nail, s_nail_sendmail):   # which says only that it failed
        assert "550" in said or "5.1.1" in said, said
    letter.check(server)


NODE_DSN = """
const m = JSON.parse(process.argv[1]);
const transport = require('nodemailer').createTransport(
    { host: '127.0.0.1', port: m.port, name: 'client.example', secure: false, ignoreTLS: true });
transport.sendMail({ from: { name: 'Jörg Ünal', address: m.from }, to: [{ name: 'Jürgen 你', address: m.to }], subject: m.subject,
    text: 'grüße\\n', attachments: [{ filename: 'grüße 你好.bin', content: Buffer.from('00ff0a0d', 'hex') }],
    dsn: { id: 'id=+1', return: 'headers', notify: ['success', 'failure'], recipient: m.to } },
    (error, info) => {
        if (error) { console.error(error.message); process.exit(1); }
        console.log(info.response);
    });
"""


def test_nodemailer_asks_for_a_notice_with_names_in_utf8(server):
    "An address in UTF-8 wants SMTPUTF8; NOTIFY=SUCCESS brings a notice with the ENVID that was asked for."
    if shutil.which("node") and run(["node", "-e", "require('nodemailer')"], NODE_PATH=NODE_PATH).returncode:
        pytest.skip("nodemailer is not installed here (.ci/deps test)")
    arg = json.dumps({"port": server.port, "from": "bob@local.example", "to": "jürgen@local.example", "subject": "to Jürgen"})
    done = run(["node", "-e", NODE_DSN, arg], NODE_PATH=NODE_PATH)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    path = lib.wait_for("the message", lambda: server.maildir("jürgen"))
    m = email.message_from_bytes(path[0].read_bytes(), policy=email.policy.default)
    assert m["From"].addresses[0].display_name == "Jörg Ünal" and m["To"].addresses[0].display_name == "Jürgen 你"
    part = next(p for p in m.walk() if p.get_filename())
    assert part.get_filename() == "grüße 你好.bin" and part.get_content() == bytes.fromhex("00ff0a0d")

    def notice():
        return [o for p in server.maildir("bob") if b"delivery-status" in (o := p.read_bytes()) or b"global-delivery" in o]
    octets = lib.wait_for("the notice", notice)[0]
    assert re.search(rb"(?mi)^Original-Envelope-Id: id=\+1\r?$", octets), octets
    assert re.search(rb"(?mi)^Action: delivered\r?$", octets) and "jürgen@local.example".encode() in octets


@pytest.mark.parametrize("to, users", [("root", ["alice"]), ("staff", ["alice", "bob"]), ("staff, carol", ["alice", "bob", "carol"]),
                                       ("www-data", [])], ids=["root", "staff", "staff-carol", "nobody"])
@pytest.mark.parametrize("how", ["t", "args", "bs"])
def test_scripts_know_names_without_domains(server, how, to, users):
    "cron and its like write to root; aliases say who that is."
    subject = f"{how} {to}"
    text = f"From: root (Cron Daemon)\nTo: {to}\nSubject: {subject}\n\nhello\n.\nmore\n"
    if how == "bs":
        dialogue = "".join([f"EHLO localhost\r\nMAIL FROM:<root@local.example>\r\n",
                            *[f"RCPT TO:<{w}@local.example>\r\n" for w in to.split(", ")], "DATA\r\n",
                            text.replace("\n.\n", "\n..\n").replace("\n", "\r\n"), ".\r\nQUIT\r\n"])
        argv, text = ["-bs"], dialogue
    else:
        argv = {"t": ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t"], "args": ["-i", *to.split(", ")]}[how]
    done = subprocess.run([str(server.sendmail), *argv], input=text.encode(), capture_output=True, timeout=60 * lib.SLOW)
    assert done.returncode == 0, done.stderr.decode()
    server.wait_empty()
    for user in ("alice", "bob", "carol"):
        octets = [o for p in server.maildir(user) if f"Subject: {subject}\n".encode() in (o := p.read_bytes().replace(b"\r\n", b"\n"))]
        assert len(octets) == (user in users) and all(o.endswith(b"\n\nhello\n.\nmore\n") for o in octets)


def test_smtp_source(server):
    lib.smtp_source(server.port, n=50, sessions=5, size=5000, to="bob@local.example")
    server.wait_empty()


@pytest.fixture(scope="module")
def postfix(server):
    if not lib.ROOT:
        pytest.skip("Postfix needs root to start")
    with tempfile.TemporaryDirectory(prefix="postern.") as folder:
        os.chmod(folder, 0o755)
        with lib.Postfix(Path(folder) / "p", extra=f"relayhost = [127.0.0.1]:{server.port}\n"
                         "mynetworks = 127.0.0.0/8\nsmtp_tls_security_level = none\n") as peer:
            yield peer


@pytest.mark.parametrize("case", CASES)
def test_postfix_relays_to_us(server, postfix, tmp_path, case):
    "Its own smtp client; of a recipient who does not exist it learns at once, and tells the sender by our way."
    letter = Letter("postfix", case, tmp_path)
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.example", timeout=60) as s:
        s.sendmail("alice@local.example", letter.to, letter.octets, mail_options=["BODY=8BITMIME"])
    if case == "refused":
        def notice():
            return [p for p in server.maildir("alice") if b"multipart/report" in (octets := p.read_bytes())
                    and b"550 5.1.1" in octets and b"nobody-there@local.example" in octets]
        lib.wait_for("the notice of Postfix", notice)
    letter.check(server)
