"""F17: a long queue, nine tenths of it for one dead host, costs the others nothing."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
WAITING = 20000         # `make bench` takes 100 000


def test_F17_a_long_queue_and_a_dead_host(folder):
    run = subprocess.run([sys.executable, str(TOP / "tests/bench/queue"), "--waiting", f"0,{WAITING}", "--octets", "1000",
                          "--dir", str(folder), "--check"], capture_output=True, text=True)
    print(run.stdout, run.stderr)
    assert run.returncode == 0, run.stdout + run.stderr
