"""Real peers from Debian, unpacked by tests/peers into build/peers: NSD, Postfix and its tools."""
import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

from base import PEER_ENV, PEERS, ROOT, SLOW, connects, end, free_port, wait_for


class Nsd:
    """An authoritative server with zones written here; signed ones get a fresh ECDSA key.  Broken ones are SERVFAIL."""

    def __init__(self, folder, zones, signed=(), host="127.0.0.1", broken=()):
        self.dir, self.host, self.port = Path(folder), host, free_port(host)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.anchors = []
        conf = [f'server:\n ip-address: {host}@{self.port}\n username: ""\n chroot: ""\n zonesdir: "{self.dir}"\n'
                f' pidfile: "{self.dir}/nsd.pid"\n database: ""\n xfrdfile: "{self.dir}/xfrd.state"\n'
                f' xfrdir: "{self.dir}"\n zonelistfile: "{self.dir}/zone.list"\n server-count: 1\n hide-version: yes\n'
                'remote-control:\n control-enable: no\n']
        for name, text in zones.items():
            path = self.dir / (name + ".zone")
            path.write_text(f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns1.{name}. admin.{name}. 1 3600 900 86400 60\n"
                            f"@ NS ns1.{name}.\nns1 A {host}\n" + text)
            if name in signed:
                path = self.sign(name, path)
            conf.append(f'zone:\n name: "{name}"\n zonefile: "{path}"\n')
        conf += [f'zone:\n name: "{name}"\n zonefile: "{self.dir}/there-is-none"\n' for name in broken]
        (self.dir / "nsd.conf").write_text("".join(conf))
        self.proc = subprocess.Popen([str(PEERS / "usr/sbin/nsd"), "-d", "-c", str(self.dir / "nsd.conf")],
                                     env=PEER_ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=open(self.dir / "nsd.log", "wb"))
        wait_for("nsd", lambda: connects(self.port, host))

    def sign(self, name, path):
        run = lambda *argv: subprocess.run(argv, cwd=self.dir, check=True, capture_output=True).stdout.decode().strip()
        key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", name)
        run("ldns-signzone", "-o", name, "-f", str(path) + ".signed", str(path), key)
        self.anchors.append((self.dir / (key + ".ds")).read_text().strip())
        return str(path) + ".signed"

    def stub_conf(self, zones, extra=""):
        "A resolver section that asks this server for these zones."
        anchor = self.dir / "anchors"
        anchor.write_text("\n".join(self.anchors) + "\n")
        os.chmod(self.dir, 0o755)
        os.chmod(anchor, 0o644)
        stubs = "".join(f' stub "{z}" {{ server = {{ "{self.host}@{self.port}" }} }}\n' for z in zones)
        return f'resolver {{ trust-anchor = "{anchor}"\n{stubs}{extra} }}\n'

    def close(self):
        end(self.proc)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Sink:
    """Postfix's smtp-sink, which writes each message to a file."""

    def __init__(self, folder, *options, dump=True):
        self.dir, self.port = Path(folder), free_port()
        self.dir.mkdir(parents=True, exist_ok=True)
        argv = [str(PEERS / "usr/sbin/smtp-sink"), *options]
        if dump:
            argv += ["-d", str(self.dir) + "/m."]
        if ROOT:
            argv += ["-u", "nobody"]
            shutil.chown(self.dir, "nobody")
        self.proc = subprocess.Popen(argv + [f"127.0.0.1:{self.port}", "1000"], env=PEER_ENV, cwd="/",
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("smtp-sink", lambda: connects(self.port))

    def files(self):
        return [p for p in self.dir.iterdir() if p.name.startswith("m.") and p.stat().st_size]

    def close(self):
        end(self.proc)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def smtp_source(port, *options, n=1, sessions=1, size=None, sender="from@client.example", to="to@dest.example"):
    "Postfix's smtp-source; fails when it does."
    argv = [str(PEERS / "usr/sbin/smtp-source"), "-c", "-m", str(n), "-s", str(sessions), "-f", sender, "-t", to]
    if size:
        argv += ["-l", str(size)]
    run = subprocess.run(argv + [*options, f"127.0.0.1:{port}"], env=PEER_ENV, capture_output=True,
                         timeout=120 * SLOW)
    assert run.returncode == 0, run.stderr.decode()


class Postfix:
    """A private Postfix that takes all mail for its domain into mailbox files.  Needs root."""

    def __init__(self, folder, domain="postfix.example", extra="", wrap=(), services=""):
        self.dir, self.port, self.domain = Path(folder), free_port(), domain
        sbin, lib = PEERS / "usr/sbin", PEERS / "usr/lib/postfix"
        etc, spool = self.dir / "etc", self.dir / "spool"
        for path in (etc, spool, self.dir / "data", self.dir / "mail"):
            path.mkdir(parents=True, exist_ok=True)
            os.chmod(path, 0o755)
        peer = pwd.getpwnam("postern-peer")
        os.chown(self.dir / "data", peer.pw_uid, peer.pw_gid)
        os.chown(self.dir / "mail", peer.pw_uid, peer.pw_gid)
        os.chmod(self.dir, 0o755)
        base = f"""
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {self.dir}/data
command_directory = {sbin}
daemon_directory = {lib}/sbin
shlib_directory = {lib}
meta_directory = {etc}
mail_owner = postern-peer
setgid_group = postern-peerdrop
myhostname = mail.{domain}
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self.dir}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{peer.pw_uid}
virtual_gid_maps = static:{peer.pw_gid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions = permit_mynetworks, reject
maillog_file = {self.dir}/log
maillog_file_prefixes = {self.dir}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={PEER_ENV["LD_LIBRARY_PATH"]}
"""
        # Once each: warnings of double entries fill postlogd's socket before it reads, and all daemons wait there.
        set_there = set(re.findall(r"(?m)^(\w+) *=", extra))
        base = [line for line in base.splitlines() if line.split(" ")[0] not in set_there]
        (etc / "main.cf").write_text("\n".join(base) + "\n" + extra)
        (etc / "master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
flush unix n - n - 0 flush
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
""" + services)
        for name in ("dynamicmaps.cf", "postfix-files"):
            source = PEERS / "etc/postfix" / name
            (etc / name).write_text(source.read_text() if source.exists() else "")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                     "private", "saved", "trace"):
            path = spool / name
            path.mkdir(exist_ok=True, mode=0o700)
            os.chown(path, peer.pw_uid, -1)
        drop = grp.getgrnam("postern-peerdrop").gr_gid
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            path = spool / name
            path.mkdir(exist_ok=True)
            os.chown(path, peer.pw_uid, drop)
            os.chmod(path, mode)
        (spool / "pid").mkdir(exist_ok=True)
        env = dict(PEER_ENV, MAIL_CONFIG=str(etc), PATH=f"{sbin}:{os.environ['PATH']}")
        self.proc = subprocess.Popen([*wrap, str(lib / "sbin/master"), "-d", "-c", str(etc)], env=env,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=open(self.dir / "stderr", "wb"), start_new_session=True)
        wait_for("postfix", lambda: connects(self.port))

    def mail(self):
        new = self.dir / "mail/all/new"
        return sorted(new.iterdir()) if new.is_dir() else []

    def close(self):
        end(self.proc)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.proc.pid, signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
