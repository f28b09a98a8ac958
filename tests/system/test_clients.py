"""Mail programs that people use submit to a running Postern; what arrived, and what they said, is checked.

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
                found = []
                for path in server.maildir(user):
                    with path.open("rb") as f:
                        m = email.message_from_binary_file(f, policy=email.policy.default)
                    if str(m["Subject"]) == self.subject:
                        found.append(m)
                return found
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
    return run(["git", "-C", str(m.folder), "send-email", "--smtp-server=127.0.0.1", f"--smtp-server-port={port}",
                "--smtp-domain=client.example", f"--from=Some One <{SENDER}>", *[f"--to={to}" for to in m.to],
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


def python(port, m):
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=60) as s:
            s.sendmail(SENDER, m.to, m.octets, mail_options=["BODY=8BITMIME"])
    except smtplib.SMTPRecipientsRefused as e:
        return SimpleNamespace(returncode=1, stdout=b"", stderr=repr(e.recipients).encode())
    return SimpleNamespace(returncode=0, stdout=b"", stderr=b"")


CLIENTS = (swaks, swaks_pipelined, msmtp, curl, nodemailer, git_send_email, net_smtp, s_nail, python)


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="postern.") as folder:
        os.chmod(folder, 0o755)
        with lib.Postern(Path(folder) / "p") as server:
            yield server


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: c.__name__)
def test_client(server, tmp_path, client, case):
    letter = Letter(client.__name__, case, tmp_path)
    done = client(server.port, letter)
    said = (done.stdout + done.stderr).decode(errors="replace")[-3000:]
    assert (done.returncode == 0) == (case != "refused"), (done.returncode, said)
    if case == "refused" and client is not s_nail:      # which says only that it failed
        assert "550" in said or "5.1.1" in said, said
    letter.check(server)


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
