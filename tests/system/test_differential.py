"""The same dialogues to a real Postfix and to Postern: reply by reply, and what arrived in the end.

The language of the dialogues is explained in dialogue.py.  To add one: a new file in differential/, and a heading in
docs/differences.md where the servers differ for a reason that none of those there gives; then
"tests/system/test_differential.py --write" puts it into the tables.
"""
import os
import re
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


class Pair:
    "Both servers, each with a destination of its own."

    def __init__(self, folder):
        self.sinks = dialogue.Destination(), dialogue.Destination()
        self.postfix = lib.Postfix(folder / "postfix", extra=EXTRA.format(port=self.sinks[0].port))
        self.postern = lib.Postern(folder / "postern", CONF.format(port=self.sinks[1].port), default_domain=False)
        self.ports = self.postfix.port, self.postern.port
        self.accepted, self.offers = (set(), set()), None

    @staticmethod
    def keywords(port):
        with lib.Raw(port) as c:
            return {line[4:].split()[0] for line in c.say("EHLO client.example").split("\n")[1:]}

    def removed(self, which, queue_id):
        "Whether a server is done with a message, which its log says."
        if which == 0:
            return f" {queue_id.decode()}: removed" in (self.postfix.dir / "log").read_text(errors="replace")
        return re.search(rf" {queue_id.decode()} removed\b", self.postern.text())

    def run(self, d):
        "A dialogue to both; the differences."
        answers = []
        for which, port in enumerate(self.ports):
            client = dialogue.Client(port, d.client)
            try:
                answers.append(client.play(d.steps))
            except AssertionError as e:
                raise AssertionError(f"{('Postfix', 'Postern')[which]}: {d.name}.txt: {e}") from None
            finally:
                client.close()
            for queue_id in [a[1] for a in answers[-1] if a and a[1]]:
                lib.wait_for(f"{d.name}: {queue_id} to leave", lambda q=queue_id, w=which: self.removed(w, q))
                self.accepted[which].add(queue_id)
        return list(dialogue.compare(d, answers, self.sinks))

    def __enter__(self):
        try:
            self.postern.start()
            self.offers = [self.keywords(port) for port in self.ports]
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
def pair():
    if not lib.ROOT:
        pytest.skip("Postfix needs root to start")
    with tempfile.TemporaryDirectory(prefix="postern.") as folder:
        os.chmod(folder, 0o755)
        with Pair(Path(folder)) as both:
            yield both


@pytest.mark.sanitize
@pytest.mark.parametrize("d", DIALOGUES, ids=[d.name for d in DIALOGUES])
def test_replies_and_mail(pair, d):
    lacking = [n for n in d.needs if any(n not in offer for offer in pair.offers)]
    if lacking:
        names = [name for name, offer in zip(("Postfix", "Postern"), pair.offers) if lacking[0] not in offer]
        pytest.skip(f"{lacking[0]} is not offered by {' and '.join(names)}")
    wrong = list(dialogue.unexplained(d, pair.run(d)))
    assert not wrong, "\n".join(wrong)


def test_nothing_else_arrived(pair):
    "No notice, nothing smuggled: what Postern took was delivered, and what it did not take never came."
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
    with tempfile.TemporaryDirectory(prefix="postern.") as folder:
        os.chmod(folder, 0o755)
        with Pair(Path(folder)) as pair:
            print("EHLO:", *map(sorted, pair.offers), sep="\n  ")
            for d in DIALOGUES:
                if (not names or d.name in names) and all(n in o for n in d.needs for o in pair.offers):
                    try:
                        print(*dialogue.unexplained(d, pair.run(d)), sep="\n", end="\n")
                    except AssertionError as e:
                        print(e)


if __name__ == "__main__":
    main()
