"""Two hosts of the test's own, joined by a wire that delays, reorders, doubles, loses and forges IP packets.

    wire = Wire(seed=3).enter()       the calling thread is on the near host from now on
    with wire.far():                  ... and here on the far one, with what it starts
        keep.start(SmtpSink(wire.FAR[0], port))
    wire.plan = Plan(delay=0.05, doubled=0.1, lost=0.02)
    wire.counts.overtaken

Each host is a network namespace with its loopback and a TUN device, behind which a thread passes the packets on: the
TCP of both hosts is the kernel's, and sees what a far network does to it. Needs root.
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import threading
import time

from .netns import CLONE_NEWNET
from .process import run

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
TCP, UDP = 6, 17
OUT, BACK = "out", "back"  # from the near host to the far one, and from there


@dataclasses.dataclass
class Plan:
    """What befalls each packet: delay: seconds, up to which it waits, each for itself; the others: probabilities."""
    delay: float = 0
    doubled: float = 0
    lost: float = 0


@dataclasses.dataclass
class Counts:
    """What was done to packets."""
    taken: int = 0
    overtaken: int = 0  # came out behind one that had gone in later on the same way
    doubled: int = 0
    lost: int = 0
    ruled: int = 0  # by the test's own rule


class Packet:
    """An IPv4 packet with its ports."""

    def __init__(self, raw: bytes):
        self.raw = raw
        head = (raw[0] & 15) * 4
        self.protocol = raw[9]
        self.source, self.target = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
        self.source_port, self.target_port = struct.unpack_from("!HH", raw, head)
        self.payload = raw[head + (raw[head + 12] >> 4) * 4:] if self.protocol == TCP else raw[head + 8:]


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    """An IPv4 packet without a checksum of UDP, which is optional there (RFC 768)."""
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, UDP, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + head[12:] + struct.pack("!HHHH", source[1], target[1],
                                                                              8 + len(payload), 0) + payload


class Wire:
    """rule(way, packet): None leaves the packet to the plan; else the packets that go instead, each (seconds, bytes)."""

    NEAR = ["198.18.0.1"]
    FAR = ["198.18.1.1", "198.18.1.2", "198.18.1.3"]

    def __init__(self, seed: int):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.random = random.Random(seed)
        self.plan = Plan()
        self.rule = None
        self.counts = Counts()
        self.failure = ""
        self.waiting: list[tuple[float, int, int, str, bytes]] = []  # due, entry, number on its way, way, packet
        self.entries = 0
        self.taken = {OUT: 0, BACK: 0}
        self.newest = {OUT: 0, BACK: 0}  # number of the newest packet that came out
        self.namespaces: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    # -- the hosts --------------------------------------------------------

    def enter(self):
        self.namespaces["before"] = self._current()
        for host, addresses in (("far", self.FAR), ("near", self.NEAR)):
            if self.libc.unshare(CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "unshare")
            self.namespaces[host] = self._current()
            self.devices[host] = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.devices[host], TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
            for address in addresses:
                run("ip", "addr", "add", f"{address}/15", "dev", "wire")
            for device in ("lo", "wire"):
                run("ip", "link", "set", device, "up")
        self.thread = threading.Thread(target=self._forward, daemon=True)
        self.thread.start()
        return self

    def leave(self):
        self.stopping.set()
        self.thread.join(10)
        self._go("before")
        for fd in (*self.devices.values(), *self.namespaces.values()):
            os.close(fd)
        assert not self.failure, self.failure

    @contextlib.contextmanager
    def far(self):
        self._go("far")
        try:
            yield
        finally:
            self._go("near")

    @staticmethod
    def _current() -> int:
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _go(self, host: str):
        if self.libc.setns(self.namespaces[host], CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")

    # -- the packets ------------------------------------------------------

    def _forward(self):
        ways = {self.devices["near"]: OUT, self.devices["far"]: BACK}
        try:
            while not self.stopping.is_set():
                pause = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.2
                for fd in select.select(list(ways), [], [], min(pause, 0.2))[0]:
                    with contextlib.suppress(BlockingIOError):
                        for _ in range(64):
                            self._take(ways[fd], os.read(fd, 65536))
                while self.waiting and self.waiting[0][0] <= time.monotonic():
                    self._put(*heapq.heappop(self.waiting)[2:])
        except Exception as e:  # a mistake of the test, told where the test looks
            self.failure = repr(e)

    def _take(self, way: str, raw: bytes):
        if raw[0] >> 4 != 4 or raw[9] not in (TCP, UDP):
            return
        self.counts.taken += 1
        self.taken[way] += 1
        ruled = self.rule(way, Packet(raw)) if self.rule else None
        if ruled is not None:
            self.counts.ruled += 1
            for seconds, packet in ruled:
                self._schedule(way, packet, seconds)
            return
        if self.random.random() < self.plan.lost:
            self.counts.lost += 1
            return
        self._schedule(way, raw, self.random.uniform(0, self.plan.delay))
        if self.random.random() < self.plan.doubled:
            self.counts.doubled += 1
            self._schedule(way, raw, self.random.uniform(0, 2 * self.plan.delay))

    def _schedule(self, way: str, raw: bytes, seconds: float):
        self.entries += 1
        heapq.heappush(self.waiting, (time.monotonic() + seconds, self.entries, self.taken[way], way, raw))

    def _put(self, number: int, way: str, raw: bytes):
        if number < self.newest[way]:
            self.counts.overtaken += 1
        self.newest[way] = max(self.newest[way], number)
        with contextlib.suppress(BlockingIOError):
            os.write(self.devices["far" if way == OUT else "near"], raw)
