"""G5: what the kernel says of each running daemon (threat-model.md 4).  The forbidden acts themselves are tried in
tests/common/sandbox_test and, with each daemon's own table, in tests/ROOM/sandbox_test."""
import os
from pathlib import Path

import pytest

import lib


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


@pytest.fixture
def server(postern):
    return postern()


def test_every_daemon_is_filtered_and_bare(server):
    daemons = server.daemons()
    assert len({name for name, _ in daemons}) >= 5
    for name, pid in daemons:
        s = status(pid)
        assert s["Seccomp"] == "2", name
        assert s["NoNewPrivs"] == "1", name
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(s[kind], 16) == 0, (name, kind)
        assert s["Umask"] == "0077", name
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits, name
        if lib.ROOT:
            assert Path(f"/proc/{pid}/environ").read_bytes() == b"", name


@pytest.mark.skipif(not lib.ROOT, reason="changing root directory and ids needs root")
def test_every_daemon_has_its_own_uid_and_an_empty_root(server):
    uids = {}
    for name, pid in server.daemons():
        s = status(pid)
        uid, gid = s["Uid"].split(), s["Gid"].split()
        assert len(set(uid)) == 1 and uid[0] != "0" and len(set(gid)) == 1 and gid[0] != "0", name
        assert s["Groups"].strip() == "" and int(s["CapBnd"], 16) == 0, name
        uids.setdefault(uid[0], set()).add(name)
        root = os.listdir(f"/proc/{pid}/root")
        if name.startswith(("postern-smtpd", "postern-resolve")):
            assert root == [], (name, root)
        if name.startswith("postern-pickup"):
            assert sorted(root) == ["bad", "new"], root
        assert "/etc" not in os.readlink(f"/proc/{pid}/root")
    roots = {os.readlink(f"/proc/{pid}/root") for _, pid in server.daemons()}
    assert "/" not in roots
    assert all(len(names) == 1 for names in uids.values()), uids


@pytest.mark.skipif(not lib.ROOT, reason="a daemon is not dumpable: only root may look at its descriptors")
def test_descriptors_are_only_the_listed_ones(server):
    for name, pid in server.daemons():
        kinds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        for k in kinds:
            assert k.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", "/memfd:")) or "/p0/" in k or k.endswith("/log"), (name, k)
            # Of files pickup has the drop directory's, the life lock and perhaps the log.
            if name.startswith("postern-pickup") and "/p0/" in k:
                assert k.endswith(("/spool/drop", "/spool/drop/new", "/spool/drop/bad", "/spool/lock", "/log")), k
        if not name.startswith("postern-queue"):
            assert not any("data.mdb" in k for k in kinds), name


def limits(pid):
    "name: soft and hard limit, as the kernel shows them."
    rows = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {row[:26].strip(): row[26:].split()[:2] for row in rows}


def test_limits_and_memory_are_closed(server):
    "None has data without end or leaves a core; none can be read by others of its uid (non-dumpable)."
    kinds = set()
    for name, pid in server.daemons():
        got = limits(pid)
        assert "unlimited" not in got["Max data size"], name
        assert got["Max core file size"] == ["0", "0"], name
        if lib.ROOT:
            assert os.stat(f"/proc/{pid}/maps").st_uid == 0, f"{name} is dumpable"
        kinds.add(name)
    assert len(kinds) >= 5


def test_no_thread_runs_outside_the_filter(server):
    "Landlock and seccomp hold for a thread: each one of each daemon is filtered."
    for name, pid in server.daemons():
        for task in Path(f"/proc/{pid}/task").iterdir():
            s = dict(x.split(":\t", 1) for x in (task / "status").read_text().splitlines() if ":\t" in x)
            assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1" and int(s["CapEff"], 16) == 0, (name, task.name)
