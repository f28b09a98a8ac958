"""Tables of a running server: taken as a whole at a reload or not at all, read by nobody but the checker, shared by all.

The look-ups themselves are tests/conf/*_test.c's.
"""
import ipaddress
import random
import re
import subprocess
from pathlib import Path

import pytest

from lib import PEER_ENV, PEERS, ROOT, Raw


def rcpt(server, *addresses):
    "The codes that RCPT gets, in one session."
    with Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<alice@elsewhere.example>")
        return [c.say(f"RCPT TO:<{a}>")[:3] for a in addresses]


@pytest.fixture
def tables(folder, postern):
    "A server whose recipients, aliases, virtual map and client rules are files, and the folder of these."
    mail = folder / "mail"
    folder = folder / "tables"
    folder.mkdir(mode=0o755)
    (folder / "recipients").write_text("bob x\ncarol@local.example x\n")
    (folder / "aliases").write_text("team: bob, :include:%s/list\n" % folder)
    (folder / "list").write_text("# who else\ncarol\n")
    (folder / "virtual").write_text("info@local.example bob\n")
    (folder / "access").write_text("192.0.2 REJECT\n")
    conf = (f'virtual-file = "hash:{folder}/virtual"\nclient-access-file = "{folder}/access"\n'
            f'recipient-delimiter = "+"\n'
            f'domain "local.example" {{ deliver = "maildir:{mail}/%d/%u" recipients-file = "{folder}/recipients"'
            f' aliases-file = "{folder}/aliases" }}\n')
    return postern(conf, default_domain=False), folder


def reload(server, ok):
    done = server.ctl("reload", check=False)
    assert (done.returncode == 0) == ok, done
    return (done.stdout + done.stderr).decode()


def test_known_and_unknown_recipients(tables):
    server, _ = tables
    assert rcpt(server, "bob", "x") == ["501", "501"]
    assert rcpt(server, "BOB@local.example", "carol@local.example", "team@local.example", "info@local.example",
                "bob+x@local.example", "nobody@local.example") == ["250"] * 5 + ["550"]


@pytest.mark.parametrize("name, text, says", [
    ("recipients", "bob\na..b\n", r"recipients:2: \"a\.\.b\": "),
    ("aliases", "team: bob\nteam: carol\n", r"aliases:2: \"team\" is given twice, first on line 1"),
    ("aliases", "x: |/bin/sh\n", r"aliases:1: \"\|/bin/sh\": mail is not piped to commands"),
    ("list", "ok@x.example\n@bad\n", r"list:2: "),
    ("virtual", "info@local.example\n", r"virtual:1: expected a key"),
    ("access", "192.0.2 FILTER x\n", r"access:1: action FILTER"),
    ("access", None, r"client-access-file: .*access: No such file"),
], ids=["recipient", "twice", "pipe", "include", "value", "action", "gone"])
def test_bad_table_refuses_the_whole_reload(tables, name, text, says):
    server, folder = tables
    (folder / "recipients").write_text("dave\n")        # good, but it comes with what is not
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    said = reload(server, False)
    assert re.search(says, said), said
    server.wait_log(r"reload: .*" + says)
    assert rcpt(server, "bob@local.example", "dave@local.example") == ["250", "550"]


def test_a_reload_changes_all_tables_at_once(tables):
    server, folder = tables
    (folder / "recipients").write_text("dave\nbob\n")
    (folder / "virtual").write_text("new@local.example dave\n")
    assert rcpt(server, "dave@local.example", "info@local.example") == ["550", "250"]
    reload(server, True)
    assert rcpt(server, "dave@local.example", "new@local.example", "info@local.example") == ["250", "250", "550"]


@pytest.mark.skipif(not ROOT, reason="needs users of its own")
def test_a_table_that_the_checker_may_not_read(tables):
    server, folder = tables
    (folder / "virtual").chmod(0o600)
    said = reload(server, False)
    assert "permission denied" in said and "postern-conf" in said and str(folder / "virtual") in said, said
    assert rcpt(server, "info@local.example") == ["250"]


@pytest.mark.skipif(not ROOT, reason="a daemon is not dumpable: only root may see what it maps")
def test_the_image_is_shared_and_read_only(tables):
    "Every daemon maps the same file; none of its pages is a process's own."
    server, folder = tables
    with open(folder / "virtual", "w") as f:
        f.writelines(f"user{i}@local.example bob\n" for i in range(100000))
    reload(server, True)
    assert rcpt(server, "user99999@local.example", "info@local.example") == ["250", "550"]
    inodes = set()
    for name, pid in [*server.daemons(), ("posternd", server.proc.pid)]:
        maps = Path(f"/proc/{pid}/smaps").read_text()
        found = re.findall(r"^\S+ (\S+) \S+ \S+ (\d+)\s+/memfd:postern-conf.*?^Private_Dirty:\s+(\d+) kB", maps, re.M | re.S)
        assert found, name
        assert all(mode == "r--p" and dirty == "0" for mode, _, dirty in found), (name, found)
        inodes.add(max(found, key=lambda x: int(x[1]))[1])
    assert len(inodes) == 1, inodes


def networks(rng):
    "Random lines of a cidr: file below 127.0.0.0/8, each with its number as the text of its rule."
    def net():
        length = rng.choice((10, 16, 24, 27, 30, 32))
        address = (127 << 24 | rng.getrandbits(rng.choice((4, 8, 24)))) >> (32 - length) << (32 - length)
        return f"{ipaddress.ip_address(address)}/{length}"
    lines, open_ifs = [], 0
    while len(lines) < 150:
        kind = rng.random()
        if kind < 0.06 and open_ifs < 4:
            lines.append(f"if {net()}" if rng.random() < 0.5 else f"if !{net()}")
            open_ifs += 1
        elif kind < 0.14 and open_ifs:
            lines.append("endif")
            open_ifs -= 1
        else:
            lines.append(f"{net()} {rng.choice(('REJECT', '450', 'OK'))} line {len(lines) + 1}")
    return lines + ["endif"] * open_ifs


@pytest.mark.parametrize("seed", [1, 2])
def test_networks_speak_as_postmap_says(folder, postern, seed):
    "Clients from many loopback addresses get the rule that Postfix finds for them in the same file."
    postmap = PEERS / "usr/sbin/postmap"
    if not postmap.exists():
        pytest.skip("needs Postfix's postmap")
    rng = random.Random(seed)
    folder = folder / "tables"
    folder.mkdir(mode=0o755)
    (folder / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = h.test\nmail_owner = daemon\nsetgid_group = mail\n")
    (folder / "nets").write_text("\n".join(networks(rng)) + "\n")
    clients = {str(ipaddress.ip_address(127 << 24 | (rng.getrandbits(rng.choice((4, 8, 24))) or 1))) for _ in range(80)}
    said = subprocess.run([postmap, "-q", "-", f"cidr:{folder}/nets"], input="\n".join(clients) + "\n", text=True,
                          capture_output=True, env=dict(PEER_ENV, MAIL_CONFIG=str(folder)), timeout=60)
    assert said.stderr == "", said.stderr
    want = dict(line.split("\t") for line in said.stdout.splitlines())
    server = postern(f'client-access-file = "cidr:{folder}/nets"\nsmtpd {{ client-names = false }}\n')
    for client in sorted(clients):
        with Raw(server.port, source=client) as c:
            c.say("EHLO client.example")
            reply = c.say("MAIL FROM:<alice@elsewhere.example>")
            if reply.startswith("250"):
                reply = c.say("RCPT TO:<bob@local.example>")
        rule = want.get(client, "OK")
        if rule.startswith("OK"):
            assert reply.startswith("250"), (client, rule, reply)
        else:
            action, text = rule.split(" ", 1)
            assert reply.startswith("554 5.7.1" if action == "REJECT" else "450 4.7.1"), (client, rule, reply)
            assert re.search(rf"{text}\b", reply), (client, rule, reply)
