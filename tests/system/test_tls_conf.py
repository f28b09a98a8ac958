"""Certificates and keys, from the files to postern-keys: what is refused and why, renewal, and a process that is killed."""
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from lib import ROOT, SLOW, free_port, wait_for

RENEWAL = 13 * SLOW + 15    # a look every 10 seconds, and 2 until it has settled
NAME = "mx.local.example"


def make_expired(folder, name):
    "The same, of the year 2020: req(1) makes none that has ended."
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca = x\n[x]\ndatabase = index\nnew_certs_dir = .\nserial = serial\n"
                                   "default_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n")
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={NAME}", "-out", "csr")
    run("ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", f"{name}.key", "-in", "csr", "-notext",
        "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-out", f"{name}.pem")
    (folder / f"{name}.pem").chmod(0o644)


def make_pair(folder, name, kind="ec"):
    "NAME.pem and NAME.key, self-signed, put in place by renaming."
    key = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    new = {s: folder / f"{name}.{s}.new" for s in ("pem", "key")}
    subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-keyout", new["key"], "-out", new["pem"],
                    "-days", "30", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"],
                   check=True, capture_output=True)
    new["key"].chmod(0o600)
    new["pem"].chmod(0o644)
    for s, path in new.items():
        path.rename(folder / f"{name}.{s}")


def section(folder, *names):
    certs = ", ".join(f'"{folder}/{n}.pem"' for n in names)
    keys = ", ".join(f'"{folder}/{n}.key"' for n in names)
    return f'tls "{NAME}" {{ certificate = {{ {certs} }} key = {{ {keys} }} }}\n'


@pytest.fixture
def tls(postern, folder):
    "A server with an RSA and an EC certificate, not started."
    make_pair(folder, "rsa", "rsa")
    make_pair(folder, "ec")
    port = free_port()
    server = postern(section(folder, "rsa", "ec"), start=False, port=port,
                     listeners=f'listener "mx" {{ address = "127.0.0.1" port = {port} tls = "starttls" }}\n')
    server.certs = folder
    return server


def refuses(server, pattern):
    server.spawn()
    code = server.proc.wait(15 * SLOW)
    server.proc = None
    assert code == 1, (code, server.text())
    assert re.search(pattern, server.text(), re.M), server.text()


def shown(server):
    "SHA-256 fingerprint of the certificate that a client sees, or None."
    with subprocess.Popen(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}",
                           "-servername", NAME, "-sigalgs", "ECDSA+SHA256"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        out = p.communicate(timeout=20 * SLOW)[0]
    if b"BEGIN CERTIFICATE" not in out or b"Verify return code" not in out:
        return None
    return fingerprint(out)


def fingerprint(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=pem, check=True,
                          capture_output=True).stdout


def generation(server):
    return len(re.findall(r"reload done generation=", server.text()))


def test_starts_with_two_certificates(tls):
    tls.start()
    assert re.search(r"^keys/0 .* running$", tls.ctl("status").stdout.decode(), re.M)
    tls.wait_log(r'postern-keys\[\d+\]: key=\S*rsa.key type="RSA 2048" certificate=' + NAME)
    tls.wait_log(r'postern-keys\[\d+\]: key=\S*ec.key type="EC prime256v1" certificate=' + NAME)
    pid = tls.pid_of("postern-keys")
    status = Path(f"/proc/{pid}/status").read_text()
    assert int(re.search(r"VmLck:\s+(\d+) kB", status)[1]) >= 4096
    assert re.search(r"Seccomp:\s+2", status) and re.search(r"CapEff:\s+0+$", status, re.M)
    if ROOT:
        smtpd = Path(f"/proc/{tls.pid_of('postern-smtpd')}/status").read_text()
        uid = re.search(r"Uid:\s+(\d+)", status)[1]
        assert uid not in ("0", re.search(r"Uid:\s+(\d+)", smtpd)[1])
        assert os.listdir(f"/proc/{pid}/root") == []
        # Its key files were closed again.
        held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not any(h.endswith(".key") for h in held), held


def test_stops_after_those_who_ask(tls):
    tls.start()
    tls.stop()
    text = tls.text()
    assert text.rindex("daemon smtpd[0] ended") < text.index("daemon keys[0] asked to leave")
    assert text.index("daemon keys[0] ended") < text.index("daemon queue[0] asked to leave")


def test_wrong_key_refuses_the_start(tls):
    make_pair(tls.certs, "other")
    (tls.certs / "other.key").rename(tls.certs / "ec.key")
    refuses(tls, rf'key {tls.certs}/ec.key of tls "{NAME}" \(certificate {tls.certs}/ec.pem\): not the certificate\'s key')


@pytest.mark.parametrize("case", ["mode", "missing", "directory", "encrypted", "cert_only"])
def test_F20_bad_key_files(tls, case):
    key = tls.certs / "ec.key"
    if case == "mode":
        key.chmod(0o644)
        want = rf"{key}: mode is 0644, expected 0600"
    elif case == "missing":
        key.unlink()
        want = rf"key {key}: No such file or directory"
    elif case == "directory":
        key.unlink()
        key.mkdir()
        want = rf"key {key}: not a regular file"
    elif case == "encrypted":
        subprocess.run(["openssl", "pkey", "-in", key, "-out", f"{key}.2", "-aes128", "-passout", "pass:x"], check=True)
        os.chmod(f"{key}.2", 0o600)
        os.rename(f"{key}.2", key)
        want = r"an encrypted key"
    else:
        key.write_bytes((tls.certs / "ec.pem").read_bytes())
        want = r"no private key in PEM"
    refuses(tls, want)


@pytest.mark.skipif(not ROOT, reason="to give a file away needs root")
def test_F20_key_of_another_owner(tls):
    os.chown(tls.certs / "ec.key", 65534, 65534)
    refuses(tls, rf"{tls.certs}/ec.key: owner is uid 65534, expected 0")


def test_reload_is_whole_or_not_at_all(tls):
    tls.start()
    before = shown(tls)
    assert before == fingerprint((tls.certs / "ec.pem").read_bytes())
    make_pair(tls.certs, "b")
    (tls.certs / "b.key").rename(tls.certs / "a.key")
    (tls.certs / "b.pem").rename(tls.certs / "a.pem")
    make_pair(tls.certs, "b")
    (tls.certs / "b.key").rename(tls.certs / "a.key")       # not that of a.pem
    tls.write_conf(section(tls.certs, "a"))
    got = tls.ctl("reload", check=False)
    assert got.returncode != 0 and f"key {tls.certs}/a.key" in (got.stdout + got.stderr).decode()
    assert "not the certificate's key" in (got.stdout + got.stderr).decode()
    tls.wait_log(r"reload refused: the configuration in force stays \(generation=1\)")
    assert shown(tls) == before
    (tls.certs / "b.pem").rename(tls.certs / "a.pem")
    tls.ctl("reload")
    assert shown(tls) == fingerprint((tls.certs / "a.pem").read_bytes())


def test_tls_comes_and_goes_by_reload(tls):
    """Where postern-keys does not run, it is started to judge the keys before anything changes."""
    text, listeners = tls.extra, tls.listeners
    tls.listeners = listeners.replace("starttls", "none")
    tls.write_conf("")
    tls.start()
    assert tls.pid_of("postern-keys") is None and shown(tls) is None
    tls.listeners = listeners
    good = (tls.certs / "ec.key").read_bytes()
    make_pair(tls.certs, "other")
    (tls.certs / "other.key").rename(tls.certs / "ec.key")
    tls.write_conf(text)
    assert tls.ctl("reload", check=False).returncode != 0
    wait_for("the trial to end", lambda: tls.pid_of("postern-keys") is None)
    assert [d["state"] for d in tls.json("status")["daemons"]] == ["running"] * len(tls.daemons())
    assert shown(tls) is None
    (tls.certs / "ec.key").write_bytes(good)
    tls.ctl("reload")
    tls.wait_log(r"daemon keys\[0\] ready")
    assert shown(tls) == fingerprint((tls.certs / "ec.pem").read_bytes())
    tls.listeners = listeners.replace("starttls", "none")
    tls.write_conf("")
    tls.ctl("reload")
    wait_for("keys to leave", lambda: tls.pid_of("postern-keys") is None)
    assert shown(tls) is None


def test_renewed_files_are_noticed(tls):
    tls.start()
    before = shown(tls)
    assert before is not None
    old_key = (tls.certs / "ec.key").read_bytes()
    make_pair(tls.certs, "ec")
    new_key = tls.certs / "renewed.key"
    (tls.certs / "ec.key").rename(new_key)
    (tls.certs / "key").write_bytes(old_key)
    (tls.certs / "key").chmod(0o600)
    (tls.certs / "key").rename(tls.certs / "ec.key")        # the tool has written one of two
    tls.wait_log(r"reload asked for by a renewal", RENEWAL)
    tls.wait_log(r"reload refused")
    assert shown(tls) == before
    # A restart meanwhile gets the keys of the snapshot in force.
    tls.kill("postern-keys")
    tls.wait_log(r"daemon keys\[0\] ready", count=2)
    wait_for("the old certificate again", lambda: shown(tls) == before)
    new_key.rename(tls.certs / "ec.key")
    tls.wait_log(r"reload done generation=", RENEWAL)
    assert shown(tls) == fingerprint((tls.certs / "ec.pem").read_bytes()) != before


def over(path, octets):
    "Written over in place, as cp(1) does: the descriptor that master holds shows it."
    with open(path, "r+b") as f:
        f.truncate(0)
        f.write(octets)


def test_keys_written_over_and_killed(tls):
    """What master holds is no key of the certificate in force any more: a reload, or the look by itself, mends it at once."""
    make_pair(tls.certs, "next")
    make_pair(tls.certs, "last")
    tls.start()
    before = shown(tls)
    over(tls.certs / "ec.key", (tls.certs / "next.key").read_bytes())
    tls.kill("postern-keys")
    tls.wait_log(r"daemon keys\[0\] starts again in 1600 ms")
    assert tls.ctl("reload", check=False).returncode != 0          # a trial that fails: the certificate is the old one
    tls.wait_log(r"daemon keys\[0\] cannot use it: .*not the certificate's key|daemon keys\[0\] ended before it had read the keys")
    over(tls.certs / "ec.pem", (tls.certs / "next.pem").read_bytes())
    tls.ctl("reload")
    wait_for("the next certificate", lambda: shown(tls) == fingerprint((tls.certs / "next.pem").read_bytes()) != before)
    # Nobody says anything: the look every ten seconds does it, though keys backs off meanwhile.
    for s in ("key", "pem"):
        over(tls.certs / f"ec.{s}", (tls.certs / f"last.{s}").read_bytes())
    tls.kill("postern-keys")
    tls.wait_log(r"reload done generation=", RENEWAL + 10, count=2)
    wait_for("the last certificate", lambda: shown(tls) == fingerprint((tls.certs / "last.pem").read_bytes()))
    pid = tls.kill("postern-keys")
    wait_for("another keys", lambda: tls.pid_of("postern-keys") not in (None, pid))
    wait_for("the last certificate", lambda: shown(tls) == fingerprint((tls.certs / "last.pem").read_bytes()))


def test_expired_certificate_is_a_warning(tls):
    make_expired(tls.certs, "ec")
    tls.start()
    assert re.search(r"warning: certificate: \S*ec.pem\S*: certificate 1 of the file has expired on 2021-01-01 00:00:00 UTC", tls.text())
    assert re.search(r"warning: certificate: \S*ec.pem\S*: it is not for " + NAME, tls.text())
    assert shown(tls) is not None


def test_killed_keys_come_back(tls):
    tls.start()
    before = shown(tls)
    for i in range(3):
        pid = tls.kill("postern-keys")
        tls.wait_log(r"daemon keys\[0\] ready", count=2 + i)
        assert tls.pid_of("postern-keys") != pid
        wait_for("a handshake", lambda: shown(tls) == before)
    assert generation(tls) == 0


def test_listener_without_certificate(postern):
    server = postern('listener "x" { address = "127.0.0.1" port = %d tls = "implicit" }\n' % free_port(), start=False)
    refuses(server, r'postern.conf:\d+: listener "x": tls needs a certificate: add a section tls "mx.local.example"')


@pytest.mark.skipif(not ROOT, reason="as an ordinary user the checker is that user")
def test_certificate_that_only_root_may_read(tls):
    (tls.certs / "ec.pem").chmod(0o600)
    refuses(tls, r'postern.conf:\d+: certificate: "\S*ec.pem": permission denied: certificates are read by the user postern-conf')


# ---- AUTH, logins, policies and authorities: what the checker says with files around it ----

AUTH = ('listener "s" { address = "127.0.0.1" port = %d tls = "starttls" auth = true %s }\n'
        'auth { passwd = "%s/passwd" }\n')


@pytest.mark.parametrize("case", ["ca_only_root", "ca_missing", "ca_empty", "ca_key", "clear", "two_sources", "no_client_ca",
                                  "weak_policy", "no_such_login"])
def test_auth_checks(tls, case):
    "Each with its line, before anything starts."
    more, want = {
        "ca_only_root": ('tls-ca = "%s/ca.pem"\n', r'postern.conf:\d+: tls-ca: "\S*ca.pem": permission denied'),
        "ca_missing": ('tls-ca = "%s/none.pem"\n', r'postern.conf:\d+: tls-ca: "\S*none.pem": No such file'),
        "ca_empty": ('client-ca = "%s/empty.pem"\n', r'postern.conf:\d+: client-ca: "\S*empty.pem": no certificate in PEM'),
        "ca_key": ('client-ca = "%s/both.pem"\n', r'postern.conf:\d+: client-ca: "\S*both.pem": it holds a private key too'),
        "clear": ('listener "s" { address = "0.0.0.0" port = 1 auth = true }\nauth { pam = "x" }\n',
                  r'postern.conf:\d+: listener "s": auth needs tls = "starttls"'),
        "two_sources": ('auth { pam = "x" dovecot = "/d" }\n', r"postern.conf:\d+: pam: auth has dovecot on line \d+ already"),
        "no_client_ca": (AUTH % (free_port(), "client-certificates = true", "/etc"),
                         r'postern.conf:\d+: listener "s": client-certificates need those who may sign them'),
        "weak_policy": ('login "o" { user = "u" password-file = "/f" }\nroute "*" { via = "smtp:o@[h.example]:587" }\n'
                        'tls-policy "h.example" { level = "encrypt" }\n',
                        r'postern.conf:\d+: via: "smtp:o@\[h.example\]:587": a password goes only to a host that is known'),
        "no_such_login": ('route "*" { via = "smtps:o@[h.example]" }\n', r'there is no section login "o"'),
    }[case]
    if case == "ca_only_root" and not ROOT:
        pytest.skip("as an ordinary user the checker is that user")
    make_pair(tls.certs, "ca")
    if case == "ca_only_root":
        (tls.certs / "ca.pem").chmod(0o600)
    (tls.certs / "empty.pem").write_text("")
    (tls.certs / "both.pem").write_bytes((tls.certs / "ca.pem").read_bytes() + (tls.certs / "ca.key").read_bytes())
    for name in ("empty.pem", "both.pem"):
        (tls.certs / name).chmod(0o644)
    tls.write_conf(section(tls.certs, "rsa", "ec") + (more % tls.certs if "%s" in more else more))
    refuses(tls, want)


def test_auth_is_refused_at_reload(tls):
    "A reload with a mistake leaves all as it is; one of policies and authorities alone takes effect."
    tls.start()
    good = section(tls.certs, "rsa", "ec")
    tls.write_conf(good + 'tls-policy "a.example" { level = "fingerprint" }\n')
    os.kill(tls.proc.pid, signal.SIGHUP)    # posternctl would look for the socket in this very text
    tls.wait_log(r'postern.conf:\d+: tls-policy "a.example": level "fingerprint" needs fingerprints')
    tls.wait_log(r"reload refused: the configuration in force stays \(generation=1\)")
    make_pair(tls.certs, "ca")
    tls.write_conf(good + f'tls-ca = "{tls.certs}/ca.pem"\ntls-policy "a.example" {{ level = "verify" }}\n')
    tls.ctl("reload")
    assert [d["state"] for d in tls.json("status")["daemons"]] == ["running"] * len(tls.daemons())
