"""Local submission by command: sendmail, the drop directory, pickup.

As root with ordinary users beside it (setpriv), and as an ordinary user with a server of his own.
"""
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib import BIN, ROOT, SLOW, Postern, gone, strip_received, wait_for

EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE = 0, 64, 65, 67, 69
EX_TEMPFAIL, EX_NOPERM = 75, 77
USERS = ("nobody", "daemon")
MESSAGE = b"Subject: hello\n\nhi\n"


def as_user(name):
    "Command words that make the rest run as this user; none where that is not possible."
    if not ROOT or name is None:
        return []
    user = pwd.getpwnam(name)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs"]


def reachable():
    return not ROOT or subprocess.run([*as_user("nobody"), str(BIN / "sendmail"), "--version"],
                                      capture_output=True).returncode == 0


needs_users = pytest.mark.skipif(not ROOT or not reachable(), reason="needs root, and programs that others can reach")


def sendmail(server, *args, text=MESSAGE, user=None, program=None, check=EX_OK):
    run = subprocess.run([*as_user(user), str(program or BIN / "sendmail"), "-O", f"postern-runtime={server.dir}/run",
                          *args], input=text, capture_output=True, timeout=120 * SLOW)
    if check is not None:
        assert run.returncode == check, (run.returncode, run.stderr, server.text()[-3000:])
    return run


def drop(server):
    return server.dir / "spool/drop/new"


def bad(server):
    return sorted((server.dir / "spool/drop/bad").iterdir())


def waiting(server):
    return sorted(drop(server).iterdir())


def mails(server, user, n, seconds=30):
    wait_for(f"{n} mails of {user}", lambda: len(server.maildir(user)) >= n, seconds * SLOW)
    found = server.maildir(user)
    assert len(found) == n, found
    return [f.read_bytes() for f in found]


def fields(octets):
    head = octets.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    return {k.decode().lower(): v.strip().decode("utf-8", "replace")
            for k, v in re.findall(rb"^([!-9;-~]+):((?:.*\n[ \t])*.*)$", head, re.M)}


@pytest.fixture
def server(postern):
    return postern()


@pytest.fixture
def down(postern):
    "A server that ran once, and does not now."
    server = postern()
    server.stop()
    return server


# ---- the server is there ----

@pytest.mark.sanitize
def test_a_message_arrives_with_what_was_missing(server):
    sendmail(server, "bob@local.example", text=b"Subject: hello\n\nhi\n.\nnot sent\n")
    got, = mails(server, "bob", 1)
    f = fields(got)
    login = pwd.getpwuid(os.getuid()).pw_name
    assert f["return-path"] == f"<{login}@{server.hostname}>"
    assert f["from"].endswith(f"{login}@{server.hostname}>") or f["from"] == f"{login}@{server.hostname}"
    assert f["subject"] == "hello" and f["to"] == "undisclosed-recipients:;"
    assert re.fullmatch(r"<\S+@mx\.local\.example>", f["message-id"]) and re.search(r" [+-]\d{4}$", f["date"])
    assert got.endswith(b"hi\n") and b"not sent" not in got
    assert waiting(server) == []
    server.wait_log(rf"connect client=local uid={os.getuid()}\b")


def test_recipients_from_the_header(server):
    text = (b"From: \"A. Lice\" <alice@local.example>\nTo: Bob <bob@local.example>,\n team: carol@local.example;\n"
            b"Bcc: alice@local.example\nSubject: t\n\n..\nx\n")
    sendmail(server, "-t", "-oi", "-f", "alice@local.example", text=text)
    for user in ("alice", "bob", "carol"):
        got, = mails(server, user, 1)
        assert b"Bcc" not in got and fields(got)["return-path"] == "<alice@local.example>"
        assert got.endswith(b"\n\n..\nx\n"), got


@pytest.mark.parametrize("args, text, status, words", [
    (["bob@local.example", "who@local.example"], MESSAGE, EX_NOUSER, b"<who@local.example> is refused: 550"),
    (["a@b@c"], MESSAGE, EX_DATAERR, b"a@b@c: "),
    (["-t"], b"Subject: x\n\nx\n", EX_DATAERR, b"no recipients"),
    (["-t"], b"To: (\n\nx\n", EX_DATAERR, b"To: a comment has no end"),
    ([], MESSAGE, EX_USAGE, b"no recipients"),
    (["-bd"], b"", EX_USAGE, b"posternd"),
    (["-f", "a b c", "bob@local.example"], MESSAGE, EX_USAGE, b"-f: "),
    (["bob@local.example"], b"A: " + b"x" * (1 << 20) + b"\n\n", EX_DATAERR, b"header section is too long"),
], ids=["one", "syntax", "none", "comment", "usage", "daemon", "sender", "header"])
def test_exit_statuses(server, args, text, status, words):
    run = sendmail(server, *args, text=text, check=status)
    assert words in run.stderr, run.stderr


def test_too_long_a_message_is_refused_at_once(postern):
    server = postern('message-size-limit = "64K"\n')
    run = sendmail(server, "bob@local.example", text=b"Subject: x\n\n" + b"x\n" * 65536, check=EX_UNAVAILABLE)
    assert b"longer than the 65536 octets" in run.stderr


def test_dsn_parameters_go_with_it(postern, hop):
    "NOTIFY, RET, ENVID, BODY are said to the server."
    server = postern()
    said = record(server)
    sendmail(said, "-N", "success,delay", "-R", "hdrs", "-V", "id=7 x", "-f", "<>", "bob@local.example",
             text=b"Subject: \xc3\xb6\n\n\xc3\xb6\n")
    talk = said.talk()
    assert re.search(rb"MAIL FROM:<> SIZE=\d+ BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id\+3D7\+20x\r\n", talk), talk
    assert b"RCPT TO:<bob@local.example> NOTIFY=SUCCESS,DELAY\r\n" in talk


class record:
    "A server on a Unix socket that says yes to everything, one session, and keeps what it heard."

    def __init__(self, server, script=None):
        self.dir = server.dir / "said"
        (self.dir / "run").mkdir(parents=True)
        (self.dir / "run/paths").write_text(f"directory={server.dir}/spool\nhostname=mx.local.example\n")
        self.text = server.text
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(self.dir / "run/submit"))
        os.chmod(self.dir / "run/submit", 0o666)
        self.sock.listen()
        self.script = script or (lambda line, n: None)
        self.heard = b""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            peer, _ = self.sock.accept()
            peer.sendall(b"220 x ESMTP\r\n")
            data, n = False, 0
            for line in peer.makefile("rb"):
                self.heard += line
                n += 1
                answer = self.script(line, n) if not data or line == b".\r\n" else None
                if answer == "close":
                    peer.close()
                    return
                if answer:
                    peer.sendall(answer)
                    continue
                if data:
                    if line == b".\r\n":
                        data = False
                        peer.sendall(b"250 2.0.0 ok\r\n")
                elif line.startswith(b"EHLO"):
                    peer.sendall(b"250-x\r\n250-PIPELINING\r\n250-SIZE 99999999\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n")
                elif line.startswith(b"DATA"):
                    data = True
                    peer.sendall(b"354 go\r\n")
                elif line.startswith(b"QUIT"):
                    return
                else:
                    peer.sendall(b"250 2.1.0 ok\r\n")

    def talk(self):
        self.thread.join(20 * SLOW)
        return self.heard


def test_without_an_end_of_input_nothing_is_said(server):
    "All is read first: what is broken off sends nothing."
    proc = subprocess.Popen([str(BIN / "sendmail"), "-O", f"postern-runtime={server.dir}/run", "bob@local.example"],
                            stdin=subprocess.PIPE)
    proc.stdin.write(b"Subject: x\n\n" + b"line\n" * 500000)
    proc.stdin.flush()
    proc.kill()
    proc.wait()
    proc.stdin.close()
    sendmail(server, "bob@local.example", text=b"Subject: whole\n\nx\n")
    got, = mails(server, "bob", 1)
    assert fields(got)["subject"] == "whole"
    assert waiting(server) == [] and "queue" not in server.ctl("queue", "list").stderr.decode()


@pytest.mark.sanitize
def test_more_recipients_than_one_transaction_takes(postern):
    server = postern('smtpd { rcpt-max = 3 }\ndomain "many.example" { deliver = "maildir:%s/%%d/%%u" recipients = { "*" } }\n'
                     % "MAIL", start=False)
    server.write_conf(server.extra.replace("MAIL", str(server.mail)))
    server.start()
    sendmail(server, *[f"u{n}@many.example" for n in range(10)], "u3@many.example", "u3@MANY.example")
    for n in range(10):
        wait_for(f"u{n}", lambda: len(server.maildir(f"u{n}", "many.example")) == 1)


def test_megabytes_octet_for_octet(server):
    body = b"".join(b".%d\n" % (i * 7919) for i in range(600000))
    sendmail(server, "-i", "bob@local.example", text=b"From: a@b.example\nSubject: big\n\n" + body)
    got, = mails(server, "bob", 1)
    assert got.split(b"\n\n", 1)[1] == body


def test_smtp_on_standard_input(server):
    talk = (b"EHLO x\r\nMAIL FROM:<alice@local.example>\r\nRCPT TO:<bob@local.example>\r\nDATA\r\n"
            b"Subject: bs\r\n\r\n.\r\nQUIT\r\n")
    run = sendmail(server, "-bs", text=talk)
    assert run.stdout.startswith(b"220 ") and b"queued as" in run.stdout and run.stdout.rstrip().split(b"\r\n")[-1][:3] == b"221"
    mails(server, "bob", 1)


@needs_users
def test_who_it_is_is_the_kernels_word(server):
    for name in USERS:
        sendmail(server, "bob@local.example", user=name)
        server.wait_log(rf"connect client=local uid={pwd.getpwnam(name).pw_uid}\b")
    got = mails(server, "bob", 2)
    assert {fields(g)["return-path"] for g in got} == {f"<{u}@{server.hostname}>" for u in USERS}


# ---- the queue's forms ----

def links(folder):
    for name in ("mailq", "newaliases"):
        (folder / name).symlink_to(BIN / "sendmail")
    return folder / "mailq", folder / "newaliases"


def test_mailq_and_newaliases(server, folder):
    mailq, newaliases = links(folder)
    assert b"is empty" in sendmail(server, program=mailq, text=b"").stdout
    server.ctl("pause")
    sendmail(server, "-f", "alice@local.example", "bob@local.example", "carol@local.example")
    for run in (sendmail(server, program=mailq, text=b""), sendmail(server, "-bp", text=b"")):
        assert re.search(rb"^-+Queue ID-+ .*\n[0-9A-Z]+\S? +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d  alice@local\.example\n"
                         rb" +bob@local\.example\n +carol@local\.example\n\n-- \d+ Kbytes in 1 Request\.\n", run.stdout, re.M), run.stdout
    server.ctl("resume")
    mails(server, "bob", 1)
    before = len(re.findall("reload done", server.text()))
    sendmail(server, program=newaliases, text=b"")
    sendmail(server, "-bi", text=b"")
    wait_for("two reloads", lambda: len(re.findall("reload done", server.text())) == before + 2)
    sendmail(server, "-q", text=b"")


@needs_users
def test_the_queue_is_the_operators(server, folder):
    mailq, newaliases = links(folder)
    for program in (mailq, newaliases):
        run = sendmail(server, program=program, text=b"", user="nobody", check=EX_NOPERM)
        assert b"group postern-admin" in run.stderr


# ---- the server is not there ----

@pytest.mark.sanitize
def test_mail_waits_for_the_server(down):
    for n in range(3):
        sendmail(down, "-f", "alice@local.example", "bob@local.example", text=b"Subject: %d\n\nx\n" % n)
    files = waiting(down)
    assert len(files) == 3 and all(re.fullmatch(r"m-[0-9a-f]{32}", f.name) for f in files)
    down.start()
    got = mails(down, "bob", 3)
    assert sorted(fields(g)["subject"] for g in got) == ["0", "1", "2"]
    wait_for("an empty drop", lambda: waiting(down) == [])


def test_a_socket_that_nobody_listens_on(down):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(down.dir / "run/submit"))
    sendmail(down, "bob@local.example")
    assert len(waiting(down)) == 1
    down.start()
    mails(down, "bob", 1)


@pytest.mark.parametrize("script, left", [
    (lambda line, n: b"451 4.3.0 later\r\n" if line.startswith(b"MAIL") else None, 2),
    (lambda line, n: b"450 4.2.0 later\r\n" if b"carol" in line else None, 1),
    (lambda line, n: b"452 4.3.1 full\r\n" if line == b".\r\n" else None, 2),
    (lambda line, n: b"421 4.3.2 bye\r\n" if line.startswith(b"DATA") else None, 2),
    (lambda line, n: "close" if line == b".\r\n" else None, 2),
    (lambda line, n: "close" if line.startswith(b"EHLO") else None, 2),
    (lambda line, n: b"what\r\n" if line.startswith(b"EHLO") else None, 2),
], ids=["mail", "rcpt", "dot", "421", "close", "hello", "garbage"])
def test_refused_for_now(down, script, left):
    "Those that were not taken wait, and only those."
    said = record(down, script)
    sendmail(said, "bob@local.example", "carol@local.example")
    said.talk()
    file, = waiting(down)
    assert len(re.findall(rb"^to 0 ", file.read_bytes(), re.M)) == left


def test_what_the_running_server_refuses_comes_back_as_a_notice(down):
    sendmail(down, "-f", "alice@local.example", "bob@local.example", "who@local.example", "no@local.example",
             text=b"Subject: partly\nX-Mine: 7\n\nsecret\n")
    sendmail(down, "-f", "alice@local.example", "-N", "never", "who@local.example")
    sendmail(down, "-f", "<>", "who@local.example")
    down.start()
    assert fields(mails(down, "bob", 1)[0])["subject"] == "partly"
    notice, = mails(down, "alice", 1)
    assert fields(notice)["return-path"] == "<>" and fields(notice)["content-type"].startswith("multipart/report")
    for words in (b"Final-Recipient: rfc822; who@local.example", b"Final-Recipient: rfc822; no@local.example",
                  b"Action: failed", b"Status: 5.1.1", b"Diagnostic-Code: smtp; 550 ", b"X-Mine: 7"):
        assert words in notice, notice
    assert b"bob@local.example" not in notice and b"secret" not in notice
    wait_for("an empty drop", lambda: waiting(down) == [])
    wait_for("the one without a sender", lambda: len(bad(down)) == 1)     # nobody can be told: kept
    down.wait_log(r"is no message: refused for good, and it has no sender to tell; moved to bad/")


def test_recipients_refused_for_now_wait_by_themselves(down):
    "pickup: bob has his, carol's waits under the name of who sent it, and goes when she is taken."
    sendmail(down, "-f", "alice@local.example", "bob@local.example", "carol@local.example")
    down.write_conf('recipient-access = { "carol@local.example 450 4.2.1 later" }\n')
    down.start()
    mails(down, "bob", 1)
    rest = wait_for("the rest", lambda: [f for f in waiting(down) if f.name.startswith("m-") and b"to 0 carol" in f.read_bytes()
                                         and b"bob" not in f.read_bytes()])[0]
    assert f"uid {os.getuid()}\n".encode() in rest.read_bytes()
    down.stop()
    down.write_conf("")
    down.start()
    mails(down, "carol", 1)
    down.wait_log(rf"drop file={rest.name} uid={os.getuid()} submitted")
    wait_for("an empty drop", lambda: waiting(down) == [])
    assert len(down.maildir("bob")) == 1


def test_what_waits_too_long_comes_back(down):
    sendmail(down, "-f", "alice@local.example", "carol@local.example")
    file, = waiting(down)
    down.write_conf('recipient-access = { "carol@local.example 450 4.2.1 later" }\nqueue { lifetime = "1s" }\n')
    wait_for("its time to be over", lambda: time.time() - os.stat(file).st_ctime > 2.5)
    down.start()
    notice, = mails(down, "alice", 1)
    assert b"Status: 5.4.7" in notice and b"450 4.2.1" in notice, notice.decode() + down.text()[-3000:]
    wait_for("an empty drop", lambda: waiting(down) == [])


def test_a_full_disk_is_said_and_leaves_nothing(down):
    if not ROOT:
        pytest.skip("mounting needs root")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "none", str(down.dir / "spool")],
                           capture_output=True)
    if mount.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        drop(down).mkdir(parents=True)
        run = sendmail(down, "bob@local.example", text=b"Subject: x\n\n" + b"x" * 400000, check=EX_TEMPFAIL)
        assert b"no space" in run.stderr and waiting(down) == []
        sendmail(down, "bob@local.example")
        assert len(waiting(down)) == 1
    finally:
        subprocess.run(["umount", str(down.dir / "spool")], check=True)


def test_no_place_to_wait(down):
    run = sendmail(down, "-O", "postern-directory=/nonexistent", "bob@local.example", check=EX_TEMPFAIL)
    assert b"/nonexistent/drop/new: No such file" in run.stderr


def test_turned_off(postern):
    server = postern("local-submission = false\n")
    assert not (server.dir / "run/submit").exists() and server.pid_of("postern-pickup") is None
    run = sendmail(server, "bob@local.example", check=EX_UNAVAILABLE)
    assert b"takes no mail of local users" in run.stderr


# ---- crashes: nothing is lost ----

@pytest.mark.sanitize
@pytest.mark.parametrize("victim", ["postern-pickup", "postern-smtpd", "postern-queue"])
def test_F1_killed_in_the_midst(down, victim):
    "Each message arrives at least once, whatever dies how often (G2, G3)."
    for n in range(40):
        sendmail(down, "-f", "alice@local.example", "bob@local.example", text=b"Subject: n%d\n\n" % n + b"x\n" * 20000)
    down.start()
    for _ in range(3):
        wait_for("a victim", lambda: down.pid_of(victim))
        pid = down.kill(victim)
        wait_for("its end", lambda: gone(pid))
        time.sleep(0.15)        # so that the next one dies at work, not at its start

    def all_there():
        return {fields(f.read_bytes()).get("subject") for f in down.maildir("bob")} == {f"n{n}" for n in range(40)}
    wait_for("all forty", all_there, 90 * SLOW)
    wait_for("an empty drop", lambda: waiting(down) == [], 90 * SLOW)


# ---- a hostile directory ----

def craft(path, head, body=b"Subject: x\r\n\r\nx\r\n", cut=0, flip=False):
    "A file as sendmail writes it, or nearly."
    octets = head + body
    total = 0xcbf29ce484222325
    for c in octets:
        total = (total ^ c) * 0x100000001b3 % 2**64
    octets += b"postern-end %020d %016x\n" % (len(body), total)
    if flip:
        octets = octets.replace(b"Subject: x", b"Subject: y")
    path.write_bytes(octets[:len(octets) - cut])
    if ROOT:        # as if he had made it there: the directory gives its group
        os.chown(path, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("postern-pickup").pw_gid)
    os.chmod(path, 0o640)


HEAD = b"postern-drop 1\nfrom alice@local.example\nto 0 bob@local.example\ndata\n"


def name(n):
    return f"m-{n:032x}"


def test_hostile_files(server):
    d = drop(server)
    outside = server.dir / "outside"
    craft(outside, HEAD)
    stage = server.dir / "stage"
    stage.mkdir()

    def put(n, *args, mode=0o640, **kw):
        craft(stage / name(n), *args, **kw)
        os.chmod(stage / name(n), mode)
        os.rename(stage / name(n), d / name(n))
    (d / name(1)).symlink_to(outside)
    os.link(outside, d / name(2))
    os.mkfifo(d / name(3))
    (d / name(4)).mkdir()
    (d / name(5)).mkdir()
    (d / name(5) / "inside").write_text("x")
    put(6, HEAD, cut=1)
    put(7, HEAD, cut=60)
    put(8, HEAD, flip=True)
    put(9, b"")
    put(10, b"garbage\n" * 100000)
    put(11, HEAD.replace(b"to 0 bob@local.example", b"to 0 bob@local.example>\x01"))
    put(12, HEAD.replace(b"from", b"uid 0\nfrom"))           # who he is is not his to say
    put(13, b"postern-drop 1\nfrom \n" + b"to 0 bob@local.example\n" * 10001 + b"data\n")
    put(14, HEAD, mode=0o4640)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(d / name(15)))
    (d / "core").write_text("x")
    (d / "a\nb\x1b[31m").write_text("x")
    with open(stage / name(16), "wb") as f:
        f.truncate(1 << 40)
    os.chmod(stage / name(16), 0o640)
    os.rename(stage / name(16), d / name(16))
    (d / name(17)).write_bytes(b"")
    put(99, HEAD)
    server.stop()
    server.start()                                          # a whole pass
    got = mails(server, "bob", 2)                           # 12 and 99
    assert all(fields(g)["subject"] == "x" for g in got)
    uid = pwd.getpwnam("nobody").pw_uid if ROOT else os.getuid()
    server.wait_log(rf"drop file={name(99)} uid={uid} submitted")
    server.wait_log(rf"drop file={name(12)} uid={uid if ROOT else 0} submitted")
    left = wait_for("the rest to be put aside", lambda: waiting(server) if len(waiting(server)) <= 2 else None)
    assert {f.name for f in left} <= {name(4), name(5)}    # directories cannot be moved by who does not own them
    assert outside.read_bytes().startswith(b"postern-drop 1")
    text = server.text()
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17):
        # Once; what cannot be moved once in each life of pickup.
        assert len(re.findall(rf"drop file={name(n)} \S+ is no message", text)) in ((1, 2) if n in (4, 5) else (1,)), n
    assert r"a\x0ab\x1b[31m" in text.replace("\\\\", "\\") and "\x1b[31m" not in text
    assert server.pid_of("postern-pickup")


def test_a_file_of_an_ordinary_name_appears_while_it_runs(server):
    "inotify, not the minute."
    stage = server.dir / "stage"
    stage.mkdir()
    craft(stage / name(1), HEAD)
    os.rename(stage / name(1), drop(server) / name(1))
    mails(server, "bob", 1, 10)


@needs_users
def test_a_number_of_a_file_that_is_gone_stops_no_other(server):
    "What cannot be moved is remembered: not so that the next file with its inode number would wait for ever."
    stage = server.dir / "stage"
    stage.mkdir()
    (drop(server) / name(5)).mkdir()
    (drop(server) / name(5) / "inside").write_text("x")
    server.stop()
    server.start()
    server.wait_log(rf"drop file={name(5)} \S+ is no message: .*; it stays")
    number = os.stat(drop(server) / name(5)).st_ino
    shutil.rmtree(drop(server) / name(5))
    for n in range(100, 164):
        craft(stage / name(n), HEAD)
        if os.stat(stage / name(n)).st_ino == number:
            break
    else:
        pytest.skip("this file system gives no number twice")
    os.rename(stage / name(n), drop(server) / name(n))
    mails(server, "bob", 1, 10)


@needs_users
def test_what_cannot_be_removed_is_sent_once(down):
    file = drop(down) / name(1)
    craft(file, HEAD)
    if subprocess.run(["chattr", "+i", str(file)], capture_output=True).returncode != 0:
        pytest.skip("no immutable files here")
    try:
        down.start()
        down.wait_log(rf"drop file={name(1)} was submitted and stays")
        stage = down.dir / "stage"
        stage.mkdir()
        craft(stage / name(2), HEAD.replace(b"to 0 bob", b"to 0 alice"))
        os.rename(stage / name(2), drop(down) / name(2))    # by inotify, then a pass
        mails(down, "alice", 1)
        assert len(mails(down, "bob", 1)) == 1
        assert len(re.findall(rf"drop file={name(1)} uid=\d+ submitted", down.text())) == 1
    finally:
        subprocess.run(["chattr", "-i", str(file)], check=True)


def test_what_no_message_may_hold_is_refused_once_and_told(server):
    "By its first octets, its header and its last ones: a notice each, and nobody else has to wait for it."
    stage = server.dir / "stage"
    stage.mkdir()
    long = b"y" * 70 + b"\r\n"
    bodies = [b"Subject: h\r\n\r\na\rb\r\n" + long * 40000, b"Subject: h\r\n\r\n" + long * 40000 + b"a\nb\r\n",
              b"Subject: h\r\nX: a\rb\r\n\r\nb\r\n", b"Subject: h\r\nX: a\nb\r\n\r\nb\r\n",
              b"Subject: h\r\nX: a\0b\r\n\r\nb\r\n"]
    for n, body in enumerate(bodies):
        craft(stage / name(n), HEAD, body=body)
        os.rename(stage / name(n), drop(server) / name(n))
    for notice in mails(server, "alice", len(bodies)):
        assert b"Undelivered mail" in notice and b"Subject: h" in notice and b"X: a" not in notice
    wait_for("an empty drop", lambda: waiting(server) == [])
    assert bad(server) == [] and not server.maildir("bob")
    assert "conversation with smtpd lost" not in server.text()


@needs_users
def test_users_cannot_see_or_touch_what_waits(down):
    sendmail(down, "bob@local.example", user="daemon")
    file, = waiting(down)
    st = os.stat(file)
    assert stat.S_IMODE(st.st_mode) == 0o640 and st.st_uid == pwd.getpwnam("daemon").pw_uid
    assert stat.S_IMODE(os.stat(drop(down)).st_mode) == 0o3733

    def nobody(*argv):
        return subprocess.run([*as_user("nobody"), *argv], capture_output=True).returncode
    assert nobody("ls", str(drop(down))) != 0
    assert nobody("cat", str(file)) != 0
    assert nobody("rm", "-f", str(file)) != 0
    assert nobody("mv", str(file), str(drop(down) / "x")) != 0
    assert nobody("touch", str(drop(down).parent / "x")) != 0
    assert nobody("ls", str(drop(down).parent / "bad")) != 0
    assert file.exists()


@needs_users
def test_a_flood_delays_only_its_maker(down):
    stage = down.dir / "stage"
    stage.mkdir()
    for n in range(600):
        craft(stage / name(n), HEAD)
        os.rename(stage / name(n), drop(down) / name(n))
    sendmail(down, "carol@local.example", user="daemon")
    down.start()
    mails(down, "carol", 1)
    position = down.text().index(f"uid={pwd.getpwnam('daemon').pw_uid} submitted")
    assert down.text()[:position].count(" submitted ") < 100
    wait_for("the flood", lambda: len(down.maildir("bob")) == 600, 60 * SLOW)
    wait_for("an empty drop", lambda: waiting(down) == [])


def test_stale_beginnings_are_left_alone_while_young(server):
    (drop(server) / ("t-" + "0" * 32)).write_bytes(b"postern-drop 1\n")
    server.stop()
    server.start()
    server.wait_log(r"pickup\[\d+\]: ready", count=2)
    sendmail(server, "bob@local.example")
    mails(server, "bob", 1)
    assert [f.name for f in waiting(server)] == ["t-" + "0" * 32]


@needs_users
def test_an_ordinary_users_own_server(postern):
    user = pwd.getpwnam("nobody")
    server = postern(start=False, wrap=as_user("nobody"))
    for path in (server.dir, server.dir / "spool", server.dir / "run"):
        os.chown(path, user.pw_uid, user.pw_gid)
    server.start()
    sendmail(server, "bob@local.example", user="nobody")
    mails(server, "bob", 1)
    server.stop()
    sendmail(server, "bob@local.example", user="nobody")
    sendmail(server, "bob@local.example")                   # root's, too
    server.start()
    mails(server, "bob", 3)
    wait_for("an empty drop", lambda: waiting(server) == [])
