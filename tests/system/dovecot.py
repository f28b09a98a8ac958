"""A private Dovecot whose only service for others is auth: the socket that `auth { dovecot = ... }` names.  Needs root."""
import contextlib
import os
import signal
import subprocess
from pathlib import Path

from base import PEERS, end, wait_for

MODULES = PEERS / "usr/lib/dovecot"
ENV = dict(os.environ, LD_LIBRARY_PATH=":".join(str(p) for p in (
    PEERS / "usr/lib/x86_64-linux-gnu", MODULES, MODULES / "modules", MODULES / "modules/old-stats", MODULES / "modules/auth")))


class Dovecot:
    "users: login -> password, in Dovecot's own schemes if it begins with one."

    def __init__(self, folder, users, mechanisms="plain login scram-sha-256"):
        self.dir = folder
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.socket = self.dir / "run/client"
        self.proc = None
        self.write_users(users)
        (self.dir / "dovecot.conf").write_text(f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/log
auth_verbose = yes
auth_debug = yes
auth_failure_delay = 0
auth_mechanisms = {mechanisms}
auth_username_chars =
libexec_dir = {MODULES}
mail_plugin_dir = {MODULES}/modules
protocols =
listen = 127.0.0.1
ssl = no
default_internal_user = postern-peer
default_internal_group = postern-peer
default_login_user = nobody
import_environment = TZ LD_LIBRARY_PATH={ENV["LD_LIBRARY_PATH"]}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.dir}/users
}}
# Its own delays for an address with failures are not what is tested.
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener client {{
    mode = 0666
  }}
}}
""")

    def write_users(self, users):
        (self.dir / "users").write_text("".join(
            f"{login}:{word if word.startswith('{') else '{PLAIN}' + word}\n" for login, word in users.items()))

    def start(self):
        # dovecot would run /usr/bin/doveconf; this is what that does.
        conf = str(self.dir / "dovecot.conf")
        self.proc = subprocess.Popen([str(PEERS / "usr/bin/doveconf"), "-f", "service=master", "-c", conf, "-m", "master", "-e",
                                      str(PEERS / "usr/sbin/dovecot"), "-F", "-c", conf], env=ENV, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=open(self.dir / "out", "ab"))
        wait_for("dovecot", lambda: self.socket.exists() and self.proc.poll() is None)
        return self

    def text(self):
        return (self.dir / "log").read_text(errors="replace")

    def children(self, name):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                head, tail = stat.read_text().rsplit(")", 1)
                if int(tail.split()[1]) == self.proc.pid and head.split("(", 1)[1] == name:
                    yield int(stat.parent.name)

    def kill_auth(self):
        "The process that answers; Dovecot's master starts another when somebody connects."
        for pid in self.children("auth"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self):
        if self.proc is not None:
            auth = list(self.children("auth"))
            end(self.proc)
            for pid in auth:        # it would stay for its clients for half a minute
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.proc = None

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()
