"""The fault campaign uses the system tests' fixtures, and makes the machine fail (root only)."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from conftest_system import folder, hop, postern       # noqa: E402,F401
from machine import Disk, Switch                       # noqa: E402


@pytest.fixture
def disk(folder):       # noqa: F811
    made = []

    def make(megabytes, **kw):
        made.append(Disk(folder, megabytes, **kw))
        return made[-1]
    yield make
    for d in made:
        d.close()


@pytest.fixture
def switch(folder):     # noqa: F811
    return Switch(folder)
