"""posternd: start, refusals, supervision, reload, notification (R13, F1, F2, F13, F19, F20, G8).

Waits are for log lines, sockets and processes, never for time to pass.
"""
import contextlib
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from lib import BIN, ROOT, SLOW, Postern, Raw, connects, free_port, wait_for

READY = r"posternd\[\d+\]: ready version="
PING_TIMEOUT = 18           # seconds until a stopped daemon is replaced: an interval and a time-out


def up(server):
    "Start, and wait for master's own word."
    mark = len(re.findall(READY, server.text(), re.M))
    server.spawn()

    def ready():
        assert server.proc.poll() is None, server.text()[-4000:]
        return len(re.findall(READY, server.text(), re.M)) > mark
    wait_for("posternd to be ready", ready)
    return server


def refused(server, pattern, seconds=15):
    "It does not start, and says why."
    server.spawn()
    code = server.proc.wait(seconds * SLOW)
    server.proc = None
    assert code == 1, (code, server.text())
    assert re.search(pattern, server.text(), re.M), server.text()


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.fixture
def server(postern):
    return up(postern(start=False))


# ---- start ----

def test_starts_and_stops_in_order(server):
    names = {name for name, _ in server.daemons()}
    assert names == {"postern-smtpd", "postern-queue", "postern-resolve", "postern-deliver", "postern-pickup"}, names
    pids = [pid for _, pid in server.daemons()]
    with Raw(server.port) as c:
        assert c.greeting.startswith("220 "), c.greeting
    server.proc.terminate()
    assert server.proc.wait(30 * SLOW) == 0
    assert not any(alive(pid) for pid in pids)
    text = server.text()
    ends = [text.index(m) for m in re.findall(r"daemon (?:smtpd|pickup)\[\d+\] ended[^\n]*", text)]
    asked = text.index("daemon queue[0] asked to leave")
    assert ends and max(ends) < text.index("daemon deliver[1] asked to leave") < asked
    assert text.rstrip().endswith("stopped")
    assert not (server.dir / "run/control").exists()
    assert not (server.dir / "run/posternd.pid").exists()


def test_F20_second_start_is_refused_by_name(server):
    first = server.proc.pid
    again = subprocess.run([str(BIN / "posternd"), "-f", "-c", str(server.conf_path)], capture_output=True,
                           timeout=30 * SLOW)
    assert again.returncode == 1
    assert f"posternd runs already: {server.dir}/run/posternd.pid is locked by pid {first}" in again.stderr.decode()
    assert server.proc.poll() is None and connects(server.port)


def test_F20_same_port_is_refused(server, folder, postern):
    other = postern(start=False, folder=folder / "other", port=server.port)
    refused(other, rf'listener "mx": cannot bind 127\.0\.0\.1 port {server.port}: Address already in use')


def test_F20_stale_files_are_no_hindrance(postern):
    server = postern(start=False)
    (server.dir / "run/posternd.pid").write_text("1\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(server.dir / "run/control"))
    up(server)
    assert (server.dir / "run/posternd.pid").read_text() == f"{server.proc.pid}\n"


@pytest.mark.parametrize("path, mode, words", [
    ("spool", 0o777, r"spool: mode is 0777, expected 0755"),
    ("run", 0o775, r"run: mode is 0775, expected 0755"),
    ("spool/store", 0o777, r"spool/store: mode is 0777, expected 07[01]0"),
    ("spool/empty", 0o755, r"spool/empty: mode is 0755, expected 0555"),
    ("spool/drop", 0o777, r"spool/drop: mode is 0777, expected 0711"),
    ("spool/drop/new", 0o1777, r"drop/new: mode is 1777, expected [23]7"),
    ("spool/drop/bad", 0o755, r"drop/bad: mode is 0755, expected 0700"),
    ("mail", 0o770, r"mail: mode is 0770, expected 0750"),
])
def test_F20_wrong_mode_is_refused_by_name(postern, path, mode, words):
    server = up(postern(start=False))
    server.stop()
    os.chmod(server.dir / path, mode)
    refused(server, words)


@pytest.mark.skipif(not ROOT, reason="only root can give files away")
@pytest.mark.parametrize("path", ["spool", "run", "spool/store", "spool/empty", "spool/drop", "spool/drop/new", "spool/drop/bad", "mail"])
def test_F20_wrong_owner_is_refused_by_name(postern, path):
    server = up(postern(start=False))
    server.stop()
    uid = pwd.getpwnam("nobody").pw_uid
    expected = os.stat(server.dir / path).st_uid
    os.chown(server.dir / path, uid, -1)
    refused(server, rf"{path}: owner is uid {uid}, expected {expected}")


def test_F20_link_instead_of_directory_is_refused(postern):
    server = postern(start=False)
    (server.dir / "elsewhere").mkdir()
    (server.dir / "spool").rmdir()
    (server.dir / "spool").symlink_to(server.dir / "elsewhere")
    refused(server, r"spool: found something else, expected a directory")


def test_configuration_that_others_may_write_is_refused(postern):
    server = postern(start=False)
    os.chmod(server.conf_path, 0o666)
    refused(server, r"postern\.conf: mode is 0666, expected 0644")


def test_F13_bad_configuration_at_start(postern):
    server = postern("nonsense = 1\n", start=False)
    line = server.conf_path.read_text().count("\n")
    refused(server, rf"{re.escape(str(server.conf_path))}:{line}: .*nonsense")
    assert "configuration refused" in server.text()
    server.conf_path.unlink()
    refused(server, r"postern\.conf: No such file or directory")


def test_in_the_background(postern):
    "Without -f the command returns 0 when all daemons serve, and 1 when the start failed."
    server = postern(start=False)
    run = subprocess.run([str(BIN / "posternd"), "-c", str(server.conf_path)], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=open(server.log_path, "ab"), timeout=60 * SLOW)
    pid = int((server.dir / "run/posternd.pid").read_text())
    try:
        assert run.returncode == 0
        assert re.search(READY, server.text(), re.M)
        assert connects(server.port)
        assert os.getsid(pid) == pid
        again = subprocess.run([str(BIN / "posternd"), "-c", str(server.conf_path)], capture_output=True,
                               timeout=60 * SLOW)
        assert again.returncode == 1 and b"runs already" in again.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for("the daemon to leave", lambda: not alive(pid))


@pytest.mark.skipif(not ROOT, reason="capabilities are root's")
def test_master_keeps_few_capabilities(server):
    status = Path(f"/proc/{server.proc.pid}/status").read_text()
    value = dict(re.findall(r"^(\w+):\s*(\S+)", status, re.M))
    wanted = sum(1 << c for c in (5, 6, 7, 8, 10, 18))   # kill setgid setuid setpcap net_bind_service sys_chroot
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(value[name], 16) == wanted, (name, value[name])
    assert int(value["CapInh"], 16) == int(value["CapAmb"], 16) == 0
    assert value["NoNewPrivs"] == "1"


def test_daemons_inherit_nothing(server):
    "An empty environment, and no descriptor of a file that is not theirs."
    for name, pid in server.daemons():
        with contextlib.suppress(PermissionError):      # not dumpable: only root may look
            assert Path(f"/proc/{pid}/environ").read_bytes() == b"", name
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                target = os.readlink(fd)
                assert "postern.conf" not in target and "posternd.pid" not in target, (name, target)


# ---- supervision ----

@pytest.mark.parametrize("name, label", [("postern-smtpd", "smtpd"), ("postern-queue", "queue"),
                                         ("postern-resolver", "resolver"), ("postern-deliver", "deliver"),
                                         ("postern-pickup", "pickup")])
def test_R13_killed_daemon_comes_back_and_serves(server, name, label):
    old = server.kill(name)
    server.wait_log(rf"daemon {label}\S* ended pid={old} signal=9")
    found = server.wait_log(rf"daemon ({label}\S*) starts again in 100 ms")[1]
    server.wait_log(rf"daemon {re.escape(found)} ready", count=2)
    assert not alive(old)
    server.send()
    wait_for("the mail to arrive", lambda: len(server.maildir("bob")) == 1)


def test_R13_crash_loop_backs_off_longer_each_time(server):
    for wait in (100, 200, 400, 800):
        server.kill("postern-resolver")
        server.wait_log(rf"daemon resolver\[0\] starts again in {wait} ms")
        wait_for("a new resolver", lambda: server.pid_of("postern-resolver"))
    assert connects(server.port)


def test_F19_stopped_daemon_is_replaced(server):
    pid = server.kill("postern-resolver", signal.SIGSTOP)
    server.wait_log(rf'daemon resolver\[0\] killed pid={pid} reason="did not answer in time"', (PING_TIMEOUT + 10) * SLOW)
    server.wait_log(r"daemon resolver\[0\] ready", count=2)
    assert not alive(pid)


def test_F2_kill_of_master_leaves_nothing(server):
    pids = [pid for _, pid in server.daemons()]
    server.proc.kill()
    server.proc.wait()
    # A new start at once: it waits for the old daemons, and finds nothing stale.
    old = server.proc.pid
    up(server)
    assert server.proc.pid != old
    assert not any(alive(pid) for pid in pids)
    server.send()
    wait_for("the mail to arrive", lambda: len(server.maildir("bob")) == 1)


def test_F2_daemons_leave_by_themselves(server):
    pids = [pid for _, pid in server.daemons()]
    server.proc.kill()
    server.proc.wait()
    wait_for("the daemons to leave", lambda: not any(alive(pid) for pid in pids), 20 * SLOW)
    server.proc = None


# ---- reload ----

def reloads(server, word="done"):
    return len(re.findall(rf"reload {word}", server.text()))


def hup(server, word="done"):
    before = reloads(server, word)
    server.proc.send_signal(signal.SIGHUP)
    wait_for(f"reload {word}", lambda: reloads(server, word) > before)


def two_listeners(server, *ports):
    server.listeners = "".join(f'listener "l{p}" {{ address = "127.0.0.1" port = {p} }}\n' for p in ports)


def test_G8_bad_reload_changes_nothing(server):
    pids = sorted(server.daemons())
    hup(server)
    with Raw(server.port) as c:
        assert c.say("EHLO client.example").startswith("250")
        server.write_conf("hostname 7\nlistener { }\n")
        hup(server, "refused")
        server.wait_log(rf"reload: {re.escape(str(server.conf_path))}:\d+: ")
        assert c.say("NOOP").startswith("250")
    assert connects(server.port)
    assert sorted(server.daemons()) == pids
    server.write_conf("")
    hup(server)


def test_G8_port_that_is_taken_refuses_the_whole_reload(server):
    fresh = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        two_listeners(server, server.port, fresh, taken)
        server.write_conf()
        hup(server, "refused")
        server.wait_log(rf'reload: listener "l{taken}": cannot bind 127\.0\.0\.1 port {taken}')
    assert connects(server.port) and not connects(fresh)


@pytest.mark.parametrize("old, new, name", [("/spool\"", "/spool2\"", "directory"), ("/run\"", "/run2\"", "runtime")])
def test_G8_what_cannot_change_is_refused_by_name(server, old, new, name):
    server.conf_path.write_text(server.conf_path.read_text().replace(old, new))
    hup(server, "refused")
    server.wait_log(rf"reload: {name} cannot change while posternd runs: restart it")


def test_reload_adds_and_removes_listeners_without_dropping_a_session(server):
    extra = free_port()
    with Raw(server.port) as stays:
        stays.say("EHLO client.example")
        assert stays.say("MAIL FROM:<alice@local.example>").startswith("250")
        server.listeners = (f'listener "mx" {{ address = "127.0.0.1" port = {server.port} }}\n'
                            f'listener "more" {{ address = "127.0.0.1" port = {extra} }}\n')
        server.write_conf()
        hup(server)
        with Raw(extra) as other:
            assert other.greeting.startswith("220 ")
            other.say("EHLO client.example")
            server.listeners = None
            server.write_conf()
            hup(server)
            assert not connects(extra)
            assert other.say("NOOP").startswith("250")      # the session outlives its listener
        assert stays.say("RCPT TO:<bob@local.example>").startswith("250")
        assert stays.say("DATA").startswith("354")
        assert stays.say("Subject: x\r\n\r\nbody\r\n.").startswith("250")


def test_reload_moves_a_listener_that_keeps_its_name(server):
    moved = free_port()
    server.listeners = f'listener "mx" {{ address = "127.0.0.1" port = {moved} }}\n'
    server.write_conf()
    hup(server)
    with Raw(moved) as c:
        assert c.greeting.startswith("220 ")
    assert not connects(server.port)


def test_reload_changes_the_number_of_processes(server):
    def count(name):
        return sum(n == name for n, _ in server.daemons())
    server.write_conf("smtpd { processes = 3 }\ndeliver { processes = 2 }\n")
    hup(server)
    wait_for("more processes", lambda: count("postern-smtpd") == 3 and count("postern-deliver") == 3)
    server.wait_log(r"daemon smtpd\[2\] ready")
    for _ in range(12):                                 # the kernel spreads connections over all of them
        with Raw(server.port) as c:
            assert c.greeting.startswith("220 ")
    server.write_conf("smtpd { processes = 1 }\n")
    hup(server)
    wait_for("fewer processes", lambda: count("postern-smtpd") == 1 and count("postern-deliver") == 2)
    for _ in range(12):
        with Raw(server.port) as c:
            assert c.greeting.startswith("220 ")


def test_reload_replaces_only_what_must_be(server):
    before = dict(reversed(p) for p in server.daemons())
    server.write_conf('resolver { forward = { "127.0.0.1@5399" } }\n')
    hup(server)
    server.wait_log(r"daemon resolver\[0\] ready", count=2)
    gone = {name for pid, name in before.items() if not alive(pid)}
    assert gone == {"postern-resolve"}
    assert "starts again in" not in server.text()       # a graceful restart is no crash


def test_F19_storm_of_SIGHUP(server):
    before = reloads(server)
    for _ in range(200):
        server.proc.send_signal(signal.SIGHUP)
    with Raw(server.port) as c:
        assert c.greeting.startswith("220 ")
    wait_for("the last reload", lambda: len(re.findall("reload begins", server.text())) == reloads(server) > before)
    assert reloads(server) - before < 100               # the rest were answered together
    hup(server)
    assert server.proc.poll() is None


def test_IPv6_listener(postern):
    port = free_port("::1")
    server = postern(start=False, listeners=f'listener "six" {{ address = "::1" port = {port} }}\n'
                     f'listener "four" {{ address = "127.0.0.1" port = {port} }}\n')
    up(server)
    for host in ("::1", "127.0.0.1"):
        with Raw(port, host=host) as c:
            assert c.greeting.startswith("220 ")


# ---- Unix listeners ----

def stream(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20 * SLOW)
    s.connect(str(path))
    return s


def test_unix_listener_and_its_path(server):
    path = server.dir / "run/submit"
    st = os.stat(path)
    assert st.st_mode & 0o777 == 0o666
    with stream(path) as s:
        assert s.recv(100).startswith(b"220 ")
    server.stop()
    assert not path.exists()


@pytest.mark.parametrize("what", ["socket", "file", "answers"])
def test_unix_listener_takes_over_only_what_is_left(postern, what):
    server = postern(start=False)
    path = server.dir / "run/submit"
    if what == "file":
        path.write_text("mine")
        refused(server, r'listener "submit": cannot bind \S+/run/submit: Address already in use')
        assert path.read_text() == "mine"
        return
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        if what == "answers":
            s.listen()
            refused(server, r'listener "submit": cannot bind \S+/run/submit: Address already in use')
            assert path.exists()
            return
    up(server)
    with stream(path) as s:
        assert s.recv(100).startswith(b"220 ")


def test_unix_listener_comes_and_goes_with_a_reload(server):
    path = server.dir / "run/more"
    both = f'listener "mx" {{ address = "127.0.0.1" port = {server.port} }}\n'
    server.listeners = both + f'listener "more" {{ address = "unix:{path}" }}\n'
    server.write_conf("smtpd { processes = 2 }\n")
    hup(server)
    assert os.stat(path).st_mode & 0o777 == 0o660
    with stream(path) as s:
        assert s.recv(100).startswith(b"220 ")
        server.write_conf("smtpd { processes = 3 }\n")
        hup(server)                                     # one more process, the same socket
        with stream(path) as t:
            assert t.recv(100).startswith(b"220 ")
        server.listeners = None
        server.write_conf("")
        hup(server)
        wait_for("the path to go", lambda: not path.exists())
        s.sendall(b"NOOP\r\n")
        assert s.recv(100).startswith(b"250 ")          # the session outlives it


def test_unix_listener_in_a_directory_of_others_is_refused(postern, folder):
    place = folder / "open"
    place.mkdir()
    place.chmod(0o777)
    server = postern(start=False, listeners=f'listener "x" {{ address = "unix:{place}/x" }}\n')
    os.chmod(place, 0o777)
    refused(server, r"open: mode is 0777, expected 0755")


def test_paths_say_what_sendmail_must_know(server):
    def paths():
        return dict(line.split("=", 1) for line in (server.dir / "run/paths").read_text().splitlines())
    assert paths() == {"directory": f"{server.dir}/spool", "hostname": server.hostname,
                       "message-size-limit": "52428800", "local-submission": "yes"}
    assert os.stat(server.dir / "run/paths").st_mode & 0o777 == 0o644
    server.write_conf('message-size-limit = "1M"\nlocal-submission = false\n')
    hup(server)
    assert paths()["message-size-limit"] == "1048576" and paths()["local-submission"] == "no"
    wait_for("pickup to leave", lambda: server.pid_of("postern-pickup") is None)
    server.write_conf("")
    hup(server)
    wait_for("pickup to come back", lambda: server.pid_of("postern-pickup"))
    server.wait_log(r"daemon pickup\[0\] ready", count=2)


# ---- the service manager ----

@contextlib.contextmanager
def notify_socket(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(address)
        s.settimeout(30 * SLOW)
        yield s


def messages_until(sock, wanted, limit=50):
    seen = []
    for _ in range(limit):
        seen += sock.recv(4096).decode().split("\n")
        if any(m.startswith(wanted) for m in seen):
            return seen
    raise AssertionError(f"{wanted} never came: {seen}")


@pytest.mark.parametrize("abstract", [False, True])
def test_sd_notify(postern, folder, abstract):
    name = f"postern-test-{os.getpid()}" if abstract else str(folder / "notify")
    with notify_socket("\0" + name if abstract else name) as s:
        env = {"NOTIFY_SOCKET": "@" + name if abstract else name, "WATCHDOG_USEC": "200000"}
        server = postern(start=False, env=env)
        server.spawn()
        first = messages_until(s, "READY=1")
        assert f"MAINPID={server.proc.pid}" in messages_until(s, "MAINPID=") if not any(
            m.startswith("MAINPID=") for m in first) else f"MAINPID={server.proc.pid}" in first
        messages_until(s, "WATCHDOG=1")
        server.proc.send_signal(signal.SIGHUP)
        assert any(m.startswith("MONOTONIC_USEC=") for m in messages_until(s, "RELOADING=1"))
        messages_until(s, "READY=1")
        server.proc.terminate()
        messages_until(s, "STOPPING=1")
        server.stop()


# ---- the control socket ----

def test_control_socket_has_its_mode(server):
    st = os.stat(server.dir / "run/control")
    assert st.st_mode & 0o777 == (0o660 if ROOT else 0o600)


def test_F18_garbage_on_the_control_socket(server):
    "Each costs its sender the connection, never master its life."
    frames = [b"", b"\0", b"x" * 4000, struct.pack("<HBBII", 0x5056, 1, 255, 0, 0)]
    for frame in frames:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(server.dir / "run/control"))
            s.settimeout(20 * SLOW)
            s.send(frame)
            with contextlib.suppress(ConnectionError):
                assert s.recv(4096) == b""
    assert server.proc.poll() is None
    hup(server)


def test_control_socket_bounds_its_clients(server):
    "More clients than places wait in the backlog; when others leave they are served."
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            s = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            s.connect(str(server.dir / "run/control"))
    result = server.ctl("reload")
    assert result.returncode == 0


def test_reload_by_posternctl_says_what_is_wrong(server):
    server.write_conf("nonsense = 1\n")
    # The configuration cannot be read, so posternctl is told where the socket is.
    result = subprocess.run([str(BIN / "posternctl"), "-s", str(server.dir / "run/control"), "reload"],
                            capture_output=True, timeout=60 * SLOW)
    assert result.returncode != 0
    assert b"nonsense" in result.stdout + result.stderr
    server.write_conf("")
    assert server.ctl("reload").returncode == 0


def test_stop_by_posternctl(server):
    pids = [pid for _, pid in server.daemons()]
    server.ctl("stop")
    assert server.proc.wait(30 * SLOW) == 0
    assert not any(alive(pid) for pid in pids)


# ---- an ordinary user, and the built-in configuration ----

def test_built_in_configuration_prints_a_line_that_works(folder):
    "The line is taken as it was printed, and the mail is where it says."
    import shlex
    if connects(2525):
        pytest.skip("port 2525, where the built-in configuration listens, is taken")
    top = Path(__file__).resolve().parents[2]
    state = folder / "state"
    proc = subprocess.Popen([str(BIN / "posternd"), "-f", "-d", str(state)], stdout=subprocess.PIPE,
                            stderr=open(folder / "log", "wb"), text=True)
    try:
        lines = [proc.stdout.readline().strip() for _ in range(2)]
        assert lines[0].startswith("try: curl ") and lines[1].startswith("then look in "), (
            lines, (folder / "log").read_text())
        command, where = lines[0].removeprefix("try: "), lines[1].removeprefix("then look in ")
        (folder / "README.md").write_text("hello\n")
        cwd = top if (top / "README.md").exists() else folder
        subprocess.run(shlex.split(command), cwd=cwd, check=True, timeout=60 * SLOW, capture_output=True)
        found = wait_for("the first mail", lambda: list(Path(where).glob("*")) if Path(where).is_dir() else [])
        assert len(found) == 1
    finally:
        proc.terminate()
        assert proc.wait(30 * SLOW) == 0


@pytest.mark.skipif(not ROOT, reason="already an ordinary user")
def test_as_an_ordinary_user(folder, postern):
    "All that needs no root works; one line says what is left out."
    user = pwd.getpwnam("nobody")
    if not os.access(BIN, os.X_OK) or subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                                                      "--clear-groups", str(BIN / "posternd"), "-V"],
                                                     capture_output=True).returncode != 0:
        pytest.skip("the programs are where an ordinary user cannot reach them")
    server = postern(start=False, wrap=("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                                        "--clear-groups", "--no-new-privs"))
    for path in (server.dir, server.dir / "spool", server.dir / "run"):
        os.chown(path, user.pw_uid, user.pw_gid)
    up(server)
    assert "not root: root directories and ids stay as they are" in server.text()
    assert all(os.stat(f"/proc/{pid}").st_uid in (0, user.pw_uid) for _, pid in server.daemons())
    server.send()
    wait_for("the mail to arrive", lambda: len(server.maildir("bob")) == 1)
