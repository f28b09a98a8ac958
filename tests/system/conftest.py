"""Lets the tests find lib.py; the fixtures themselves are in conftest_system.py."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from conftest_system import folder, hop, postern       # noqa: E402,F401
