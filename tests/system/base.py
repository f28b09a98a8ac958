"""A private Postern, a raw client, and small helpers of the system tests.

Everything takes free ports on loopback, lives in a temporary folder, and ends only what it started.
"""
import contextlib
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("POSTERN_BIN", TOP / "build/bin")).resolve()
PEERS = TOP / "build/peers"
ROOT = os.getuid() == 0
PEER_ENV = dict(os.environ, LD_LIBRARY_PATH=f"{PEERS}/usr/lib/x86_64-linux-gnu:{PEERS}/usr/lib/postfix")
SLOW = float(os.environ.get("POSTERN_TEST_PATIENCE", "1"))      # sanitizer builds ask for more
DEADLINE = 30 * SLOW


def ports_in_turn():
    """Ports below those that the kernel gives to outgoing connections, from a random one on.

    Each comes once, so neither a connection of somebody else's nor another test takes it between its choice and its use.
    """
    top = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(10000, top) if top > 12000 else range(61000, 65536)
    at = random.randrange(len(ports))
    return itertools.cycle([*ports[at:], *ports[:at]])


PORTS = ports_in_turn()


def free_port(host="127.0.0.1"):
    "A port that nobody holds now, for TCP and UDP, on any address."
    family, every = (socket.AF_INET6, "::") if ":" in host else (socket.AF_INET, "0.0.0.0")
    for port in itertools.islice(PORTS, 2000):
        with contextlib.suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for address in (every, host):
                    with socket.socket(family, kind) as s:
                        s.bind((address, port))
            return port
    raise OSError(f"no free port on {host}")


def wait_for(what, test, seconds=DEADLINE, step=0.02):
    "Poll until test() is true; its value.  Fails by name after the deadline."
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(step)


def connects(port, host="127.0.0.1"):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), 1).close()
        return True
    return False


def gone(pid):
    "Whether a process has ended; it may leave between two looks."
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def end(proc, seconds=10):
    "End a process that we started."
    if proc.poll() is None:
        proc.terminate()
        try:
            proc.wait(seconds)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()


class Postern:
    """A server of its own: configuration text, spool, runtime directory, control socket."""

    def __init__(self, folder, conf="", route=None, hostname="mx.local.example", env=None, port=None,
                 listeners=None, default_domain=True, wrap=()):
        self.dir = Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.port = port or free_port()
        self.hostname = hostname
        self.mail = self.dir / "mail"
        self.conf_path = self.dir / "postern.conf"
        self.log_path = self.dir / "log"
        self.env = env
        self.wrap = list(wrap)
        self.proc = None
        self.log = None
        self.extra = conf
        self.listeners = listeners
        self.route = route
        self.default_domain = default_domain
        self.write_conf()

    def write_conf(self, extra=None):
        if extra is not None:
            self.extra = extra
        for name in ("spool", "run"):
            (self.dir / name).mkdir(exist_ok=True, mode=0o755)
        listeners = self.listeners if self.listeners is not None else (
            f'listener "mx" {{ address = "127.0.0.1" port = {self.port} }}\n')
        text = (f'hostname = "{self.hostname}"\n'
                f'directory = "{self.dir}/spool"\nruntime = "{self.dir}/run"\nlog = "stderr"\n'
                + listeners)
        if self.default_domain:
            text += (f'domain "local.example" {{ deliver = "maildir:{self.mail}/%d/%u"\n'
                     '  recipients = { "alice", "bob", "carol" } }\n')
        if self.route:
            text += f'route "*" {{ via = "{self.route}" }}\n'
        self.conf_path.write_text(text + self.extra)
        os.chmod(self.conf_path, 0o644)

    def spawn(self):
        self.log = open(self.log_path, "ab")
        self.proc = subprocess.Popen([*self.wrap, str(BIN / "posternd"), "-f", "-c", str(self.conf_path)], env=self.env,
                                     stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                     start_new_session=True)
        return self

    def start(self):
        mark = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.spawn()

        def up():
            if self.proc.poll() is not None:
                raise AssertionError(f"posternd left with {self.proc.returncode}:\n{self.text()[-4000:]}")
            return self.all_ready()
        try:
            wait_for("posternd to be ready", up)
        except AssertionError:
            print(self.log_path.read_bytes()[mark:].decode("utf-8", "replace"))
            raise
        return self

    def all_ready(self):
        "Every daemon runs, says the control socket."
        status = self.ctl("status", "--json", check=False)
        if status.returncode != 0:
            return False
        daemons = json.loads(status.stdout).get("daemons", [])
        return bool(daemons) and all(d["state"] == "running" for d in daemons)

    def stop(self):
        if self.proc is None:
            return
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError("posternd did not stop on SIGTERM:\n" + self.text()[-3000:])
        self.log.close()
        self.proc = None

    def daemons(self):
        "(name, pid) of the children of this master."
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                head, tail = stat.read_text().rsplit(")", 1)
                state, ppid = tail.split()[:2]
                if int(ppid) == self.proc.pid and state != "Z":
                    found.append((head.split("(", 1)[1], int(stat.parent.name)))
        return found

    def pid_of(self, name):
        for comm, pid in self.daemons():
            if comm.startswith(name[:15]):
                return pid
        return None

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid_of(name)
        assert pid, f"no {name} is running"
        os.kill(pid, sig)
        return pid

    def kill_under_load(self, name, work, done, more):
        "Three times a daemon is killed while threads run work(over, n); done() grows by more after each.  No smtpd dies."
        def smtpds():
            return sorted(pid for daemon, pid in self.daemons() if daemon.startswith("postern-smtpd"))

        def grown():
            seen = done()
            wait_for(f"what {name} serves", lambda: done() > seen + more)
        before, over = smtpds(), threading.Event()
        threads = [threading.Thread(target=work, args=(over, n)) for n in range(1, 5)]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                grown()
                pid = self.kill(name)
                wait_for(f"another {name}", lambda: self.pid_of(name) not in (None, pid))
            grown()
        finally:
            over.set()
            for t in threads:
                t.join()
        assert smtpds() == before

    def kill_all(self):
        "kill -9 of the master and every child, as a crash of the machine's software would be."
        pids = [pid for _, pid in self.daemons()]
        for pid in [self.proc.pid] + pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.proc.wait()
        for pid in pids:
            wait_for(f"process {pid} to go", lambda: gone(pid), 10)

    def ctl(self, *args, check=True):
        result = subprocess.run([str(BIN / "posternctl"), "-c", str(self.conf_path), *args],
                                capture_output=True, timeout=60 * SLOW)
        if check and result.returncode != 0:
            raise AssertionError(f"posternctl {' '.join(args)}: {result.returncode}\n"
                                 f"{result.stdout.decode()}{result.stderr.decode()}\n{self.text()[-2000:]}")
        return result

    def json(self, *args):
        return json.loads(self.ctl(*args, "--json").stdout)

    def queue_figures(self):
        return self.json("status")["queue"]

    def wait_empty(self, seconds=DEADLINE):
        wait_for("the queue to be empty", lambda: self.queue_figures()["total"] == 0, seconds)

    def text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=DEADLINE, count=1):
        "Wait for a log line; the last match."
        def look():
            found = list(re.finditer(pattern, self.text(), re.M))
            return found[count - 1] if len(found) >= count else None
        return wait_for(f"log line {pattern!r}", look, seconds)

    def maildir(self, user, domain="local.example"):
        new = self.mail / domain / user / "new"
        return sorted(new.iterdir()) if new.is_dir() else []

    def smtp(self):
        import smtplib
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example", timeout=30 * SLOW)

    def send(self, sender="alice@local.example", to="bob@local.example", body=b"Subject: test\r\n\r\nhello\r\n"):
        "One message by smtplib; the queue ID that the 250 named."
        to = [to] if isinstance(to, str) else to
        with self.smtp() as s:
            s.ehlo()
            code, text = s.mail(sender)
            assert code == 250, (code, text)
            for rcpt in to:
                code, text = s.rcpt(rcpt)
                assert code in (250, 251), (code, text)
            code, text = s.data(body)
            assert code == 250, (code, text)
            return re.search(rb"queued as (\w+)", text)[1].decode()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()


class Raw:
    """A client that says exactly what it is told, and sees the replies."""

    def __init__(self, port, host="127.0.0.1", greeting=True, source=None):
        self.sock = socket.create_connection((host, port), 10 * SLOW, (source, 0) if source else None)
        self.sock.settimeout(20 * SLOW)
        self.pending = b""
        if greeting:
            self.greeting = self.reply()

    def send(self, octets):
        self.sock.sendall(octets)

    def reply(self):
        "One whole reply, '' at end of file."
        lines = []
        while True:
            while b"\r\n" not in self.pending:
                octets = self.sock.recv(65536)
                if not octets:
                    return "\n".join(lines)
                self.pending += octets
            line, self.pending = self.pending.split(b"\r\n", 1)
            lines.append(line.decode("latin-1"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def say(self, line):
        self.send(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def closed(self):
        "Whether the other side closes, within the socket's patience."
        try:
            while True:
                if not self.sock.recv(65536):
                    return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def strip_received(body):
    "The octets behind the Received field that Postern put in front."
    match = re.match(rb"Received: [^\r\n]*\r\n([ \t][^\r\n]*\r\n)*", body)
    assert match, body[:200]
    return body[match.end():]
