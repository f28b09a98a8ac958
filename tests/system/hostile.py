#!/usr/bin/python3
"""A daemon of ours that was taken over (T8, F18): stands in for one program at its first start.

It says to master what it must, and to each peer what it must not.  From its second start on it is the
real program, so that a test sees whether master replaced it.  Copied beside the other
programs by test_security.py, with SETTINGS filled in; runs without environment.
"""
import array
import os
import socket
import struct
import sys

TYPES, REAL, MARK, ROOM, ACT, ONCE = {}, "", "", "", "", True     # SETTINGS

FORGED = {"outcome": 0, "stage": 0}      # OUT_DELIVERED, STAGE_ROUTE
HEAD = struct.Struct("<HBBII")
MAGIC = 0x5350
BEGIN_REST = b"\0" * 33        # of TXN_BEGIN behind the listener: no extension, no TLS


def real():
    os.execv(REAL, [os.path.basename(REAL)])


class Channel:
    def __init__(self, fd):
        self.sock, self.out = socket.socket(fileno=fd), 0

    def frame(self, name, payload=b""):
        data = HEAD.pack(MAGIC, 1, TYPES[name], len(payload), self.out) + payload
        self.out += 1
        return data

    def send(self, *frames):
        try:
            self.sock.send(b"".join(frames))
        except OSError:
            pass


def act(peer):
    "What a peer hears."
    if ACT == "garbage":
        peer.send(b"\xff" * 400)
    elif ACT == "state":            # well-formed, never begun
        if ROOM == "smtpd":
            peer.send(peer.frame("TXN_CHUNK", struct.pack("<II", 7, 1) + b"x"))
        elif ROOM == "deliver":
            peer.send(peer.frame("JOB_SYNC"), peer.frame("JOB_SYNC"))
        elif ROOM == "resolver":
            peer.send(peer.frame("DNS_ANSWER", b""))
        else:
            peer.send(peer.frame("JOB_ACK", struct.pack("<Q", 1)))
    elif ACT == "direction":
        peer.send(peer.frame("STOP", struct.pack("<I", 0)))
    elif ACT == "descriptor":
        peer.sock.sendmsg([peer.frame("TXN_ABORT", struct.pack("<I", 1))],
                          [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
    elif ACT == "forge":            # "was delivered", of a message it was never given
        msgid = int(open(MARK + ".msgid").read())
        text = struct.pack("<H", 0)
        peer.send(peer.frame("JOB_RESULT", struct.pack("<QQIBHBHHIIBBB", 5 << 32 | 1, msgid, 0, FORGED["outcome"], 250, 2, 1, 5, 1, 0,
                                                       FORGED["stage"], 0, 0) + text + text + text),
                  peer.frame("JOB_DONE", struct.pack("<QQBQI", 5 << 32 | 1, msgid, 1, 0, 0)), peer.frame("JOB_SYNC"))
    elif ACT == "deaf":             # asks for answers without end and reads none
        peer.sock.setblocking(True)
        fields = b"\0" * 16 + struct.pack("<HBBQ", 1, 1, 0, 0) + struct.pack("<HHHH", 0, 0, 0, 0) + BEGIN_REST
        try:
            for first in range(1, 1000000, 400):
                peer.sock.send(b"".join(
                    peer.frame("TXN_BEGIN", struct.pack("<IQ", n, n) + fields) +
                    peer.frame("TXN_COMMIT", struct.pack("<IIQBB", n, 1, 0, 0, 0)) for n in range(first, first + 400)))
        except OSError:
            pass
    elif ACT == "flood":            # transactions without end
        peer.sock.setblocking(True)
        try:
            for n in range(1, 100000):
                begin = struct.pack("<IQ16sHBBQ", n, n, b"\0" * 16, 1, 1, 0, 0) + struct.pack("<HHHH", 0, 0, 0, 0) + BEGIN_REST
                peer.sock.send(peer.frame("TXN_BEGIN", begin))
        except OSError:
            pass


def main():
    if ONCE and os.path.exists(MARK):
        real()
    open(MARK, "w").close()
    master = Channel(3)
    master.sock.setblocking(True)
    names = {number: name for name, number in TYPES.items()}
    seq, peers, go = 0, [], False
    while True:
        data, anc, _, _ = master.sock.recvmsg(65536, socket.CMSG_SPACE(8))
        if not data:
            sys.exit(0)
        fds = array.array("i")
        for _, _, d in anc:
            fds.frombytes(d[:len(d) - len(d) % 4])
        while data:
            _, _, number, size, _ = HEAD.unpack_from(data)
            payload, data = data[HEAD.size:HEAD.size + size], data[HEAD.size + size:]
            name = names[number]
            if name == "CONF":
                master.send(master.frame("CONF_READY", payload + struct.pack("<iH", 0, 0)))     # no reason
            elif name == "PING":
                master.send(master.frame("PONG", payload + b"\0" * 72))
                if not go:          # the server as a whole is up by now
                    go = True
                    for p in peers:
                        act(p)
            elif name == "CHANNEL":
                peers.append(Channel(os.dup(fds[0])))
                if go:
                    act(peers[-1])
            elif name == "GO":
                master.send(master.frame("READY"))
            elif name == "STOP":
                sys.exit(0)
        for fd in fds:
            os.close(fd)


main()
