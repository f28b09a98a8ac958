"""A man in the middle, towards hosts elsewhere and towards our listeners: nothing goes where the policy forbids (G7)."""
import contextlib
import re
import shutil
import smtplib
import socket
import ssl
import tempfile
import time
from pathlib import Path

import pytest

import certs
import lib
from mitm import Mitm, older, without
from tls_hop import TlsHop

NAME = "mx.dest.test"
HOSTS = {"may": "127.0.0.41", "encrypt": "127.0.0.42", "verify": "127.0.0.43", "fingerprint": "127.0.0.44", "dane": "127.0.0.45"}


@pytest.fixture(scope="module")
def bed():
    "An authority, the host's pair, and what a man in the middle may have; where postern-conf may read."
    folder = Path(tempfile.mkdtemp(prefix="postern."))
    folder.chmod(0o755)
    ca, other = certs.Authority(folder), certs.Authority(folder / "other")
    yield {"ca": ca, "host": ca.issue("host", NAME), "own": certs.make(folder, "own", NAME), "other": other.issue("other", NAME),
            "named": ca.issue("named", "another.example"), "expired": ca.issue("expired", NAME, days=-1)}
    shutil.rmtree(folder)


# ---- deliver -> man -> host ----

# Where a message ends: "tls" out of the man's sight, "man" under TLS that he has ended, "clear", "wait" (deferred, nothing said).
ALL_WAIT = dict.fromkeys(HOSTS, "wait")
CLEAR = ALL_WAIT | {"may": "clear"}             # what opportunistic TLS is: any TLS, else none
HIS = ALL_WAIT | {"may": "man", "encrypt": "man"}
ATTACKS = {
    "none": ({}, dict.fromkeys(HOSTS, "tls")),
    "strip": ({"ehlo": without(b"STARTTLS")}, CLEAR),
    "overwrite": ({"ehlo": lambda lines, inside: [b"XXXXXXXA" if x == b"STARTTLS" else x for x in lines]}, CLEAR),
    "454": ({"starttls": b"454 4.7.0 TLS not available\r\n"}, CLEAR),
    "500": ({"starttls": b"500 5.5.1 what\r\n"}, CLEAR),
    "drop-ehlo": ({"reply": lambda r, inside: b"502 5.5.1 no EHLO\r\n" if r.startswith(b"250-") else r}, CLEAR),
    "inject-250": ({"behind_220": b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 taken\r\n"}, CLEAR),
    "inject-ehlo": ({"behind_220": b"250-x\r\n250 AUTH PLAIN\r\n"}, CLEAR),
    "cut-0": ({"cut": 0}, CLEAR),
    "cut-1": ({"cut": 1}, CLEAR),
    "cut-2": ({"cut": 2}, ALL_WAIT),
    "garble-1": ({"garble": 1}, CLEAR),
    "garble-2": ({"garble": 2}, ALL_WAIT),
    "older": ({"hello": older}, CLEAR),
    "own": ({"pair": "own"}, HIS),
    "other-ca": ({"pair": "other"}, HIS),
    "other-name": ({"pair": "named"}, HIS),
    "expired": ({"pair": "expired"}, HIS),
}


BEHIND = ("cut-2", "garble-2")      # our last words of the handshake do not arrive as we said them


@pytest.mark.parametrize("attack", ATTACKS)
def test_G7_outbound(postern, folder, bed, attack):
    "One message by each level, at two attempts or more."
    how, want = ATTACKS[attack]
    how = {k: bed[v] if k == "pair" else v for k, v in how.items()}
    host = TlsHop(bed["host"])
    man = Mitm(("127.0.0.1", host.port), **how)
    tlsa = certs.fingerprint(bed["host"][0], "spki")
    nsd = lib.Nsd(folder / "nsd", {"dest.test": f"@ MX 10 mx\nmx A {HOSTS['dane']}\n_{man.port}._tcp.mx TLSA 3 1 1 {tlsa}\n"},
                  signed=["dest.test"])
    try:
        policy = lambda level, more="": f'tls-policy "{HOSTS[level]}" {{ level = "{level}" {more} }}\n'
        server = postern(f'queue {{ retry = {{ "1s" }} }}\ndeliver {{ port = {man.port} }}\ntls-ca = "{bed["ca"].file}"\n'
                         + policy("may") + policy("encrypt") + policy("verify", f'names = {{ "{NAME}" }}')
                         + policy("fingerprint", f'fingerprints = {{ "{certs.fingerprint(bed["host"][0])}" }}')
                         + "".join(f'route "{level}.test" {{ via = "smtp:[{at}]:{man.port}" }}\n'
                                   for level, at in HOSTS.items() if level != "dane") + nsd.stub_conf(["dest.test"]))
        rcpt = {level: f"x@{level if level != 'dane' else 'dest'}.test" for level in HOSTS}
        for address in rcpt.values():
            server.send(to=address, body=f"Subject: secret of {address}\r\n\r\nhello\r\n".encode())
        for level, address in rcpt.items():
            if want[level] != "wait":
                server.wait_log(rf"rcpt=<{address}>.* status=delivered")
                continue
            line = server.wait_log(rf"rcpt=<{address}>.* status=tempfail.*", count=2)[0]
            if "stage=tls" in line:
                assert f"TLS is required ({level}, by" in line and re.search(r"dsn=4\.(7\.\d+|4\.2) ", line), line
            else:           # we were through with the handshake, the host was not
                assert attack in BEHIND and "stage=helo" in line and ' tls="' in line, line
        for level, address in rcpt.items():
            text, taken = address.encode(), [m for m in host.messages if address in m[1]]
            assert len(taken) == (want[level] != "wait"), (level, host.messages)
            assert (text in man.clear) == (want[level] == "clear"), (level, bytes(man.clear))
            assert (text in man.inside) == (want[level] == "man"), (level, bytes(man.inside))
            sent = re.search(rf"rcpt=<{address}>.* status=delivered.*", server.text())
            if want[level] == "tls" and level not in ("may", "encrypt"):
                assert re.search(r'tls="[^"]* verified', sent[0]), sent
            elif want[level] == "clear":
                assert ' tls="' not in sent[0], sent
            elif sent:
                assert re.search(r'tls="[^"]* unverified', sent[0]), sent
        if want["may"] == "clear" and {"cut", "garble", "hello", "behind_220"} & set(how):     # not before a later attempt, and not without a word
            assert re.search(rf"rcpt=<{rcpt['may']}>.* status=tempfail", server.text())
            server.wait_log("clear after failed TLS")
    except AssertionError:
        print(*re.findall(r".* rcpt=.*|.*tls=failed.*", server.text()), sep="\n")
        raise
    finally:
        nsd.close()
        man.close()
        host.close()
