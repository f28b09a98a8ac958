"""The dialogues of the differential tests: their language, a client that plays them, and the table in docs/.

A dialogue is a file differential/NAME.txt.  First comments (#) and settings, then lines in order:
  needs: KEYWORD       it counts only where both servers offer this in EHLO
  client: trusted      comes from 127.0.0.2, which both servers relay for; else from 127.0.0.1, a stranger, or an address
  setup: tables        servers with the same map files (differential/maps), of which what arrives is compared by
                       sender and recipients only, since Postfix's local(8) adds to what it delivers
  compare: FIELD ...   by these fields instead
  port: proxy          by their listeners behind a proxy, where the greeting is read by R:
  C: text              the client sends text and CR LF, and reads a reply
  P: text              the same, but the reply is read only after the next C or R: pipelined, in one piece with it
  D: text              text and CR LF for which there is no reply: the lines of a message
  C- text              octets without CR LF, no reply
  R:                   reads a reply, of what was sent by C- or D
  B: text              BDAT with this text as its chunk, and reads a reply;  L: the same with LAST;
                       b: and l: the same, pipelined as P is
  W:                   waits until the server has read what was sent: a segment of its own
Escapes in text: \\r \\n \\t \\0 \\\\ \\xNN, and \\*9{abc}: nine times abc, as in tests/smtpd.

Below a line stands where the servers differ there, and under which heading of docs/differences.md that is explained:
  =: POSTFIX POSTERN heading          their codes; "closed" if one has closed.  Nothing is compared after that
  =FIELD: POSTFIX POSTERN heading     what arrived of the message accepted there: sender, rcpts, params or body
"""
import base64
import hashlib
import re
import socket
import time
from collections import namedtuple
from pathlib import Path

from base import SLOW, TOP, wait_for
from hop import Hop

FOLDER = Path(__file__).parent / "differential"
DOC = TOP / "docs/differences.md"
FIELDS = ("sender", "rcpts", "params", "body")
TRUSTED = "127.0.0.2"
Step = namedtuple("Step", "number kind text marks")        # marks: field -> (postfix, postern, heading)
Dialogue = namedtuple("Dialogue", "name needs client setup port fields steps")


def unescape(text):
    "The octets that an escaped text stands for."
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}

    def one(match):
        if match["times"]:
            return unescape(match["again"]) * int(match["times"])
        return bytes([int(match["hex"], 16)]) if match["hex"] else simple[match["char"]]
    pattern = r"\\(?:\*(?P<times>\d+)\{(?P<again>[^}]*)\}|x(?P<hex>[0-9a-fA-F]{2})|(?P<char>[rnt0\\]))"
    out, end = b"", 0
    for match in re.finditer(pattern, text):
        out += text[end:match.start()].encode() + one(match)
        end = match.end()
    return out + text[end:].encode()


def token(octets):
    "One printable word for a table: what is long is told by its length and hash."
    if len(octets) > 400:
        return f"{len(octets)}:{base64.b32encode(hashlib.sha256(octets).digest())[:10].decode().lower()}"
    text = "".join(chr(c) if 32 < c < 127 and c != 92 else f"\\x{c:02x}" for c in octets)
    return text.replace("\\x0d\\x0a", "\\r\\n") or '""'


def parse(path):
    needs, steps, said = [], [], {"client": "127.0.0.1", "setup": "plain", "port": "mx"}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}"
        if not line or line.startswith("#"):
            continue
        setting = re.fullmatch(r"(needs|client|setup|port|compare): (.+)", line)
        mark = re.fullmatch(r"=(\w*): (\S+) (\S+) ([\w-]+)", line)
        step = re.fullmatch(r"([CPDBLblRW]:|C-) ?(.*)", line)
        if setting and not steps:
            if setting[1] == "needs":
                needs.append(setting[2])
            else:
                said[setting[1]] = {"trusted": TRUSTED}.get(setting[2], setting[2])
        elif mark and steps:
            field = mark[1] or "code"
            assert field in ("code", *FIELDS) and field not in steps[-1].marks, where
            steps[-1].marks[field] = (mark[2], mark[3], mark[4])
        elif step:
            steps.append(Step(number, step[1], step[2], {}))
        else:
            raise AssertionError(f"{where}: not a line of a dialogue: {line!r}")
    assert steps, path
    fields = said.get("compare", " ".join(FIELDS if said["setup"] == "plain" else FIELDS[:2])).split()
    assert said["setup"] in ("plain", "tables") and said["port"] in ("mx", "proxy") and set(fields) <= set(FIELDS), path
    return Dialogue(path.stem, needs, said["client"], said["setup"], said["port"], fields, steps)


def load():
    return [parse(p) for p in sorted(FOLDER.glob("*.txt"))]


class Destination(Hop):
    "The next hop of both servers: takes everything, and keeps the parameters and by which queue ID it came."

    def __init__(self):
        super().__init__(extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 0"))

    PATH = re.compile(rb'[^<]*<((?:"(?:\\.|[^"\\])*"|[^">])*)>')

    @classmethod
    def path(cls, line):
        return cls.PATH.match(line)[1].decode("latin-1")

    def do_mail(self, sock, session, stream):
        session.params = [self.params(session.line)]
        super().do_mail(sock, session, stream)

    def do_rcpt(self, sock, session, stream):
        session.params.append(self.params(session.line))
        super().do_rcpt(sock, session, stream)

    def params(self, line):
        """What DSN and SMTPUTF8 say.  An ORCPT that repeats the recipient says nothing, and may be added (RFC 3461
        5.2.1); SIZE and BODY are the business of each hop."""
        path = self.PATH.match(line)
        rest = [b"NOTIFY=" + b",".join(sorted(p[7:].split(b","))) if p.upper().startswith(b"NOTIFY=") else p
                for p in line[path.end():].split()]
        return sorted(p for p in rest if not p.upper().startswith((b"SIZE=", b"BODY=")) and p != b"ORCPT=rfc822;" + path[1])

    def keep(self, session, body):
        with self.lock:
            self.messages.append((session.sender, list(zip(session.rcpts, session.params[1:])), body,
                                  session.params[0]))

    def arrived(self, queue_id):
        "(sender, rcpts, params, body) as tokens of what came under this ID, all its transactions together."
        with self.lock:
            parts = [m for m in self.messages if re.search(rb"\bid " + queue_id + rb"\b", m[2].split(b"\r\n\r\n")[0])]
        rcpts = sorted(r for m in parts for r in m[1])
        if not parts:
            return rcpts, None
        body = re.sub(rb"\AReceived: [^\r\n]*\r\n([ \t][^\r\n]*\r\n)*", b"", parts[0][2])
        params = sorted({p for _, ps in rcpts for p in ps}) if len({tuple(ps) for _, ps in rcpts}) < 2 else [
            p for _, ps in rcpts for p in ps]
        senders = sorted({m[0] for m in parts})     # more than one where a list has an owner
        return rcpts, {"sender": token(b",".join(b"<" + s.encode("latin-1") + b">" for s in senders)),
                       "rcpts": token(b",".join(r[0].encode("latin-1") for r in rcpts)),
                       "params": token(b" ".join([*parts[0][3], *params])), "body": token(body)}


class Client:
    "Plays a dialogue to one server: a code for each line that has a reply, and the ID of what was accepted."

    def __init__(self, port, source, greeted=True):
        self.sock = socket.create_connection(("127.0.0.1", port), 10 * SLOW, source_address=(source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(20 * SLOW)
        self.port, self.pending, self.waiting = port, b"", b""
        self.ended = False
        assert not greeted or self.reply()[0] in ("220", "554")

    def flush(self):
        try:
            self.sock.sendall(self.waiting)
        except ConnectionError:
            pass                # its last words may still be there to be read
        self.waiting = b""

    def taken(self):
        "Whether the server has read all that was sent: nothing left in either kernel queue."
        ours, theirs = self.sock.getsockname()[1], self.port
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            word = line.split()
            ports = int(word[1][-4:], 16), int(word[2][-4:], 16)
            if ports in ((ours, theirs), (theirs, ours)) and word[3] == "01":
                tx, rx = (int(n, 16) for n in word[4].split(":"))
                if tx if ports[0] == ours else rx:
                    return False
        return True

    def reply(self):
        "(code, text); (closed, text) if there is none any more."
        text = b""
        while True:
            while b"\n" not in self.pending:
                try:
                    octets = self.sock.recv(65536)
                except ConnectionError:
                    octets = b""
                except socket.timeout:
                    raise AssertionError("silence") from None
                if not octets:
                    self.ended = True
                    return "closed", text
                self.pending += octets
            line, self.pending = self.pending.split(b"\n", 1)
            text += line + b"\n"
            if line[3:4] != b"-":
                assert re.match(rb"[2-5][0-9][0-9][ \r]", line + b"\r"), line
                return line[:3].decode(), text

    def play(self, steps):
        "[(code, queue ID or None)] for the steps that have a reply, None for the others."
        answers, owed = [None] * len(steps), []
        for i, step in enumerate(steps):
            octets = unescape(step.text)
            if step.kind in "B:L:b:l:":
                octets = b"BDAT %d%s\r\n" % (len(octets), b" LAST" if step.kind in "L:l:" else b"") + octets
            elif step.kind in ("C:", "P:", "D:"):
                octets += b"\r\n"
            self.waiting += octets
            if step.kind == "W:":
                self.flush()
                wait_for("the server to read a segment", self.taken, 20 * SLOW, 0.002)
            if step.kind in ("C:", "P:", "B:", "L:", "b:", "l:", "R:"):
                owed.append(i)
            if step.kind in ("C:", "B:", "L:", "R:"):
                self.flush()
                for n in owed:
                    try:
                        code, text = self.reply()
                    except AssertionError as e:
                        raise AssertionError(f"line {steps[n].number}: {steps[n].text!r}: {e}") from None
                    found = re.search(rb"queued as (\w+)", text)
                    answers[n] = (code, found[1] if found and code[0] == "2" else None)
                owed = []
            if self.ended:
                break
        return answers

    def close(self):
        self.flush()
        self.sock.close()


def same(postfix, postern):
    "Positive replies by class; refusals by code, since it tells a client what to do."
    return postfix == postern or (postfix[0] == postern[0] and postfix[0] in "23")


def compare(dialogue, answers, destinations):
    "Yields (step, field, postfix's, postern's) for each line where they differ.  answers: of Postfix, of Postern."
    for i, step in enumerate(dialogue.steps):
        if answers[0][i] is None or answers[1][i] is None:
            continue
        (code0, id0), (code1, id1) = answers[0][i], answers[1][i]
        if not same(code0, code1):
            yield step, "code", code0, code1
        if "closed" in (code0, code1):
            return
        if id0 and id1:
            came = []
            for queue_id, destination in ((id0, destinations[0]), (id1, destinations[1])):
                came.append(destination.arrived(queue_id)[1] or dict.fromkeys(FIELDS, "-"))
            for field in dialogue.fields:
                if came[0][field] != came[1][field]:
                    yield step, field, came[0][field], came[1][field]


def unexplained(dialogue, differences):
    "What the marks of a dialogue do not say, and what they say that is not so (any more)."
    found = {(s.number, f): (a, b) for s, f, a, b in differences}
    said = {(s.number, f): m[:2] for s in dialogue.steps for f, m in s.marks.items()}
    text = {s.number: s.text for s in dialogue.steps}
    for key in sorted(found.keys() | said.keys()):
        if found.get(key) != said.get(key):
            number, field = key
            name = "=:" if field == "code" else f"={field}:"
            now = "no difference" if key not in found else " ".join((name, *found[key]))
            then = "" if key not in said else "; explained was: " + " ".join((name, *said[key]))
            yield f"{dialogue.name}.txt:{number}: {text[number][:60]!r}: {now}{then}"


def rows(dialogues):
    "heading -> the lines of its table."
    tables = {}
    cell = lambda text: "`" + text[:70].replace("|", "\\|").replace("`", "'") + ("...`" if len(text) > 70 else "`")
    for d in dialogues:
        said = ""
        for step in d.steps:
            if step.kind not in ("R:", "W:"):       # a bare reply is one to what was sent before it
                said = {"B": "BDAT: ", "L": "BDAT LAST: "}.get(step.kind[0].upper(), "") + step.text
            for field, (postfix, postern, heading) in step.marks.items():
                what = cell(said) + ("" if field == "code" else f", {field} that arrived")
                row = f"| {d.name} | {what} | {cell(postfix)} | {cell(postern)} |"
                tables.setdefault(heading, []).append(row)
    return tables


def document(text, tables):
    "The document with its tables as they should be; and the headings that lack here or there."
    parts = re.split(r"(?m)^(?=## )", text)
    seen = set()
    for i, part in enumerate(parts[1:], 1):
        slug = re.match(r"## ([\w-]+): ", part)
        if not slug:
            continue
        seen.add(slug[1])
        prose = re.sub(r"(?m)^\|.*\n", "", part).rstrip()
        head = "| dialogue | client | Postfix | Postern |\n| --- | --- | --- | --- |\n"
        parts[i] = prose + "\n\n" + head + "\n".join(tables.get(slug[1], [])) + "\n\n"
    wrong = [f"{h}: no such heading in {DOC.name}" for h in sorted(tables.keys() - seen)]
    wrong += [f"{h}: explains no difference any more" for h in sorted(seen - tables.keys())]
    return "".join(parts).rstrip() + "\n", wrong
