"""make install and make uninstall, and a server that runs from where they put it."""
import os
import subprocess

import pytest

import base
from lib import BIN, TOP, wait_for

pytestmark = pytest.mark.skipif(BIN != TOP / "build/bin", reason="make install takes the plain build")


def make(target, dest):
    run = subprocess.run(["make", "-s", target, f"DESTDIR={dest}"], cwd=TOP, capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr


def files(dest):
    return sorted(str(p.relative_to(dest)) for p in dest.rglob("*") if p.is_file())


def test_installed_programs_find_each_other(folder, postern, monkeypatch):
    dest = folder / "dest"
    make("install", dest)
    os.chmod(dest, 0o755)
    sbin, libexec = dest / "usr/local/sbin", dest / "usr/local/libexec/postern"
    for program in (*sbin.iterdir(), *libexec.iterdir()):
        # To sendmail's users -V is something else.
        own = program.resolve().name != "sendmail"
        said = subprocess.run([program, "-V" if own else "--version"], capture_output=True, text=True)
        assert said.returncode == 0 and said.stdout.startswith(program.resolve().name + " "), (program, said)
    unit = (dest / "usr/lib/systemd/system/postern.service").read_text()
    assert "ExecStart=/usr/local/sbin/posternd " in unit
    check = subprocess.run([sbin / "posternctl", "-c", dest / "etc/postern/postern.conf", "check"], capture_output=True,
                           text=True)
    assert check.returncode == 0, check.stdout + check.stderr

    monkeypatch.setattr(base, "BIN", sbin)
    server = postern()
    for name, pid in server.daemons():
        if base.ROOT:
            assert os.readlink(f"/proc/{pid}/exe").startswith(str(libexec) + "/"), name
    server.send()
    wait_for("the mail to arrive", lambda: server.maildir("bob"))


def test_uninstall_leaves_the_configuration_alone(folder):
    dest = folder / "dest"
    make("install", dest)
    conf = dest / "etc/postern/postern.conf"
    conf.write_text("# mine\n")
    make("install", dest)
    assert conf.read_text() == "# mine\n"
    make("uninstall", dest)
    assert files(dest) == ["etc/postern/postern.conf"]
