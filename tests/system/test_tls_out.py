"""Outbound TLS: what each policy lets happen at a next hop that has TLS, has none, breaks it, or shows a wrong certificate."""
import re
import ssl
import time

import pytest

import certs
import lib
import peers
from test_nexthop import TIMES
from tls_hop import TlsHop, context

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")     # TLS 1.0, by Python
ONCE = 'queue { retry = { "1h" } }\n'
SOON = 'queue { retry = { "1s" } }\n'
NAME = "hop.example"
SHORT = ("-newkey", "rsa:1024")


def policy(level, more="", title="127.0.0.1"):
    return f'tls-policy "{title}" {{ level = "{level}" {more} }}\n'


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return certs.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def pair(authority):
    return authority.issue("hop", NAME)


@pytest.fixture(scope="session")
def pairs(authority, pair):
    folder = authority.folder
    return {"good": pair, "expired": authority.issue("expired", NAME, days=-1), "name": authority.issue("name", "other.example"),
            "self": certs.make(folder, "self", NAME), "sha1": authority.issue("sha1", NAME, digest="sha1"),
            "short": authority.issue("short", NAME, algorithm=SHORT), "wild": authority.issue("wild", "*.wild.example"),
            "partial": authority.issue("partial", "m*.wild.example")}


@pytest.fixture
def tls_hop():
    made = []

    def make(*args, **kw):
        made.append(TlsHop(*args, **kw))
        return made[-1]
    yield make
    for h in made:
        h.close()


@pytest.fixture
def start(postern, authority, folder):
    "start(hop, policy text, ...) sends everything there."
    def make(hop, conf="", times=None, via=None, queue=ONCE):
        ca = folder / "ca.pem"
        ca.write_bytes(authority.file.read_bytes())
        ca.chmod(0o644)
        return postern(queue + (TIMES % "5s" if times is None else times) + f'tls-ca = "{ca}"\n' + conf,
                       route=via or f"smtp:[127.0.0.1]:{hop.port}")
    return make


def outcome(server, msgid, status="tempfail", count=1):
    "The log line of one attempt, with this status."
    return server.wait_log(rf"{msgid} rcpt=<.*status={status}.*", count=count)[0]


def words_of(server, msgid):
    lib.wait_for("the outcome to be stored", lambda: server.queue_figures()["active"] == 0)
    return server.ctl("why", msgid).stdout.decode()


# ---- levels ----

@pytest.mark.sanitize
@pytest.mark.parametrize("level,more,found", [
    ("none", "", None), ("may", "", "unverified"), ("encrypt", "", "unverified"), ("dane", "", "unverified"),
    ("verify", f'names = {{ "{NAME}" }}', "verified by ca"), ("verify", 'names = { "x.example", "*.example" }', "verified by ca"),
    ("fingerprint", "cert", "verified by fingerprint"), ("fingerprint", "spki", "verified by fingerprint")])
def test_each_level_with_a_good_host(start, tls_hop, pair, level, more, found):
    sink = tls_hop(pair)
    if level == "fingerprint":
        more = f'fingerprints = {{ "{"0" * 64}", "{certs.fingerprint(pair[0], more)}" }}'
    server = start(sink, policy(level, more))
    line = outcome(server, server.send(to="x@dest.example"), "delivered")
    sink.wait(1)
    assert sink.clear_mail == (0 if found else 1) and not sink.failures
    assert (re.search(r' tls="TLSv1\.3 TLS_AES_256_GCM_SHA384 x25519 ([^"]*)" ', line)[1] == found) if found \
        else " tls=" not in line


@pytest.mark.parametrize("kind,word", [
    ("expired", "certificate has expired"), ("name", "certificate is for other.example, wanted is hop.example"),
    ("self", "self-signed certificate"), ("sha1", "too weak"), ("short", "too weak")])
def test_verify_refuses(start, tls_hop, pairs, kind, word):
    sink = tls_hop(context(pairs[kind], ciphers="DEFAULT@SECLEVEL=0"))
    server = start(sink, policy("verify", f'names = {{ "{NAME}" }}'))
    msgid = server.send(to="x@dest.example")
    line = outcome(server, msgid)
    assert " stage=tls " in line and " dsn=4.7.5 " in line and " tls=" not in line
    assert "TLS is required (verify, by tls-policy" in line and word in line, line
    assert not sink.messages and sink.clear_mail == 0 and sink.sessions == 1
    assert word in words_of(server, msgid)
    assert not [c for c in sink.commands if c.startswith("MAIL")]


@pytest.mark.parametrize("level", ["may", "encrypt"])
@pytest.mark.parametrize("kind", ["expired", "name", "self", "sha1", "short"])
def test_any_certificate_will_do_for_less(start, tls_hop, pairs, kind, level):
    sink = tls_hop(context(pairs[kind], ciphers="DEFAULT@SECLEVEL=0"))
    server = start(sink, policy(level))
    assert "unverified" in outcome(server, server.send(to="x@dest.example"), "delivered")
    assert sink.clear_mail == 0


@pytest.mark.parametrize("kind,name,good", [("wild", "mx.wild.example", 1), ("partial", "mx.wild.example", 0),
                                            ("wild", "a.mx.wild.example", 0), ("wild", "wild.example", 0)])
def test_wildcards_are_whole_labels(start, tls_hop, pairs, kind, name, good):
    sink = tls_hop(pairs[kind])
    server = start(sink, policy("verify", f'names = {{ "{name}" }}'))
    line = outcome(server, server.send(to="x@dest.example"), "delivered" if good else "tempfail")
    assert ("verified by ca" if good else f"wanted is {name}") in line


def test_an_unknown_fingerprint_is_shown(start, tls_hop, pair):
    sink = tls_hop(pair)
    server = start(sink, policy("fingerprint", f'fingerprints = {{ "{"ab" * 32}" }}'))
    line = outcome(server, server.send(to="x@dest.example"))
    assert certs.fingerprint(pair[0]) in line and certs.fingerprint(pair[0], "spki") in line and "stage=tls" in line
    assert not sink.messages and sink.clear_mail == 0


def test_no_trust_anchor_is_a_clear_reason(start, tls_hop, pair, folder, postern, tmp_path_factory):
    other = certs.Authority(tmp_path_factory.mktemp("other"))
    (folder / "ca.pem").write_bytes(other.file.read_bytes())
    sink = tls_hop(pair)
    server = postern(ONCE + f'tls-ca = "{folder}/ca.pem"\n' + policy("verify", f'names = {{ "{NAME}" }}'),
                     route=f"smtp:[127.0.0.1]:{sink.port}")
    assert re.search("self-signed certificate in certificate chain|unable to get", outcome(server, server.send(to="x@dest.example")))


# ---- a host that has no TLS, or breaks it ----

def at(stage, what):
    return lambda s, session: what if s == stage else None


NOT_OFFERED = {"bare": dict(extensions=("PIPELINING",), under=("PIPELINING",)),
               "helo": dict(script=at("ehlo", b"502 5.5.1 what\r\n"))}
REFUSED = {"454": at("starttls", b"454 4.7.0 TLS not available\r\n"), "502": at("starttls", b"502 5.5.1 what\r\n")}
BROKEN = {"drop": dict(script=at("starttls", "drop")), "reset": dict(script=at("starttls", "reset")),
          "250": dict(script=at("starttls", b"250 2.0.0 fine\r\n")), "junk": dict(script=at("starttls", b"junk\r\n")),
          "hang": dict(script=at("starttls", "hang")),
          "behind": dict(garbage=b"250 injected\r\n"), "apart": dict(garbage=b"250 injected\r\n", apart=True),
          "pipelined": dict(script=at("ehlo", b"250-hop.example\r\n250 STARTTLS\r\n220 2.0.0 go\r\n")),
          "after": dict(script=lambda s, session: "drop" if s == "ehlo" and session.tls else None),
          **{f"cut{n}.{cut}": dict(flight=(n, cut)) for n, cut in ((0, 0), (0, 1), (0, 5), (0, 60), (0, 300))}}


@pytest.mark.parametrize("how", [*NOT_OFFERED, *REFUSED])
@pytest.mark.parametrize("level", ["encrypt", "may"])
def test_a_host_without_tls(start, tls_hop, pair, how, level):
    sink = tls_hop(pair, **(NOT_OFFERED.get(how) or dict(script=REFUSED[how])))
    server = start(sink, policy(level))
    msgid = server.send(to="x@dest.example")
    if level == "may":
        assert " tls=" not in outcome(server, msgid, "delivered")
        assert sink.clear_mail == 1
        return
    line = outcome(server, msgid)
    assert " stage=tls " in line and " dsn=4.7.4 " in line and "TLS is required (encrypt, by tls-policy" in line
    assert ("does not offer STARTTLS" if how in NOT_OFFERED else f"refused STARTTLS: {how}") in line, line
    assert sink.clear_mail == 0 and not sink.messages


@pytest.mark.sanitize
@pytest.mark.parametrize("how", BROKEN)
def test_never_in_clear_where_tls_is_required(start, tls_hop, pair, how):
    sink = tls_hop(pair, **BROKEN[how])
    server = start(sink, policy("encrypt"), queue=SOON)
    msgid = server.send(to="x@dest.example")
    for n in (1, 2, 3):
        line = outcome(server, msgid, count=n)
        assert " stage=tls " in line and "TLS is required" in line, line
    assert sink.clear_mail == 0 and not sink.messages and sink.sessions >= 3


@pytest.mark.parametrize("how", [h for h in BROKEN if h not in ("hang", "pipelined")])
def test_in_clear_at_a_later_attempt_only(start, tls_hop, pair, how):
    sink = tls_hop(pair, **BROKEN[how])
    server = start(sink, policy("may"), queue=SOON)
    msgid = server.send(to="x@dest.example")
    line = outcome(server, msgid)
    assert " stage=tls " in line and "opportunistic TLS" in line, line
    assert " tls=" not in outcome(server, msgid, "delivered")
    server.wait_log(r"relay=\[127.0.0.1\]:\d+ tls=failed: clear after failed TLS, at attempt 2: ")
    assert sink.clear_mail == 1 and sink.sessions == 3      # failed; failed, then in clear
    first = server.text().index("stage=tls")
    assert first < server.text().index("clear after failed TLS")


def test_a_host_whose_tls_comes_back_gets_it(start, tls_hop, pair):
    broken = [True]
    sink = tls_hop(pair, script=lambda s, session: "drop" if s == "starttls" and broken and broken.pop() else None)
    server = start(sink, policy("may"), queue=SOON)
    msgid = server.send(to="x@dest.example")
    assert "unverified" in outcome(server, msgid, "delivered") and sink.clear_mail == 0


def test_only_what_is_said_under_tls_counts(start, tls_hop, pair):
    sink = tls_hop(pair, extensions=("SIZE 10", "8BITMIME", "DSN", "STARTTLS"), under=("PIPELINING",))
    server = start(sink, policy("encrypt"))
    outcome(server, server.send(to="x@dest.example"), "delivered")
    assert [c for c in sink.commands if c.startswith("MAIL")] == ["MAIL FROM:<alice@local.example>"]
    assert [c.split()[0] for c in sink.commands[:3]] == ["EHLO", "STARTTLS", "EHLO"]


# ---- smtps ----

@pytest.mark.parametrize("level,more", [("may", ""), ("encrypt", ""), ("verify", f'names = {{ "{NAME}" }}')])
def test_implicit_tls(start, tls_hop, pair, level, more):
    sink = tls_hop(pair, implicit=True, under=("PIPELINING", "STARTTLS"))
    server = start(sink, policy(level, more), via=f"smtps:[127.0.0.1]:{sink.port}")
    assert "TLSv1.3" in outcome(server, server.send(to="x@dest.example"), "delivered")
    assert sink.clear_mail == 0 and not [c for c in sink.commands if c == "STARTTLS"]


def test_implicit_tls_at_a_host_that_speaks_first(start, hop):
    sink = hop()
    server = start(sink, policy("may"), via=f"smtps:[127.0.0.1]:{sink.port}", queue=SOON)
    msgid = server.send(to="x@dest.example")
    for n in (1, 2):
        line = outcome(server, msgid, count=n)
        assert "stage=tls" in line and "the host sent no TLS" in line, line
    assert not sink.messages


# ---- bodies ----

@pytest.mark.sanitize
@pytest.mark.parametrize("size", [1, 16381, 65536, 3000000])
def test_bodies_arrive_as_they_are(start, tls_hop, pair, size):
    sink = tls_hop(pair)
    server = start(sink, policy("encrypt"))
    line = b".x" * 38 + b"\r\n"
    body = b"Subject: t\r\n\r\n" + line * (size // len(line) + 1)
    for n in (1, 2):
        server.send(to="x@dest.example", body=body)
        sink.wait(n)
    assert [lib.strip_received(m[2]) for m in sink.messages] == [body, body] and sink.sessions == 1


@pytest.mark.parametrize("what,status", [("drop", "unsure"), ("accept-drop", "unsure"), (b"552 5.3.4 no\r\n", "permfail")])
def test_G3_what_became_of_the_dot(start, tls_hop, pair, what, status):
    sink = tls_hop(pair, script=at("dot", what))
    server = start(sink, policy("encrypt"))
    assert "tls=" in outcome(server, server.send(to="x@dest.example"), status)


def test_G3_a_body_cut_in_the_middle_is_no_unsure_one(start, tls_hop, pair):
    "The host goes while the body is on its way: nothing of the dot was sent."
    sink = tls_hop(pair)
    sink.end_of_data = lambda *a: pytest.fail("the dot came")
    plain = sink.do_data

    def do_data(sock, session, stream):
        sock.sendall(b"354 go on\r\n")
        stream.read(100000)
        sock.close()
        raise OSError
    sink.do_data = do_data
    server = start(sink, policy("encrypt"))
    msgid = server.send(to="x@dest.example", body=b"Subject: t\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 50000)
    assert "stage=body" in outcome(server, msgid) and "unsure" not in server.text()
    assert plain


# ---- resumption ----

def connections(server, sink, n, wait=1.5):
    "n messages, each over a connection of its own."
    for i in range(n):
        server.send(to="x@dest.example")
        sink.wait(i + 1)
        time.sleep(wait)
    return [resumed for _, _, resumed in sink.secure]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("level,more", [("may", ""), ("verify", f'names = {{ "{NAME}" }}'),
                                        ("may", "resume = false"), ("verify", f'names = {{ "{NAME}" }} resume = false')])
def test_sessions_are_resumed(start, tls_hop, pair, version, level, more):
    sink = tls_hop(context(pair, version, version))
    server = start(sink, policy(level, more), times='deliver { idle = "1s" }\n')
    want = "resume = false" not in more
    assert connections(server, sink, 3) == [False, want, want]
    assert (", resumed" in server.text()) == want
    if level == "verify":
        assert len(re.findall('verified by ca', server.text())) == 3


def test_a_session_of_another_policy_is_not_resumed(start, tls_hop, pairs):
    "A session made with any certificate would let a wrong one pass."
    sink = tls_hop(pairs["name"])
    more = lambda p: ONCE + f'tls-ca = "{server.dir.parent}/ca.pem"\ndeliver {{ idle = "1s" }}\n' + p
    server = start(sink, policy("may"), times='deliver { idle = "1s" }\n')
    assert connections(server, sink, 2) == [False, True]
    server.write_conf(more(policy("verify", f'names = {{ "{NAME}" }}')))
    server.ctl("reload")
    assert "wanted is hop.example" in outcome(server, server.send(to="x@dest.example"))
    server.write_conf(more(policy("may")))
    server.ctl("reload")
    outcome(server, server.send(to="y@dest.example"), "delivered")


# ---- connections kept ----

def test_a_reload_that_asks_for_more_keeps_no_connection(start, hop, tls_hop, pair, authority):
    sink = tls_hop(pair)
    server = start(sink, policy("none"), times='deliver { idle = "60s" }\n')
    for n in (1, 2):
        server.send(to="x@dest.example")
        sink.wait(n)
    assert sink.sessions == 1 and sink.clear_mail == 2
    ca = f'tls-ca = "{server.dir.parent}/ca.pem"\n'
    server.write_conf(ONCE + ca + 'deliver { idle = "60s" }\n' + policy("none") + 'recipient-delimiter = "+"\n')
    server.ctl("reload")
    server.send(to="x@dest.example")
    sink.wait(3)
    assert sink.sessions == 1           # nothing of TLS has changed
    server.write_conf(ONCE + ca + 'deliver { idle = "60s" }\n' + policy("verify", f'names = {{ "{NAME}" }}'))
    server.ctl("reload")
    server.send(to="x@dest.example")
    sink.wait(4)
    assert sink.sessions == 2 and sink.clear_mail == 3 and len(sink.secure) == 1


# ---- levels of the whole server ----

@pytest.mark.parametrize("level,policy_level,versions", [
    ("old", "may", "1.0 1.2 1.3"), ("intermediate", "may", "1.2 1.3"), ("modern", "may", "1.2 1.3"),
    ("old", "encrypt", "1.2 1.3"), ("modern", "verify", "1.3"), ("intermediate", "verify", "1.2 1.3")])
def test_versions(start, tls_hop, pair, level, policy_level, versions):
    more = f'names = {{ "{NAME}" }}' if policy_level == "verify" else ""
    for version in ("1.0", "1.2", "1.3"):
        v = {"1.0": ssl.TLSVersion.TLSv1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        sink = tls_hop(context(pair, v, v, ciphers="DEFAULT@SECLEVEL=0"))
        server = start(sink, policy(policy_level, more) + f'tls-level = "{level}"\n')
        msgid = server.send(to="x@dest.example")
        good = version in versions.split()
        line = outcome(server, msgid, "delivered" if good else "tempfail")
        assert good or ("stage=tls" in line and sink.clear_mail == 0), line
        server.stop()


# ---- several hosts ----

@pytest.mark.parametrize("how", ["bare", "drop", "expired"])
def test_another_host_may_do(postern, tls_hop, pairs, authority, folder, how):
    "Required TLS fails at the better host: the mail goes to the other one at once, never in clear."
    port = lib.free_port()
    kind = {"bare": dict(under=()), "drop": dict(script=at("starttls", "drop")), "expired": {}}[how]
    first = tls_hop(pairs["expired" if how == "expired" else "good"], "127.0.0.11", port, **kind)
    second = tls_hop(pairs["good"], "127.0.0.12", port)
    ca = folder / "ca.pem"
    ca.write_bytes(authority.file.read_bytes())
    ca.chmod(0o644)
    zone = "@ MX 10 one\n@ MX 20 two\none A 127.0.0.11\ntwo A 127.0.0.12\n"
    with lib.Nsd(folder / "nsd", {"two.test": zone}) as nsd:
        server = postern(ONCE + f'deliver {{ port = {port} }}\ntls-ca = "{ca}"\n' + nsd.stub_conf(["two.test"])
                         + policy("verify", f'names = {{ "{NAME}" }}', "two.test"))
        line = outcome(server, server.send(to="x@two.test"), "delivered")
    assert "two.two.test[127.0.0.12]" in line and "verified by ca" in line
    assert first.sessions == 1 and first.clear_mail == 0 and not first.messages and second.clear_mail == 0


def test_names_by_default(postern, tls_hop, authority, folder):
    "MX records that nobody has signed: the certificate is for the domain (RFC 7817 3), and the host's name proves nothing."
    port = lib.free_port()
    tls_hop(authority.issue("domain", "own.test"), "127.0.0.11", port)
    tls_hop(authority.issue("hostname", "mx.other.test"), "127.0.0.12", port)
    ca = folder / "ca.pem"
    ca.write_bytes(authority.file.read_bytes())
    ca.chmod(0o644)
    zones = {"own.test": "@ MX 10 mx\nmx A 127.0.0.11\n", "other.test": "@ MX 10 mx\nmx A 127.0.0.12\n"}
    with lib.Nsd(folder / "nsd", zones) as nsd:
        server = postern(ONCE + f'deliver {{ port = {port} }}\ntls-ca = "{ca}"\n' + nsd.stub_conf(list(zones))
                         + policy("verify", "", "*"))
        assert "verified by ca" in outcome(server, server.send(to="x@own.test"), "delivered")
        assert "the certificate is for mx.other.test, wanted is other.test" in outcome(server, server.send(to="x@other.test"))


# ---- Postfix ----

@pytest.mark.skipif(not lib.ROOT, reason="a private Postfix needs root")
@pytest.mark.parametrize("protocols,version", [(">=TLSv1.3", "TLSv1.3"), ("TLSv1.2", "TLSv1.2")], ids=["1.3", "1.2"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_at_a_postfix(start, folder, authority, pair, protocols, version, scheme):
    port = lib.free_port()
    with peers.Postfix(folder / "postfix", extra=f"""
smtpd_tls_security_level = {"encrypt" if scheme == "smtp" else "may"}
smtpd_tls_protocols = {protocols}
smtpd_tls_mandatory_protocols = {protocols}
smtpd_tls_cert_file = {pair[0]}
smtpd_tls_key_file = {pair[1]}
smtpd_tls_loglevel = 1
smtpd_tls_session_cache_database = btree:{folder}/postfix/data/scache
""", services=f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n") as postfix:
        server = start(None, policy("verify", f'names = {{ "{NAME}" }}'), times='deliver { idle = "1s" }\n',
                       via=f"{scheme}:[127.0.0.1]:{postfix.port if scheme == 'smtp' else port}")
        body = b"Subject: t\r\n\r\n" + b"z" * 70 + b"\r\n" + b"." * 70 + b"\r\n"
        for n, size in ((1, 1), (2, 20000)):
            line = outcome(server, server.send(to=f"{n}@postfix.example", body=body * size), "delivered", 1)
            assert f'tls="{version} ' in line and "verified by ca" in line and (", resumed" in line) == (n == 2), line
            lib.wait_for("the mail", lambda: len(postfix.mail()) == n)
            time.sleep(1.5)
        log = (postfix.dir / "log").read_text()
        assert re.search(rf"TLS connection (established|reused) from localhost\[127.0.0.1\]: {re.escape(version)}|"
                         rf"TLS connection established from .*: {re.escape(version)}", log), log[-2000:]
