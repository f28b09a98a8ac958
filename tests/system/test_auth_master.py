"""Who runs where there is AUTH, whom each may talk to, and how passwords get to postern-auth: start, reload, renewal, deaths."""
import base64
import contextlib
import hashlib
import hmac
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

import certs
from lib import ROOT, SLOW, free_port, wait_for

RENEWAL = 13 * SLOW + 15    # a look every 10 seconds, and 2 until it has settled
NAME = "mx.local.example"


def entry(login, password):
    "A line of the password table."
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b"0123456789abcdef", 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = [base64.b64encode(x).decode() for x in (b"0123456789abcdef", stored, server)]
    return f"{login}:{{SCRAM-SHA-256}}4096,{b64[0]},{b64[1]},{b64[2]}\n"


def put(path, text, mode=0o600):
    "A whole new file by renaming, as posternctl passwd does it."
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def listener(name, port, auth, more=""):
    return f'listener "{name}" {{ address = "127.0.0.1" port = {port} auth = {"true" if auth else "false"} {more} }}\n'


class Site:
    "A server with a listener for everybody on .mx, one with AUTH on .port, and its password table."

    def __init__(self, postern, folder):
        self.table, self.password, self.processes = folder / "passwd", folder / "office.password", ""
        self.mx = free_port()
        put(self.table, entry("alice", "wonder"))
        self.server = postern(start=False)
        self.port = self.server.port
        self.write()

    def write(self, auth=True, mx_auth=False, extra="", backend=None, more=""):
        self.server.listeners = listener("mx", self.mx, mx_auth) + listener("submission", self.port, auth, more)
        backend = backend or f'passwd = "{self.table}"'
        self.server.write_conf((f"auth {{ {backend} }}\n" if auth or mx_auth or extra else "") + extra + self.processes)

    def start(self):
        self.server.start()
        return self

    def logs_in(self, password="wonder", login="alice", port=None):
        try:
            with smtplib.SMTP("127.0.0.1", port or self.port, local_hostname="client.example", timeout=20 * SLOW) as s:
                s.login(login, password)
                return True
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError):
            return False

    def daemons(self):
        "(name, role) of those that run, sorted."
        return sorted((d["name"], d["role"] or "") for d in self.server.json("status")["daemons"])

    def pid(self, name, role=None, instance=0):
        for d in self.server.json("status")["daemons"]:
            if (d["name"], d["role"], d["instance"]) == (name, role, instance):
                return d["pid"]
        return None

    def refused(self, *patterns):
        "A reload that must fail, and say this."
        got = self.server.ctl("reload", check=False)
        text = (got.stdout + got.stderr).decode()
        assert got.returncode != 0, text
        for p in patterns:
            assert re.search(p, text), (p, text)


@pytest.fixture
def site(postern, folder):
    return Site(postern, folder)


PLAIN = [("deliver", "mailbox"), ("deliver", "remote"), ("pickup", ""), ("queue", ""), ("resolver", "")]
LOGIN = 'login "office" {{ user = "u" password-file = "{0}" }}\nroute "far.example" {{ via = "smtps:office@[127.0.0.1]:{1}" }}\n'


def channels(pid):
    "How many SOCK_SEQPACKET sockets a process has: its channels."
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    packet = {r[6] for r in rows if r[4] == "0005"}
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum(h[8:-1] in packet for h in held if h.startswith("socket:["))


def conf_processes(n):
    return f"smtpd {{ processes = {n} submission-processes = 2 }}\n"


def test_without_auth_nothing_is_new(site):
    site.write(auth=False)
    site.start()
    smtpd = [d for d in site.daemons() if d[0] == "smtpd"]
    assert smtpd and set(smtpd) == {("smtpd", "")}
    assert [d for d in site.daemons() if d[0] != "smtpd"] == PLAIN
    assert not site.logs_in()
    assert b"AUTH" not in smtplib.SMTP("127.0.0.1", site.port).ehlo()[1]


def test_with_auth(site):
    site.write(extra=conf_processes(1))
    site.start()
    assert site.daemons() == sorted(PLAIN + [("auth", ""), ("smtpd", ""), ("smtpd", "submission"), ("smtpd", "submission")])
    status = site.server.ctl("status").stdout.decode()
    assert re.search(r"^smtpd-submission/1 .* running$", status, re.M) and re.search(r"^auth/0 .* running$", status, re.M)
    assert "daemon smtpd-submission[0] ready" in site.server.text()
    assert site.logs_in() and not site.logs_in("wrong")
    assert not site.logs_in(port=site.mx)       # not offered there
    assert b"AUTH" not in smtplib.SMTP("127.0.0.1", site.mx).ehlo()[1]


@pytest.mark.skipif(not ROOT, reason="ids of their own need root, and so does a look at others' descriptors")
@pytest.mark.parametrize("logins", [0, 1])
def test_ids_and_channels(site, logins):
    extra = conf_processes(1)
    if logins:
        put(site.password, "sesame\n")
        extra += LOGIN.format(site.password, free_port())
    site.write(extra=extra)
    site.start()
    uid = {}
    for name, role in (("auth", None), ("smtpd", None), ("smtpd", "submission"), ("queue", None), ("deliver", "remote"), ("resolver", None)):
        pid = site.pid(name, role, 1 if role == "remote" else 0)
        got = re.search(r"Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).groups()
        assert len(set(got)) == 1 and got[0] != "0", (name, role, got)
        uid[name, role] = got[0]
    assert len(set(uid.values())) == len(uid), uid
    assert site.pid("pam") is None
    # master, two submission processes, and deliver where it has logins
    assert channels(site.pid("auth")) == 3 + logins
    assert channels(site.pid("deliver", "remote", 1)) == 3 + logins      # master, queue, resolver
    assert channels(site.pid("deliver", "mailbox")) == 2                 # master, queue
    assert channels(site.pid("smtpd")) == 4                              # master, queue, resolver, pickup
    assert channels(site.pid("smtpd", "submission")) == 4                # master, queue, resolver, auth
    assert channels(site.pid("pickup")) == 2                             # master, one smtpd
    assert channels(site.pid("resolver")) == 5                           # master, three smtpd, deliver


@pytest.mark.skipif(not ROOT, reason="started as root it stays root")
def test_pam_keeps_its_uid_and_nothing_else(site):
    site.write(extra=conf_processes(1), backend='pam = "postern-test-none"')
    site.start()
    pid = site.pid("pam")
    status = dict(x.split(":\t", 1) for x in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in x)
    assert status["Uid"].split() == ["0"] * 4 and status["Groups"].strip() == ""
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert channels(site.pid("auth")) == 4              # master, two submission processes, pam
    site.write()
    site.server.ctl("reload")
    wait_for("pam to leave", lambda: site.pid("pam") is None)
    wait_for("a login by the table", site.logs_in)


def test_descriptors_of_auth(site):
    if not ROOT:
        pytest.skip("a daemon is not dumpable: only root may look at its descriptors")
    site.start()
    pid = site.pid("auth")
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    for h in held:
        assert h.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", "/memfd:")) or h.endswith(("/lock", "/log")), held
    # What it was handed, it has closed.
    assert not any("secret" in h or "passwd" in h for h in held), held
    assert os.listdir(f"/proc/{pid}/root") == []


def test_login_section_alone_needs_auth(site):
    put(site.password, "sesame\n")
    site.write(auth=False, extra=LOGIN.format(site.password, free_port()), backend=" ")
    site.start()
    assert ("auth", "") in site.daemons() and ("smtpd", "submission") not in site.daemons()


def test_logins_by_reload_connect_deliver(site):
    if not ROOT:
        pytest.skip("needs root to count descriptors")
    site.start()
    before = channels(site.pid("auth"))
    put(site.password, "sesame\n")
    site.write(extra=LOGIN.format(site.password, free_port()))
    pid = site.pid("auth")
    site.server.ctl("reload")
    wait_for("the channel to deliver", lambda: channels(site.pid("auth")) == before + 1)
    assert site.pid("auth") == pid


def test_auth_comes_and_goes_by_reload(site):
    """The socket of a listener stays while it goes from one role to the other: nobody is refused a connection.

    One process of each role: where they are fewer than before, the kernel resets who waits at a socket that is closed.
    """
    site.processes = "smtpd { processes = 1 submission-processes = 1 }\n"
    site.write(auth=False)
    site.start()
    stop, failures = threading.Event(), []

    def knock():
        while not stop.is_set():
            try:
                socket.create_connection(("127.0.0.1", site.port), 5).close()
            except OSError as e:
                failures.append(e)
    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        site.write(auth=True)
        site.server.ctl("reload")
        wait_for("auth and submission", lambda: {("auth", ""), ("smtpd", "submission")} <= set(site.daemons()))
        wait_for("a login", site.logs_in)
        site.write(auth=True, mx_auth=True)
        site.server.ctl("reload")
        wait_for("the other listener to offer it", lambda: site.logs_in(port=site.mx))
        assert site.logs_in()
        site.write(auth=False)
        site.server.ctl("reload")
        wait_for("them to leave", lambda: site.pid("auth") is None and site.pid("smtpd", "submission") is None)
        assert not site.logs_in()
        with smtplib.SMTP("127.0.0.1", site.mx, timeout=20) as s:
            assert b"AUTH" not in s.ehlo()[1]
    finally:
        stop.set()
        knocking.join()
    assert not failures, failures[:3]


def test_a_session_outlives_the_move(site):
    "Who is in a session when its listener goes to the other role finishes it where he is."
    site.start()
    with smtplib.SMTP("127.0.0.1", site.port, local_hostname="client.example", timeout=20 * SLOW) as s:
        s.login("alice", "wonder")
        site.write(auth=False, mx_auth=True)        # submission's process stays, for the other listener
        site.server.ctl("reload")
        assert s.noop()[0] == 250
        with smtplib.SMTP("127.0.0.1", site.port, timeout=20 * SLOW) as fresh:
            assert b"AUTH" not in fresh.ehlo()[1]


# ---- what is refused ----

def test_start_with_a_bad_table(site):
    put(site.table, entry("alice", "wonder") + "no colon here\n")
    site.server.spawn()
    code = site.server.proc.wait(20 * SLOW)
    site.server.proc = None
    assert code == 1 and re.search(rf"daemon auth\[0\] cannot use the configuration: .*{site.table}:2", site.server.text()), site.server.text()


@pytest.mark.parametrize("case", ["world", "group", "missing", "directory", "owner"])
def test_F20_bad_password_files(site, case):
    """At the start and at a reload alike: nothing is put in force, the old stays."""
    site.start()
    wrong = site.table.with_name("wrong")
    put(wrong, entry("bob", "builder"))
    want = {"world": f"{wrong}: mode is 0604, expected 0600", "group": f"{wrong}: mode is 0640, expected 0600",
            "missing": f"password table {wrong}: No such file or directory (posternctl passwd makes it)", "directory": f"password table {wrong}: not a regular file",
            "owner": f"{wrong}: owner is uid 65534, expected 0"}[case]
    if case in ("owner", "group") and not ROOT:
        pytest.skip("to give a file away needs root")
    if case == "world":
        wrong.chmod(0o604)
    elif case == "group":
        os.chown(wrong, 0, 65534)
        wrong.chmod(0o640)
    elif case == "owner":
        os.chown(wrong, 65534, 0)
    else:
        wrong.unlink()
        if case == "directory":
            wrong.mkdir()
    site.write(backend=f'passwd = "{wrong}"')
    site.refused(re.escape(want))
    assert site.logs_in()
    site.write()
    put(site.password, "sesame\n", 0o644)
    site.write(extra=LOGIN.format(site.password, free_port()))
    site.refused(re.escape(f"{site.password}: mode is 0644, expected 0600 (a password is for its owner alone)"))
    assert site.logs_in()
    site.server.stop()
    site.server.spawn()
    assert site.server.proc.wait(20 * SLOW) == 1
    site.server.proc = None


def test_G8_bad_table_refuses_the_reload(site):
    """Another port and a bad line in one reload: neither is taken; the line is named; the old table answers."""
    site.start()
    new_port, old_port = free_port(), site.port
    put(site.table, entry("bob", "builder") + "# fine\n" + "carol:$what\n")
    site.port = new_port
    site.write()
    site.refused(rf"daemon auth\[0\] cannot use it: {site.table}:3")
    site.server.wait_log(r"reload refused: the configuration in force stays \(generation=1\)")
    site.port = old_port
    assert site.logs_in() and not site.logs_in("builder", "bob")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", new_port), 2)
    put(site.table, entry("bob", "builder"))
    site.server.ctl("reload")
    site.port = new_port
    assert site.logs_in("builder", "bob") and not site.logs_in()


def test_G8_trial_of_a_new_auth(site):
    """Where postern-auth does not run yet, one is started to judge the passwords before anything changes."""
    site.write(auth=False)
    site.start()
    put(site.table, "alice\n")
    site.write(auth=True)
    site.refused(rf"daemon auth\[0\] cannot use it: {site.table}:1")
    wait_for("the trial to end", lambda: site.pid("auth") is None)
    assert ("smtpd", "submission") not in site.daemons() and not site.logs_in()
    put(site.table, entry("alice", "wonder"))
    site.server.ctl("reload")
    wait_for("a login", site.logs_in)
    assert len(re.findall(r"daemon auth\[0\] started", site.server.text())) == 2


# ---- deaths and renewals ----

def test_F1_auth_killed_serves_again(site):
    """The successor gets what is in force, whatever stands in the file meanwhile."""
    site.start()
    with open(site.table, "w") as f:        # in place: the same file
        f.write("half a li")
    for _ in range(3):
        pid = site.pid("auth")
        os.kill(pid, signal.SIGKILL)
        wait_for("a successor", lambda: site.pid("auth") not in (0, None, pid))
        wait_for("a login", site.logs_in)
        assert not site.logs_in("wrong")
    assert "cannot use the configuration" not in site.server.text()


def test_F1_submission_killed_serves_again(site):
    site.start()
    other = site.pid("smtpd")
    pid = site.pid("smtpd", "submission")
    os.kill(pid, signal.SIGKILL)
    wait_for("a successor", lambda: site.pid("smtpd", "submission") not in (0, None, pid))
    wait_for("a login", site.logs_in)
    assert site.pid("smtpd") == other


def test_F19_auth_stopped_is_replaced(site):
    site.start()
    pid = site.pid("auth")
    os.kill(pid, signal.SIGSTOP)
    site.server.wait_log(rf"daemon auth\[0\] killed pid={pid} reason=\"did not answer in time\"", 40 * SLOW)
    wait_for("a login", site.logs_in)


@pytest.mark.parametrize("how", ["in_place", "linked"])
def test_a_changed_table_is_noticed(site, folder, how):
    if how == "linked":
        put(folder / "a", entry("alice", "wonder"))
        put(folder / "b", entry("bob", "builder"))
        site.table.unlink()
        site.table.symlink_to("a")
    site.start()
    assert site.logs_in()
    if how == "in_place":
        site.table.write_text(entry("bob", "builder"))
    else:
        (folder / "link").symlink_to("b")
        (folder / "link").rename(site.table)
    site.server.wait_log("files of certificates, keys or passwords were changed", RENEWAL)
    site.server.wait_log("reload done generation=2")
    assert site.logs_in("builder", "bob") and not site.logs_in()


def test_a_changed_password_file_is_noticed(site):
    put(site.password, "sesame\n")
    site.write(extra=LOGIN.format(site.password, free_port()))
    site.start()
    put(site.password, "open\n")
    site.server.wait_log("reload done generation=2", RENEWAL)


# ---- Dovecot's socket ----

class FakeDovecot:
    "Counts who connects; says nothing."

    def __init__(self, path, hang_up=False):
        self.path, self.hang_up, self.held, self.times, self.uids = path, hang_up, [], [], []
        self.sock = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.sock.bind(str(path))
        self.sock.listen(8)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c = self.sock.accept()[0]
                self.uids.append(int.from_bytes(c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], "little"))
                self.times.append(time.monotonic())
                if self.hang_up:
                    c.close()
                else:
                    self.held.append(c)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        os.unlink(self.path)
        for c in self.held:
            c.close()


def test_dovecot_is_reached_when_it_comes(site, folder):
    """Not there at the start: said once, tried again, and again when it went and came back."""
    path = folder / "auth-client"
    site.write(backend=f'dovecot = "{path}"')
    site.start()
    missing = rf"auth service {path}: cannot be reached: No such file or directory"
    site.server.wait_log(missing)
    time.sleep(2.5)                         # longer than a try or two
    assert len(re.findall(missing, site.server.text())) == 1
    dovecot = FakeDovecot(path)
    site.server.wait_log(rf"auth service {path}: reached")
    wait_for("a stream", lambda: len(dovecot.held) == 1)
    assert dovecot.uids == [os.getuid()]    # by master: postern-auth could not
    dovecot.close()
    site.server.wait_log(missing, count=2)
    again = FakeDovecot(path)
    wait_for("another stream", lambda: len(again.held) == 1)
    again.close()


@pytest.mark.skipif(not ROOT, reason="to give a socket away needs root")
def test_dovecot_that_is_anothers(site, folder):
    "As Dovecot makes its sockets: root without capabilities may not connect, and the log says whose it has to be."
    path = folder / "auth-client"
    dovecot = FakeDovecot(path)
    path.chmod(0o600)
    os.chown(path, 65534, 0)
    site.write(backend=f'dovecot = "{path}"')
    site.start()
    site.server.wait_log(rf"auth service {path}: cannot be reached: Permission denied \(the socket must be of who runs posternd: .*\); trying")
    os.chown(path, 0, 0)
    wait_for("a stream", lambda: len(dovecot.held) == 1)
    dovecot.close()


def test_dovecot_that_hangs_up_is_not_stormed(site, folder):
    path = folder / "auth-client"
    dovecot = FakeDovecot(path, hang_up=True)
    site.write(backend=f'dovecot = "{path}"')
    site.start()
    wait_for("some tries", lambda: len(dovecot.times) >= 3)
    assert all(b - a > 0.9 for a, b in zip(dovecot.times, dovecot.times[1:])), dovecot.times
    dovecot.close()


# ---- ticket keys ----

def resumes(port, context, session=None):
    "(session, was one resumed) over STARTTLS; TLS 1.2, whose ticket comes within the handshake."
    with smtplib.SMTP("127.0.0.1", port, timeout=20 * SLOW) as s:
        s.ehlo("client.example")
        assert s.docmd("STARTTLS")[0] == 220
        with context.wrap_socket(s.sock, server_hostname=NAME, session=session) as tls:
            got = tls.session, tls.session_reused
            s.sock = None
            return got


def test_ticket_keys_by_role_and_renewed(site, folder):
    """Tickets of one role open nothing in the other; SIGUSR1 brings a new key, and the third one ends the first."""
    pair = certs.make(folder, "pair", NAME)
    site.server.listeners = (listener("mx", site.mx, False, 'tls = "starttls"') + listener("submission", site.port, True, 'tls = "starttls"'))
    site.server.write_conf(f'auth {{ passwd = "{site.table}" }}\nsmtpd {{ processes = 2 submission-processes = 2 }}\n' + certs.section(NAME, pair))
    site.start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pair[0])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for port, other in ((site.mx, site.port), (site.port, site.mx)):
        session = resumes(port, context)[0]
        assert session.has_ticket
        for _ in range(8):      # whichever process it is
            assert resumes(port, context, session)[1]
            assert not resumes(other, context, session)[1]
    first = {port: resumes(port, context)[0] for port in (site.mx, site.port)}
    for turn in range(1, 4):
        site.server.proc.send_signal(signal.SIGUSR1)
        for role in ("", "-submission"):
            site.server.wait_log(rf"session tickets{role} have a new key kept={min(turn + 1, 3)}$", count=max(1, turn - 1))
        wait_for("a turn to get round", lambda: all(resumes(p, context, first[p])[1] == (turn < 3) for p in first))
    for port in first:
        for _ in range(8):
            assert not resumes(port, context, first[port])[1]
            assert resumes(port, context, resumes(port, context)[0])[1]


def test_stops_after_those_who_ask(site):
    site.start()
    site.server.stop()
    text = site.server.text()
    assert text.rindex("daemon smtpd-submission[0] ended") < text.index("daemon auth[0] asked to leave")
    assert text.index("daemon auth[0] ended") < text.index("daemon queue[0] asked to leave")


def test_R10_no_password_where_others_look(site):
    "A password is in no argument and no environment of any process of ours."
    site.start()
    assert site.logs_in()
    for name, pid in site.server.daemons() + [("posternd", site.server.proc.pid)]:
        for what in ("cmdline", "environ"):
            with contextlib.suppress(PermissionError):
                assert b"wonder" not in Path(f"/proc/{pid}/{what}").read_bytes(), (name, what)
    assert "wonder" not in site.server.text()
    assert "wonder" not in subprocess.run(["grep", "-r", "wonder", str(site.server.dir)], capture_output=True, text=True).stdout
