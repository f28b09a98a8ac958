"""DANE for SMTP (RFC 7672): zones signed by ldns-signzone, served by NSD, validated by our resolver; hosts under TLS."""
import json
import os
import re
import signal
import subprocess
import time

import certs
import pytest

import lib
from dane_kit import CLEAR_HOST, HOST, DaneWorld

SENT, WAITS = "delivered", "tempfail"

# What becomes of mail to each domain, what the log says of TLS, and of the reason.
FATES = {
    "match.test": (SENT, "verified by dane", ""),
    "rollover.test": (SENT, "verified by dane", ""),
    "nomatch.test": (WAITS, None, "no TLSA record of mx.nomatch.test matches"),
    "bogus.test": (WAITS, None, "TLSA of _PORT._tcp.mx.bogus.test: bogus"),
    "servfail.test": (WAITS, None, "TLSA of _PORT._tcp.mx.servfail.test"),
    "unusable.test": (SENT, "unverified", ""),
    "unusableclear.test": (WAITS, None, "STARTTLS"),
    "notls.test": (WAITS, None, "STARTTLS"),
    "none.test": (SENT, "unverified", ""),
    "noneclear.test": (SENT, None, ""),
    "alias.test": (SENT, "verified by dane", ""),
    "aliasown.test": (SENT, "verified by dane", ""),
    "aliasout.test": (SENT, "verified by dane", ""),
    "aliasbad.test": (WAITS, None, "no TLSA record of mx.aliasbad.test matches"),
    "tlsaalias.test": (SENT, "verified by dane", ""),
    "ta.test": (SENT, "verified by dane", ""),
    "takey.test": (SENT, "verified by dane", ""),
    "tadomain.test": (SENT, "verified by dane", ""),
    "taname.test": (WAITS, None, "mx.ta.test"),
    "old.test": (SENT, "verified by dane", ""),             # expired, of another name, its issuer missing (RFC 7672 3.1.1)
    "implicit.test": (SENT, "verified by dane", ""),
    "second.test": (SENT, "verified by dane", ""),          # the first host's TLSA is bogus: another may do
    "plain.example": (SENT, "unverified", ""),
    "mxunsigned.example": (SENT, "verified by dane, MX unsigned", ""),
    "mxunsignedbad.example": (WAITS, None, "matches"),
    "only.test": (SENT, "verified by dane", ""),
    "onlynone.test": (WAITS, None, "requires DANE"),
    "onlyunusable.test": (WAITS, None, "requires DANE"),
    "onlymx.example": (WAITS, None, "not signed"),
}


@pytest.fixture
def world(folder, postern):
    made = []

    def make(**kw):
        made.append(DaneWorld(folder, postern, **kw))
        return made[-1]
    yield make
    for w in made:
        w.close()


def fate(w, msgid):
    "(status, tls or None, the line) of a message's one recipient."
    line = w.server.wait_log(rf".*{msgid} rcpt=.*status=\w+.*", 60)[0]
    tls = re.search(r'tls="([^"]*)"', line)
    return re.search(r"status=(\w+)", line)[1], tls and tls[1], line


@pytest.mark.sanitize
def test_what_becomes_of_mail(world):
    w = world()
    sent = {domain: w.server.send(to=f"x@{domain}") for domain in FATES}
    wrong = []
    for domain, (status, tls, text) in FATES.items():
        got, over, line = fate(w, sent[domain])
        text = text.replace("PORT", str(w.port))
        if got != status or text not in line or (status == SENT and (over is None) != (tls is None)) or (tls and not over.endswith(tls)):
            wrong.append((domain, line))
        elif status == WAITS and not re.search(r"dsn=4\.7\.\d+", line):
            wrong.append((domain, line))
    assert not wrong
    # Where TLS was promised nothing goes in clear: one message alone was to.
    assert [m[1] for m in w.hops[CLEAR_HOST].messages] == [["x@noneclear.test"]]
    assert w.hops[HOST].clear_mail == 0


def tls(w, domain, *options):
    "posternctl tls: (exit status, report, what it says of failures)."
    r = w.server.ctl(*options, "tls", domain, check=False)
    words = [x.decode() if isinstance(x, bytes) else x for x in (r.stdout, r.stderr)]
    return r.returncode, *words


# Exit status, and lines of the report.
REPORTS = {
    "match.test": (0, ["MX of match.test: 1 host, secure", "  TLSA of _PORT._tcp.mx.match.test: 1 record, secure",
                       "  policy: dane, by the default: 1 TLSA record at _PORT._tcp.mx.match.test",
                       "    3 1 1 matched the leaf certificate", "    mail goes to this host", "      names mx.match.test"]),
    "nomatch.test": (1, ["    mail does not go to this host", "    certificate 0: CN=mx.match.test, issued by CN=mx.match.test",
                         "mail waits: no host can be used as things are"]),
    "bogus.test": (1, ["  mail does not go to this host now: DANE"]),
    "second.test": (0, ["MX of second.test: 2 hosts, secure", "host mx.bogus.test, preference 10",
                        "host mx.match.test, preference 20", "mail goes: 1 of 1 addresses tried will do"]),
    "ta.test": (0, ["  names that will do: mx.ta.test, ta.test", "    2 0 1 matched the certificate at depth 1, name mx.ta.test"]),
    "aliasout.test": (0, ["  CNAME of mx.aliasout.test: an alias, secure"]),
    "unusable.test": (0, ["  asked for: TLS, with any certificate"]),
    "noneclear.test": (0, ["    in clear: the host does not offer STARTTLS", "    mail goes to this host in clear"]),
    "notls.test": (1, ["    stage tls: TLS is required"]),
    "plain.example": (0, ["MX of plain.example: 1 host, not secure", "  addresses of mx.plain.example: not secure"]),
    "onlymx.example": (1, ["  mail does not go to this host now: tls-policy \"onlymx.example\" requires DANE"]),
    "implicit.test": (0, ["MX of implicit.test: none, secure: the domain is its own host"]),
    "x@match.test": (0, ["match.test: by mx"]),
    "local.example": (0, ["mail goes into mailboxes of this server: there is no TLS"]),
    "no-such.match.test": (1, ["mail is returned: the recipient's domain does not exist"]),
}


@pytest.mark.sanitize
def test_posternctl_tls(world):
    w = world()
    for domain, (status, lines) in REPORTS.items():
        got, report, _ = tls(w, domain)
        assert got == status, report
        for line in lines:
            line = line.replace("PORT", str(w.port))
            assert any(x.startswith(line) for x in report.splitlines()), (domain, line, report)
    # No mail, no login, no message: nothing but a look.
    assert all(not h.messages and h.clear_mail == 0 for h in w.hops.values() if h is not w.hops[CLEAR_HOST])
    assert not any(c.startswith(("MAIL", "RCPT", "DATA", "AUTH")) for h in w.hops.values() for c in h.commands)
    told = json.loads(tls(w, "match.test", "--json")[1])
    assert told["ok"] is True and told["domain"] == "match.test" and "    mail goes to this host" in told["lines"]
    told = json.loads(tls(w, "nomatch.test", "--json")[1])
    assert told["ok"] is False
    assert tls(w, "not a domain")[0] == 2


def test_a_trial_outlives_nobody(world):
    "The process that tries dies, the host hangs, the operator goes: each ends what hangs on it, and nothing else."
    w = world()
    w.hops[HOST].script = lambda stage, session: "hang" if stage == "ehlo" else None
    argv = [str(lib.BIN / "posternctl"), "-c", str(w.server.conf_path), "tls"]
    start = lambda domain: subprocess.Popen([*argv, domain], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    hung = start("match.test")
    lib.wait_for("the host to hang", lambda: any(c.startswith("EHLO") for c in w.hops[HOST].commands))
    # Meanwhile mail goes elsewhere.
    w.server.send(to="x@ta.test")
    w.hops["127.0.0.32"].wait(1)
    for name, pid in w.server.daemons():
        if name.startswith("postern-deliver"):
            os.kill(pid, signal.SIGKILL)
    out, err = hung.communicate(timeout=30)
    assert hung.returncode == 1 and "the process that tried it has ended" in err
    lib.wait_for("deliver", lambda: tls(w, "ta.test")[0] == 0)
    # The operator has had enough: the trial goes on by itself, and ends.
    gone = start("match.test")
    time.sleep(0.3)
    gone.send_signal(signal.SIGTERM)
    gone.communicate(timeout=30)
    # A host that says nothing costs 15 seconds, not the 300 of mail.
    before = time.monotonic()
    status, report, _ = tls(w, "match.test")
    assert status == 1 and 10 < time.monotonic() - before < 40 and "ran out of time" in report
    assert not w.server.queue_figures()["deferred"]


def test_many_trials_at_once(world):
    "TLS_TRIES_MAX of one process; those beyond are told so."
    w = world()
    w.hops[HOST].script = lambda stage, session: "hang" if stage == "connect" else None
    argv = [str(lib.BIN / "posternctl"), "-c", str(w.server.conf_path), "tls", "match.test"]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(16)]
    lib.wait_for("them", lambda: w.hops[HOST].sessions == 16)
    status, report, _ = tls(w, "match.test")
    assert status == 1 and "too much of this is under way" in report
    for p in running:
        p.kill()
        p.communicate()


def test_a_configured_hop_and_no_validation(folder, postern):
    "smtp: by name is held to its own records (RFC 7672 2.2.2); without a trust anchor dane is may, dane-only waits."
    w = DaneWorld(folder, postern)
    try:
        w.server.extra += (f'route "a.example" {{ via = "smtp:mx.match.test:{w.port}" }}\n'
                           f'route "b.example" {{ via = "smtp:mx.nomatch.test:{w.port}" }}\n'
                           f'route "c.example" {{ via = "smtp:[127.0.0.31]:{w.port}" }}\n')
        w.server.write_conf()
        w.server.ctl("reload")
        status, tls_text, _ = fate(w, w.server.send(to="x@a.example"))
        assert status == SENT and tls_text.endswith("verified by dane")
        status, _, line = fate(w, w.server.send(to="x@b.example"))
        assert status == WAITS and "matches" in line
        status, tls_text, _ = fate(w, w.server.send(to="x@c.example"))
        assert status == SENT and tls_text.endswith("unverified")
        assert "next hop: mx.match.test" in tls(w, "a.example")[1]
        assert "the next hop is an address" in tls(w, "c.example")[1]
        # Validation off.
        w.server.extra = re.sub(r'trust-anchor = "[^"]*"', 'trust-anchor = ""', w.server.extra)
        w.server.write_conf()
        w.server.stop()
        w.server.start()
        status, tls_text, _ = fate(w, w.server.send(to="x@nomatch.test"))
        assert status == SENT and tls_text.endswith("unverified")
        status, _, line = fate(w, w.server.send(to="x@only.test"))
        assert status == WAITS and "trust-anchor" in line
        status, report, _ = tls(w, "only.test")
        assert status == 1 and "DNS is not validated" in report
    finally:
        w.close()


def test_a_rollover_while_connections_stand(world):
    "A policy that has changed is not served by what was made before: a kept connection, a session to resume, a route."
    w = world()
    assert fate(w, w.server.send(to="x@none.test"))[0] == SENT
    w.server.extra += 'tls-policy "none.test" { level = "dane-only" }\n'
    w.server.write_conf()
    w.server.ctl("reload")
    status, _, line = fate(w, w.server.send(to="x@none.test"))
    assert status == WAITS and "requires DANE" in line


def test_tlsa_check(folder):
    check = lambda *argv, **kw: subprocess.run([str(lib.BIN / "posternctl"), *map(str, argv)], capture_output=True, text=True, **kw)
    ca = certs.Authority(folder / "ca")
    chain, _ = ca.issue("leaf", "mx.example.net")
    alone, _ = certs.make(folder, "alone", "localhost")
    digest, ca_digest, spki = certs.fingerprint(chain), certs.fingerprint(ca.file), certs.fingerprint(chain, "spki")
    assert check("tlsa-check", chain, f"3 1 1 {spki}").returncode == 0
    assert check("tlsa-check", chain, "3", "0", "1", digest).returncode == 0
    assert check("tlsa-check", alone, f"3 1 1 {spki}").returncode == 1
    r = check("tlsa-check", "-b", "mx.example.net", chain, f"2 0 1 {ca_digest}")
    assert r.returncode == 0 and "2 0 1 matched the certificate at depth 1, name mx.example.net" in r.stdout
    assert check("tlsa-check", "-b", "mx.other.example", chain, f"2 0 1 {ca_digest}").returncode == 1
    assert check("tlsa-check", "-b", "mx.other.example", "-n", "mx.example.net", chain, f"2 0 1 {ca_digest}").returncode == 0
    assert check("tlsa-check", chain, f"2 0 1 {ca_digest}").returncode == 2        # whose name?
    r = check("tlsa-check", chain, f"1 1 1 {spki}")
    assert r.returncode == 1 and "unusable" in r.stdout and "RFC 7672 3.1.3" in r.stdout
    # What it says would fit, fits.
    said = json.loads(check("--json", "tlsa-check", chain).stdout)
    assert said["verdict"] == "none" and [c["subject"] for c in said["chain"]] == ["CN=mx.example.net", "CN=ca"]
    for c in said["chain"]:
        r = check("--json", "tlsa-check", "-b", "mx.example.net", chain, c["record"])
        assert r.returncode == 0 and json.loads(r.stdout)["verdict"] == "authenticated"
    lines = f"; as dig has it\n_25._tcp.mx.example.net. 60 IN TLSA 3 1 1 {spki[:56]} {spki[56:]}\n\n"
    assert check("tlsa-check", "-f", "-", chain, input=lines).returncode == 0
    for argv in ((chain, "3 1 1 xyz"), (chain, "3 1"), (folder / "none.pem",), (chain, "-f", folder / "none")):
        assert check("tlsa-check", *argv).returncode == 2
