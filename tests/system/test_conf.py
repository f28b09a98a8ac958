"""postern-conf as a program: its sandbox must not end it, and what it writes is whole or nothing."""

import os
import subprocess

BIN = os.path.join(os.environ.get("POSTERN_BIN", "build/bin"), "postern-conf")


def conf(text, *args):
    r, w = os.pipe()
    with subprocess.Popen([BIN, "-n", "c", "-o", str(w), *args], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, pass_fds=[w]) as p:
        os.close(w)
        p.stdin.write(text.encode())
        p.stdin.close()
        with os.fdopen(r, "rb") as f:
            out = f.read()
        err = p.stderr.read().decode()
    return p.returncode, out, err


def test_empty_file_is_valid():
    rc, out, err = conf("")
    assert (rc, err) == (0, "")
    assert out.startswith(b"POSCONF1") and b"PCNF" in out[:32]
    rc, alone, err = conf("", "-s")
    assert (rc, err) == (0, "") and alone.startswith(b"PCNF") and alone in out


def test_errors_write_no_snapshot():
    assert conf("log = x\n") == (1, b"", 'c:1: log: "x": expected "syslog" or "stderr"\n')


def test_large_lists_stay_inside_the_sandbox():
    """Sorting many names makes libc ask for the size of memory: a call that the filter must know."""
    names = ", ".join(f'"user{i}"' for i in range(100000))
    rc, out, err = conf('domain "d.test" { recipients = { %s } }\n' % names)
    assert (rc, err) == (0, "")
    assert b"user99999" in out
    rc, out, err = conf("".join(f'domain "d{i}.test" {{ }}\n' for i in range(5000)))
    assert (rc, err) == (0, "")


def test_tables_are_left_out_where_they_are_not_asked_for():
    "posternctl looks for the socket: a table that cannot be read must not lock the operator out."
    text = 'virtual-file = "/nonexistent/virtual"\n'
    rc, out, err = conf(text)
    assert rc == 1 and out == b"" and err == "c:1: virtual-file: /nonexistent/virtual: No such file or directory\n"
    rc, out, err = conf(text, "-s", "-T")
    assert (rc, err) == (0, "") and out.startswith(b"PCNF")


def test_ids_of_root_are_refused():
    rc, out, err = conf("", "-u", "0", "-g", "0")
    assert rc == 1 and out == b"" and "must not be 0" in err


def test_embedded_configuration(tmp_path):
    rc, out, err = conf("", "-D", str(tmp_path))
    assert (rc, err) == (0, "")
    assert str(tmp_path).encode() + b"/spool" in out
