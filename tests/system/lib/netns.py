"""A network of the test's own: a namespace with nothing but its loopback, where faults hurt nobody else."""

import ctypes
import os
import re

from .process import run

CLONE_NEWNET = 0x40000000


class OwnNetwork:
    """Moves the calling thread, and the threads and processes that it starts from then on; needs root."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.before = -1

    def enter(self):
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if self.libc.unshare(CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        run("ip", "link", "set", "lo", "up")
        return self

    def leave(self):
        if self.libc.setns(self.before, CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(self.before)

    def rule(self, text: str):
        """A rule of nftables for packets that come in: rule("tcp dport 2525 drop")."""
        run("nft", "add table inet t")
        run("nft", "add chain inet t in { type filter hook input priority 0 ; }")
        run("nft", f"add rule inet t in {text}")

    def hits(self) -> int:
        """How many packets came to a "counter" of the rules."""
        return sum(int(n) for n in re.findall(r"counter packets (\d+)", run("nft", "list", "ruleset").stdout))

    def no_rules(self):
        run("nft", "flush ruleset")

    def limit(self, rate: str):
        """All traffic goes through a bucket: limit("1mbit")."""
        run("tc", "qdisc", "replace", "dev", "lo", "root", "tbf", "rate", rate, "burst", "16kb", "latency", "200ms")
        # The whole segments of loopback are larger than the bucket.
        run("ip", "link", "set", "lo", "mtu", "1500")

    def no_limit(self):
        run("tc", "qdisc", "del", "dev", "lo", "root")
        run("ip", "link", "set", "lo", "mtu", "65536")
