"""DANE for SMTP (RFC 7672): zones signed by ldns-signzone, served by NSD, validated by our resolver; hosts under TLS."""
import re

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
