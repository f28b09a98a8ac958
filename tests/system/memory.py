"""What is in the memory of other processes; for root."""
import contextlib

BLOCK = 65536


def memory(pid):
    "All that a process can write and has written, mapping by mapping, without pages of zeros; queue's map of its store is a file, not memory."
    zero = bytes(BLOCK)
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1][:2] != "rw" or line.rstrip().endswith("data.mdb"):
                continue
            run = []
            for at in range(low, high, BLOCK):
                block = b""
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    mem.seek(at)
                    block = mem.read(min(high - at, BLOCK))
                if block and block != zero[:len(block)]:
                    run.append(block)
                elif run:
                    yield b"".join(run)
                    run = []
            if run:
                yield b"".join(run)


def holds(pid, secrets):
    "Which of these numbers are in its memory, most significant octet first or last."
    found = set()
    for piece in memory(pid):
        for name, octets in secrets.items():
            if octets in piece or octets[::-1] in piece or octets[8:40] in piece or octets[::-1][8:40] in piece:
                found.add(name)
    return found


def holds_text(pid, texts):
    "Which of these texts, by name, are in its memory as they are."
    found = set()
    for piece in memory(pid):
        found |= {name for name, octets in texts.items() if octets in piece}
    return found
