"""The same dialogues to a real Postfix and to Postern: reply by reply, and what arrived in the end.

The language of the dialogues is explained in dialogue.py.  To add one: a new file in differential/, and a heading in
docs/differences.md where the servers differ for a reason that none of those there gives; then
"tests/system/test_differential.py --write" puts it into the tables.
"""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import dialogue
import lib

DIALOGUES = dialogue.load()
EXTRA = """
myorigin = local.example
relayhost = [127.0.0.1]:{port}
virtual_mailbox_domains = local.example
virtual_mailbox_maps = inline:{{ {{ alice@local.example = x }}, {{ bob@local.example = x }},
    {{ carol@local.example = x }}, {{ postmaster@local.example = x }} }}
virtual_transport = smtp:[127.0.0.1]:{port}
relay_domains = relay.example
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
fast_flush_domains = relay.example
mynetworks = 127.0.0.2/32
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
message_size_limit = 100000
smtpd_error_sleep_time = 0
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = 127.0.0.0/8
local_header_rewrite_clients =
smtp_tls_security_level = none
smtputf8_enable = yes
"""
CONF = """
relay-from = {{ "127.0.0.2" }}
message-size-limit = "100000"
domain "local.example" {{ deliver = "smtp:[127.0.0.1]:{port}" recipients = {{ "alice", "bob", "carol" }} }}
relay-domain "relay.example" {{ }}
route "*" {{ via = "smtp:[127.0.0.1]:{port}" }}
"""


TABLES_EXTRA = """
myorigin = local.example
mydestination = local.example
inet_protocols = all
mynetworks = 127.0.0.2/32
relayhost = [127.0.0.1]:{port}
mailbox_transport = smtp:[127.0.0.1]:{port}
local_recipient_maps = texthash:{maps}/users hash:{maps}/aliases
alias_maps = hash:{maps}/aliases
alias_database = hash:{maps}/aliases
virtual_mailbox_domains =
virtual_alias_domains = virt.example, catch.example, old.example
virtual_alias_maps = texthash:{maps}/virtual
canonical_maps = texthash:{maps}/canonical
sender_canonical_maps = texthash:{maps}/sender_canonical
recipient_canonical_maps = texthash:{maps}/recipient_canonical
local_header_rewrite_clients = permit_mynetworks
recipient_delimiter = +
relay_domains = relay.example, known.example
relay_recipient_maps = texthash:{maps}/relay
smtpd_client_restrictions = check_client_access texthash:{maps}/client_access, check_client_access cidr:{maps}/client_nets
smtpd_helo_restrictions = check_helo_access texthash:{maps}/helo_access
smtpd_sender_restrictions = check_sender_access texthash:{maps}/sender_access
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access texthash:{maps}/recipient_access
smtpd_authorized_xclient_hosts = 127.0.0.5
smtpd_authorized_xforward_hosts = 127.0.0.6
smtpd_error_sleep_time = 0
smtpd_reject_unlisted_sender = no
in_flow_delay = 0
smtp_tls_security_level = none
"""
TABLES_SERVICES = """local unix - n n - - local
127.0.0.1:{proxy} inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
"""
TABLES_CONF = """
listener "proxy" {{ address = "127.0.0.1" port = {proxy} proxy-from = {{ "127.0.0.1" }} }}
relay-from = {{ "127.0.0.2" }}
recipient-delimiter = "+"
virtual-file = {{ "texthash:{maps}/virtual" }}
canonical-file = {{ "texthash:{maps}/canonical" }}
sender-canonical-file = {{ "texthash:{maps}/sender_canonical" }}
recipient-canonical-file = {{ "texthash:{maps}/recipient_canonical" }}
client-access-file = {{ "texthash:{maps}/client_access", "cidr:{maps}/client_nets" }}
helo-access-file = {{ "texthash:{maps}/helo_access" }}
sender-access-file = {{ "texthash:{maps}/sender_access" }}
recipient-access-file = {{ "texthash:{maps}/recipient_access" }}
smtpd {{ client-names = false }}
domain "local.example" {{ deliver = "smtp:[127.0.0.1]:{port}"
    recipients-file = {{ "texthash:{maps}/users" }} aliases-file = {{ "hash:{maps}/aliases" }} }}
domain "virt.example" {{ deliver = "smtp:[127.0.0.1]:{port}" }}
domain "catch.example" {{ deliver = "smtp:[127.0.0.1]:{port}" }}
domain "old.example" {{ deliver = "smtp:[127.0.0.1]:{port}" }}
relay-domain "relay.example" {{ }}
relay-domain "known.example" {{ recipients-file = {{ "texthash:{maps}/relay" }} }}
route "*" {{ via = "smtp:[127.0.0.1]:{port}" }}
"""
MX = """listener "mx" {{ address = "127.0.0.1" port = {port}
    xclient-from = {{ "127.0.0.5" }} xforward-from = {{ "127.0.0.6" }} }}
"""


class Pair:
    "Both servers, each with a destination of its own."

    def __init__(self, folder, setup="plain"):
        self.sinks = dialogue.Destination(), dialogue.Destination()
        self.accepted, self.offers, ports = (set(), set()), None, [s.port for s in self.sinks]
        if setup == "plain":
            self.postfix = lib.Postfix(folder / "postfix", extra=EXTRA.format(port=ports[0]))
            self.postern = lib.Postern(folder / "postern", CONF.format(port=ports[1]), default_domain=False)
            proxies = 0, 0
        else:
            proxies, mx = (lib.free_port(), lib.free_port()), lib.free_port()
            maps = self.maps(folder)
            self.postfix = lib.Postfix(folder / "postfix", extra=TABLES_EXTRA.format(port=ports[0], maps=maps),
                                       services=TABLES_SERVICES.format(proxy=proxies[0]))
            self.postern = lib.Postern(
                folder / "postern", TABLES_CONF.format(port=ports[1], maps=maps, proxy=proxies[1]), port=mx,
                default_domain=False, hostname="local.example", listeners=MX.format(port=mx))
        self.ports = {"mx": (self.postfix.port, self.postern.port), "proxy": proxies}

    @staticmethod
    def maps(folder):
        "The map files, in a folder that both may read; Postfix wants aliases(5) compiled."
        maps = folder / "maps"
        shutil.copytree(dialogue.FOLDER / "maps", maps)
        aliases = maps / "aliases"
        aliases.write_text(aliases.read_text().replace("@DIR@", str(maps)))
        (maps / "etc").mkdir()
        (maps / "etc/main.cf").write_text("compatibility_level = 3.6\ninet_interfaces = 127.0.0.1\nmail_owner = postern-peer\n"
                                         "setgid_group = postern-peerdrop\n")
        subprocess.run([str(lib.PEERS / "usr/sbin/postalias"), "-c", str(maps / "etc"), f"hash:{aliases}"],
                       env=lib.PEER_ENV, check=True)
        return maps

    @staticmethod
    def keywords(port, source=None):
        with lib.Raw(port, source=source) as c:
            return {line[4:].split()[0] for line in c.say("EHLO client.example").split("\n")[1:]}

    def removed(self, which, queue_id):
        "Whether a server is done with a message, which its log says."
        if which == 0:
            return f" {queue_id.decode()}: removed" in (self.postfix.dir / "log").read_text(errors="replace")
        return re.search(rf" {queue_id.decode()} (removed\b|discarded .* whole=yes)", self.postern.text())

    def forwarded(self, queue_id):
        "What Postfix's local(8) made of a message, as messages of their own."
        log = (self.postfix.dir / "log").read_text(errors="replace")
        return [m.encode() for m in re.findall(rf" {queue_id.decode()}: .*\(forwarded as (\w+)\)", log)]

    def run(self, d):
        "A dialogue to both; the differences."
        answers = []
        for which, port in enumerate(self.ports[d.port]):
            client = dialogue.Client(port, d.client, d.port == "mx")
            try:
                answers.append(client.play(d.steps))
            except AssertionError as e:
                raise AssertionError(f"{('Postfix', 'Postern')[which]}: {d.name}.txt: {e}") from None
            finally:
                client.close()
            for queue_id in [a[1] for a in answers[-1] if a and a[1]]:
                lib.wait_for(f"{d.name}: {queue_id} to leave", lambda q=queue_id, w=which: self.removed(w, q))
                self.accepted[which].add(queue_id)
                for child in self.forwarded(queue_id) if which == 0 and d.setup == "tables" else ():
                    lib.wait_for(f"{d.name}: {child} to leave", lambda q=child: self.removed(0, q))
        return list(dialogue.compare(d, answers, self.sinks))

    def __enter__(self):
        try:
            self.postern.start()
            self.offers = [self.keywords(port) for port in self.ports["mx"]]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.postfix.close()
        for sink in self.sinks:
            sink.close()
        self.postern.stop()
        said = self.postern.text()
        assert not re.search("AddressSanitizer|runtime error:|Assertion", said), said[-6000:]


@pytest.fixture(scope="module")
def pairs():
    if not lib.ROOT:
        pytest.skip("Postfix needs root to start")
    with contextlib.ExitStack() as stack:
        found = {}
        for setup in ("plain", "tables"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern.")))
            os.chmod(folder, 0o755)
            found[setup] = stack.enter_context(Pair(folder, setup))
        yield found


@pytest.mark.sanitize
@pytest.mark.parametrize("d", DIALOGUES, ids=[d.name for d in DIALOGUES])
def test_replies_and_mail(pairs, d):
    pair = pairs[d.setup]
    lacking = [n for n in d.needs if any(n not in offer for offer in pair.offers)]
    if lacking:
        names = [name for name, offer in zip(("Postfix", "Postern"), pair.offers) if lacking[0] not in offer]
        pytest.skip(f"{lacking[0]} is not offered by {' and '.join(names)}")
    wrong = list(dialogue.unexplained(d, pair.run(d)))
    assert not wrong, "\n".join(wrong)


def test_ehlo_offers_what_the_document_says(pairs):
    text = dialogue.DOC.read_text().split("## What EHLO offers")[1].split("\n## ")[0]
    told = {(row[0], who, server) for row in re.findall(r"(?m)^\| ([A-Z0-9-]+) \| (\w+|-) \| (\w+|-) \|", text)
            for server in (0, 1) for who in ("all", "trusted") if row[1 + server] in ("all", who)}
    found = set()
    for who, source in ("all", "127.0.0.1"), ("trusted", dialogue.TRUSTED):
        offers = [pairs["plain"].keywords(port, source) for port in pairs["plain"].ports["mx"]]
        found |= {(word, who, server) for server in (0, 1) for word in offers[server] - offers[1 - server]}
    told |= {(word, "trusted", server) for word, who, server in told if who == "all"}
    assert found == told, found ^ told


def test_nothing_else_arrived(pairs):
    "No notice, nothing smuggled: what Postern took was delivered, and what it did not take never came."
    pair = pairs["plain"]
    for sender, rcpts, body, params in pair.sinks[1].messages:
        queue_id = re.search(rb"\bid (\w+)", body)
        assert queue_id and queue_id[1] in pair.accepted[1], (sender, rcpts, body[:400])
    assert pair.postern.queue_figures()["total"] == 0


def test_a_difference_and_its_explanation_belong_together(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("C: ONE\n=: 250 501 some-reason\nC: TWO\nC: THREE\n=: 250 550 some-reason\n")
    d = dialogue.parse(path)
    said = lambda *codes: list(dialogue.unexplained(d, dialogue.compare(d, [[(c, None) for c in codes[:3]],
                                                                         [(c, None) for c in codes[3:]]], ())))
    assert said("250", "250", "250", "501", "252", "550") == []
    assert said("250", "501", "250", "501", "502", "550") == ["x.txt:3: 'TWO': =: 501 502"]
    assert said("250", "250", "250", "250", "250", "550") == [
        "x.txt:1: 'ONE': no difference; explained was: =: 250 501"]
    assert said("250", "250", "550", "501", "250", "550") == [
        "x.txt:4: 'THREE': no difference; explained was: =: 250 550"]
    assert said("250", "250", "250", "504", "250", "550") == [
        "x.txt:1: 'ONE': =: 250 504; explained was: =: 250 501"]


def test_the_document_says_what_the_dialogues_say():
    text = dialogue.DOC.read_text()
    now, wrong = dialogue.document(text, dialogue.rows(DIALOGUES))
    assert not wrong, "\n".join(wrong)
    assert text == now, "tests/system/test_differential.py --write brings the tables up to date"


def main():
    "What differs without an explanation; with --write the tables of the document."
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    if "--write" in sys.argv:
        text, wrong = dialogue.document(dialogue.DOC.read_text(), dialogue.rows(DIALOGUES))
        dialogue.DOC.write_text(text)
        print(*wrong, sep="\n")
        return
    for setup in ("plain", "tables"):
        chosen = [d for d in DIALOGUES if d.setup == setup and (not names or d.name in names)]
        if not chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="postern.") as folder:
            os.chmod(folder, 0o755)
            with Pair(Path(folder), setup) as pair:
                print("EHLO:", *map(sorted, pair.offers), sep="\n  ")
                for d in chosen:
                    if all(n in o for n in d.needs for o in pair.offers):
                        try:
                            print(*dialogue.unexplained(d, pair.run(d)), sep="\n", end="\n")
                        except AssertionError as e:
                            print(e)


if __name__ == "__main__":
    main()
