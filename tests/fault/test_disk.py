"""G1, F3, F4, F5: power cuts, full disks, failing flushes."""
import os
import random
import smtplib
import subprocess
import time

import pytest

import lib
from machine import ROUNDS, Switch
from test_crash import Load, check

pytestmark = pytest.mark.skipif(not lib.ROOT, reason="mounting needs root")


def power_cut(server, disk, load):
    load.wait(30)
    time.sleep(random.random() * 0.2)
    with load.lock:
        before = set(load.accepted)         # what was 250'd before the power went
    disk.power()
    server.kill_all()
    server.log.close()                      # it lies on that disk
    disk.boot()
    return before


def disk_is_set_up(disk):
    "The configuration is not the store's: an operator's editor would have flushed it."
    subprocess.run(["sync", "-f", str(disk.mount)], check=True)


def test_F3_power_loss_under_load(postern, hop, disk):
    sink = hop()
    d = disk(300)
    server = postern('queue { retry = { "1s" } store-max = "200M" reserve = "8M" paused = true }\n',
                     route=f"smtp:[127.0.0.1]:{sink.port}", folder=d.mount / "p")
    disk_is_set_up(d)
    load = Load(server, size=3000)
    promised = set()
    for _ in range(3 * ROUNDS):
        promised |= power_cut(server, d, load)
        server.start()
    load.stop()
    assert promised <= load.accepted
    server.write_conf(server.extra.replace("paused = true", "paused = false"))
    server.ctl("reload")
    check(load, sink, server, duplicates=0, seconds=120)


def test_F3_the_power_cut_would_show_missing_flushes(postern, hop, disk, switch):
    "The test above can fail: with flushes that do nothing, promised mail is gone after the cut."
    sink = hop()
    d = disk(300)
    switch[Switch.NOSYNC] = 1
    server = postern('queue { store-max = "200M" reserve = "8M" paused = true }\n', route=f"smtp:[127.0.0.1]:{sink.port}",
                     folder=d.mount / "p", wrap=switch.wrap)
    disk_is_set_up(d)
    load = Load(server, size=3000)
    promised = power_cut(server, d, load)
    load.stop()
    assert promised
    try:
        server.start()
        kept = server.queue_figures()["total"]
    except AssertionError:
        kept = 0
    assert kept < len(promised)


def test_F4_full_disk_refuses_with_452_and_deliveries_go_on(postern, hop, disk):
    gate = {"open": False}
    sink = hop(script=lambda stage, s: None if gate["open"] or stage != "mail" else b"451 4.3.0 wait\r\n")
    d = disk(160)
    server = postern('queue { retry = { "2s" } store-max = "1G" reserve = "16M" }\n', route=f"smtp:[127.0.0.1]:{sink.port}",
                     folder=d.mount / "p")
    body = b"Subject: fill\r\n\r\n" + (b"x" * 76 + b"\r\n") * 12000        # 0.9 MB
    accepted, refused = 0, None
    for _ in range(400):
        try:
            server.send(to="x@dest.example", body=body)
            accepted += 1
        except AssertionError as e:
            refused = str(e)
            break
    assert refused and "452" in refused and "4.3.1" in refused, (accepted, refused)
    assert accepted > 20
    assert all(pid for _, pid in server.daemons())
    # Room another program takes: the reserve must do.
    ballast = d.mount / "ballast"
    with open(ballast, "wb") as f:
        try:
            while True:
                f.write(bytes(1 << 20))
                f.flush()
        except OSError:
            pass
    with server.smtp() as s:
        s.ehlo()
        assert s.mail("alice@local.example")[0] == 452          # before the body
    gate["open"] = True
    server.ctl("queue", "retry", "--all")
    lib.wait_for("all to be delivered", lambda: server.queue_figures()["total"] == 0, 120)
    assert len(sink.messages) == accepted
    ballast.unlink()
    lib.wait_for("mail to be taken again by itself", lambda: can_send(server), 30)


def can_send(server):
    try:
        server.send(to="x@dest.example")
        return True
    except (AssertionError, smtplib.SMTPException, OSError):
        return False


def test_F5_a_failed_flush_is_never_250(postern, hop, switch):
    sink = hop()
    server = postern('queue { retry = { "1s" } paused = true }\n', route=f"smtp:[127.0.0.1]:{sink.port}", wrap=switch.wrap)
    kept = [server.send(to="x@dest.example") for _ in range(5)]
    for _ in range(2 * ROUNDS):
        switch[Switch.EIO] = 1
        with server.smtp() as s:
            s.ehlo()
            code = s.mail("alice@local.example")[0]
            if code == 250:
                s.rcpt("x@dest.example")
                code = s.data(b"Subject: must not be taken\r\n\r\nx\r\n")[0]
            assert code in (451, 452), code
        assert switch[Switch.FAILED] > 0
        switch[Switch.EIO] = 0
        lib.wait_for("mail to be taken again by itself", lambda: can_send(server), 60)
    listed = {row["id"] for row in server.json("queue", "list")}
    assert set(kept) <= listed


def test_F12_the_clock_jumps(postern, hop, switch):
    gate = {"open": False}
    sink = hop(script=lambda stage, s: None if gate["open"] or stage != "mail" else b"451 4.3.0 wait\r\n")
    server = postern('queue { retry = { "2s" } lifetime = "5d" }\n', route=f"smtp:[127.0.0.1]:{sink.port}", wrap=switch.wrap)
    ids = [server.send(to="x@dest.example") for _ in range(3)]
    for jump in (10 * 365 * 86400, -10 * 365 * 86400, -86400, 86400):
        switch[Switch.CLOCK] = jump
        tries = len([c for c in sink.commands if c.startswith("MAIL")])
        lib.wait_for("attempts to go on", lambda: len([c for c in sink.commands if c.startswith("MAIL")]) > tries + 2, 30)
        assert {row["id"] for row in server.json("queue", "list")} == set(ids), "a jump of the clock ended a message"
    gate["open"] = True
    sink.wait(3)
    server.wait_empty()
