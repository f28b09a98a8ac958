"""Fixtures of the system tests and the fault campaign; the classes are in lib.py."""
import shutil
import tempfile
from pathlib import Path

import pytest

import lib


@pytest.fixture
def folder():
    """A short temporary path (socket names are at most 107 octets) that daemons' users may enter."""
    path = Path(tempfile.mkdtemp(prefix="postern."))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def postern(folder):
    """postern(conf, ...) starts a server; all are stopped, and must have stopped well, at the end."""
    started = []

    def start(conf="", start=True, folder=folder, **kw):
        server = lib.Postern(folder / f"p{len(started)}", conf, **kw)
        started.append(server)
        return server.start() if start else server
    yield start
    problems = []
    for server in started:
        try:
            server.stop()
        except AssertionError as e:
            problems.append(str(e))
        for word in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "Assertion"):
            if word in server.text():
                problems.append(server.text()[-6000:])
                break
    assert not problems, "\n".join(problems)


@pytest.fixture
def hop():
    made = []

    def make(*args, **kw):
        made.append(lib.Hop(*args, **kw))
        return made[-1]
    yield make
    for h in made:
        h.close()
