"""G1-G3, F1: random kills of random daemons under load, for a while; nothing accepted is lost.

POSTERN_FAULT_ROUNDS rounds of ten seconds, each with its own seed (printed, and POSTERN_FAULT_SEED repeats it)."""
import os
import random
import time

import pytest

import lib
from machine import ROUNDS
from test_crash import Load, check

SEED = int(os.environ.get("POSTERN_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
CONCURRENCY = 20        # deliver { concurrency }, its default
DAEMONS = ["postern-queue", "postern-queue", "postern-smtpd", "postern-deliver", "postern-resolver"]


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS), ids=lambda n: "round")
def test_F1_random_kills(postern, hop, seed):
    rng = random.Random(seed)
    print("POSTERN_FAULT_SEED", seed)
    sink = hop()
    server = postern('queue { retry = { "1s" } }\n', route=f"smtp:[127.0.0.1]:{sink.port}")
    load = Load(server, size=rng.choice([100, 3000, 20000, 300000]))
    cut = 0         # deaths of deliver: each may leave a final dot unanswered on every connection to the hop (G3)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(rng.random())
        if rng.random() < 0.15:
            server.kill_all()
            server.start()
            cut += 1
            continue
        name = rng.choice(DAEMONS)
        pid = server.pid_of(name)
        if pid:
            server.kill(name)
            cut += name == "postern-deliver"
        if rng.random() < 0.4:
            lib.wait_for("all daemons again", server.all_ready)
    lib.wait_for("all daemons again", server.all_ready)
    load.wait(20)
    load.stop()
    check(load, sink, server, duplicates=CONCURRENCY * cut)
