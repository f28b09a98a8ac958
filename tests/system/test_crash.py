"""G1, G2, G3 and F1, F2: kill -9 of each daemon and of all, under load and at chosen points.

Each message carries a number.  A client keeps the numbers of the messages that got their 250; at the end
each of them must be at the next hop, and none twice beyond what G3 allows."""
import collections
import ctypes
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import lib


class Load:
    "Clients that send numbered messages until told to stop, and note which ones were accepted."

    def __init__(self, server, clients=4, size=200, rcpt="x@dest.example"):
        self.server, self.size, self.rcpt = server, size, rcpt
        self.accepted, self.sent = set(), set()
        self.lock, self.stopping, self.next = threading.Lock(), threading.Event(), 0
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            self.next += 1
            self.sent.add(self.next)
            return self.next

    def client(self):
        while not self.stopping.is_set():
            try:
                with self.server.smtp() as s:
                    while not self.stopping.is_set():
                        n = self.number()
                        body = f"Subject: t\r\nX-Number: {n}\r\n\r\n".encode() + b"z" * self.size + b"\r\n"
                        s.ehlo_or_helo_if_needed()
                        if s.mail("from@local.example")[0] != 250 or s.rcpt(self.rcpt)[0] != 250:
                            s.rset()
                            self.stopping.wait(0.02)
                            continue
                        if s.data(body)[0] == 250:
                            with self.lock:
                                self.accepted.add(n)
            except Exception:       # a killed daemon: the client comes again
                self.stopping.wait(0.02)

    def wait(self, n, seconds=lib.DEADLINE):
        goal = len(self.accepted) + n
        lib.wait_for(f"{n} more accepted messages", lambda: len(self.accepted) >= goal, seconds)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(40)
        return self


def numbers(messages):
    return collections.Counter(int(re.search(rb"X-Number: (\d+)", m[2])[1]) for m in messages)


def check(load, sink, server, duplicates, seconds=60):
    def settled():
        server.ctl("queue", "retry", "--all", check=False)
        return server.queue_figures()["total"] == 0
    lib.wait_for("the queue to be empty", settled, seconds * lib.SLOW, 0.3)
    seen = numbers(sink.messages)
    lost = load.accepted - set(seen)
    assert not lost, f"{len(lost)} of {len(load.accepted)} accepted messages were lost: {sorted(lost)[:10]}"
    twice = {n: c for n, c in seen.items() if c > 1}
    assert len(twice) <= duplicates, f"duplicates beyond G3: {twice}"
    assert set(seen) <= load.sent
    return seen


@pytest.mark.sanitize
@pytest.mark.parametrize("daemon", ["postern-queue", "postern-smtpd", "postern-deliver"])
def test_F1_kill_of_a_daemon_under_load(postern, hop, daemon):
    sink = hop()
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    load = Load(server)
    kills, duplicates = 5, 0
    for _ in range(kills):
        load.wait(60)
        server.kill(daemon)
        lib.wait_for("all daemons again", server.all_ready)
    load.wait(60)
    load.stop()
    # A killed deliver may have had one final dot unanswered on each of its connections (G3); a killed smtpd or queue none.
    if daemon == "postern-deliver":
        duplicates = kills * 20
    # A client whose 250 was cut off by the kill of smtpd or queue sends again under a new number.
    check(load, sink, server, duplicates)


def test_F1_kill_of_the_queue_in_mid_delivery_makes_no_duplicate(postern, hop):
    "deliver lives on, finishes its jobs, and reports to the new queue."
    gate = threading.Event()
    waiting = []

    def script(stage, session):
        if stage == "dot":
            waiting.append(session.number)
            gate.wait(60)
    sink = hop(script=script)
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    ids = [server.send(to=f"x{i}@dest.example", body=f"X-Number: {i}\r\n\r\nx\r\n".encode()) for i in range(5)]
    lib.wait_for("five dots unanswered", lambda: len(waiting) == 5)
    server.kill("postern-queue")
    lib.wait_for("all daemons again", server.all_ready)
    assert server.queue_figures()["total"] == 5
    gate.set()
    server.wait_empty()
    time.sleep(1.5)             # a second delivery would come within the retry time
    assert numbers(sink.messages) == {i: 1 for i in range(5)}
    assert len(ids) == len(set(ids))


def test_F1_all_at_once_again_and_again(postern, hop):
    sink = hop()
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    rng = random.Random(7)
    load = Load(server)
    for _ in range(4):
        load.wait(40)
        time.sleep(rng.random() * 0.1)
        server.kill_all()
        server.start()
    load.wait(40)
    load.stop()
    check(load, sink, server, duplicates=4 * 20)


def test_F2_kill_of_master_alone(postern, hop):
    "What was under way when master died is tried again by the retry schedule, so that is short here."
    sink = hop()
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    server.send(to="x@dest.example")
    pids = [pid for _, pid in server.daemons()]
    assert len(pids) >= 4
    os.kill(server.proc.pid, signal.SIGKILL)
    server.proc.wait()
    lib.wait_for("the children to leave", lambda: all(lib.gone(pid) for pid in pids), 15)
    server.start()
    server.send(to="y@dest.example")
    sink.wait(2)
    server.wait_empty()


SEND, RECV, WAIT = "sendmsg,sendmmsg", "recvmsg,recvmmsg", "epoll_pwait,epoll_wait"
DEATHS = [("queue", calls) for calls in ("fdatasync", "pwrite64", SEND, RECV, WAIT)] + [
    ("smtpd", calls) for calls in ("recvfrom", "sendto", SEND, RECV)] + [
    ("deliver", calls) for calls in ("read", "write", "writev", SEND, RECV)]


def pid_of_role(server, room):
    "The daemon that does the work of this test: of the two delivers, the one to other hosts."
    return next(d["pid"] for d in server.json("status")["daemons"] if d["name"] == room and d["role"] != "mailbox")


@pytest.mark.parametrize("room,calls", DEATHS)
def test_F1_killed_at_a_chosen_system_call(postern, hop, room, calls):
    "strace kills a daemon as it enters the n-th such call."
    if not lib.ROOT:
        pytest.skip("a daemon is not dumpable: only root may trace it")
    sink = hop()
    server = postern('queue { retry = { "1s" } }\nsmtpd { processes = 1 }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    load = Load(server, clients=2)
    deaths = (1, 2, 7)
    for when in deaths:
        load.wait(20)
        pid = pid_of_role(server, room)
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
                                   "-e", f"inject={calls}:signal=KILL:when={when}", "-p", str(pid)], stderr=subprocess.PIPE)
        lib.wait_for("the kill", lambda: pid not in [p for _, p in server.daemons()])
        lib.end(tracer)
        lib.wait_for("all daemons again", server.all_ready)
    load.wait(20)
    load.stop()
    # Only deliver's death can leave final dots unanswered (G3), one on each of its connections to the hop.
    check(load, sink, server, duplicates=20 * len(deaths) if room == "deliver" else 0)


def test_F1_large_messages_under_way_leave_nothing_behind(postern, hop):
    "S1 of the crash table: chunks were streamed ahead when the queue died."
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<a@local.example>")
        c.say("RCPT TO:<x@dest.example>")
        c.say("DATA")
        c.send(b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 60000)       # 4.7 MB, no final dot
        time.sleep(0.5)
        used = server.queue_figures()["store_octets"]
        assert used > 3 << 20, "the body was not streamed ahead"
        server.kill("postern-queue")
        lib.wait_for("all daemons again", server.all_ready)
        c.send(b"\r\n.\r\n")
        assert c.reply().startswith("451")
    assert server.queue_figures()["total"] == 0
    lib.wait_for("its space to be free again", lambda: server.queue_figures()["store_octets"] < 2 << 20)
    assert not sink.messages


def test_smtpd_gone_in_mid_transaction_reclaims_space(postern, hop):
    sink = hop()
    server = postern(route=f"smtp:[127.0.0.1]:{sink.port}")
    with lib.Raw(server.port) as c:
        c.say("EHLO client.example")
        c.say("MAIL FROM:<a@local.example>")
        c.say("RCPT TO:<x@dest.example>")
        c.say("DATA")
        c.send(b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 60000)
        lib.wait_for("chunks in the store", lambda: server.queue_figures()["store_octets"] > 3 << 20)
        for name, pid in server.daemons():
            if name.startswith("postern-smtpd"):
                os.kill(pid, signal.SIGKILL)
    lib.wait_for("all daemons again", server.all_ready)
    lib.wait_for("its space to be free again", lambda: server.queue_figures()["store_octets"] < 2 << 20)
    server.send(to="y@dest.example")
    sink.wait(1)


def channel_between(one, other):
    "A descriptor of one's that leads to other, by their process ids."
    ends = {}
    for line in subprocess.run(["ss", "-xpH"], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        for pid, fd in re.findall(r"pid=(\d+),fd=(\d+)", line):
            ends.setdefault(int(pid), []).append((int(fd), words[5], words[7]))
    theirs = {mine for _, mine, _ in ends[other]}
    return next(fd for fd, _, peer in ends[one] if peer in theirs)


@pytest.mark.skipif(not lib.ROOT, reason="reaching into a daemon needs root")
def test_a_channel_that_breaks_with_both_alive_makes_no_duplicate(postern, hop):
    "The next hop takes longer for its answer than the retry step; queue and deliver lose each other meanwhile."
    slow = threading.Event()
    sink = hop(script=lambda stage, session: slow.wait(20) and None if stage == "dot" else None)
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    msgid = server.send(to="x@dest.example")
    lib.wait_for("the message at the hop", lambda: "DATA" in sink.commands)
    time.sleep(0.3)
    pids = {(d["name"], d["role"]): d["pid"] for d in server.json("status")["daemons"]}
    deliver, queue = pids["deliver", "remote"], next(p for (name, _), p in pids.items() if name == "queue")
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(queue)
    fd = libc.syscall(438, pidfd, channel_between(queue, deliver), 0)       # pidfd_getfd
    assert fd >= 0, os.strerror(ctypes.get_errno())
    with socket.socket(fileno=fd) as channel:
        channel.send(b"no message of ours")     # deliver ends the channel, and both get a new one
    os.close(pidfd)
    server.wait_log("queue has gone .* 1 jobs go on")
    time.sleep(4)                       # several retry steps
    slow.set()
    server.wait_log(f"{msgid} .*status=delivered")
    server.wait_empty()
    assert len(sink.messages) == 1 and sink.sessions == 1
