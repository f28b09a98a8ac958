"""A machine that fails at the test's word: a disk of its own that loses power, and daemons whose flushes and clock are ours."""
import ctypes
import fcntl
import mmap
import os
import struct
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

ROUNDS = int(os.environ.get("POSTERN_FAULT_ROUNDS", "1"))


def sh(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout.strip()


class Disk:
    "An ext4 image of our own; power() loses what was not flushed, as a power cut would."

    def __init__(self, folder, megabytes, options="nodiscard,commit=60"):
        self.image, self.mount, self.options = folder / "image", folder / "disk", options
        self.mount.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        try:
            self.device = sh("losetup", "-f", "--show", self.image)
        except subprocess.CalledProcessError as e:
            pytest.skip(f"no loop device to be had here: {e.stderr.strip()}")
        sh("mkfs.ext4", "-q", self.device)
        self.up()

    def up(self):
        sh("mount", "-o", self.options, self.device, self.mount)
        self.mount.chmod(0o755)

    def power(self):
        "FS_IOC_SHUTDOWN without a flush of the log, then what a boot would do."
        fd = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
        os.close(fd)

    def boot(self):
        sh("umount", self.mount)
        check = subprocess.run(["e2fsck", "-p", self.device], capture_output=True, text=True)
        assert check.returncode in (0, 1), check.stdout
        self.up()

    def free(self):
        s = os.statvfs(self.mount)
        return s.f_bavail * s.f_frsize

    def close(self):
        subprocess.run(["umount", "-l", str(self.mount)])
        subprocess.run(["losetup", "-d", self.device])


class Switch:
    "The page that fault.c reads, and the command prefix that preloads it in a mount namespace."
    EIO, NOSYNC, CLOCK, FAILED, NOMEM, NOMEM_FAILED = range(6)

    def __init__(self, folder):
        etc = folder / "etc"
        etc.mkdir()
        path = folder / "switch"
        path.write_bytes(bytes(4096))
        path.chmod(0o666)
        library = folder / "fault.so"
        sh("cc", "-O2", "-shared", "-fPIC", f'-DSWITCH_PATH="{path}"', "-o", library, TOP / "tests/fault/fault.c", "-ldl")
        (etc / "ld.so.preload").write_text(f"{library}\n")
        self.map = mmap.mmap(os.open(path, os.O_RDWR), 4096)
        self.words = (ctypes.c_int64 * 6).from_buffer(self.map)
        able = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t overlay overlay -o lowerdir={etc}:/etc /etc"],
                              capture_output=True, text=True)
        if able.returncode != 0:
            pytest.skip(f"no mount namespace with an overlay to be had here: {able.stderr.strip()}")
        self.wrap = ["unshare", "-m", "sh", "-c", f'mount -t overlay overlay -o lowerdir={etc}:/etc /etc && exec "$@"', "sh"]

    def __setitem__(self, word, value):
        self.words[word] = value

    def __getitem__(self, word):
        return self.words[word]
