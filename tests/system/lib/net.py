"""Loopback addresses and ports for servers that live for one test."""

import random
import socket

# Below the range from which the kernel takes ports for outgoing connections:
# a port found free there stays free until its server binds it.
PORTS = range(10240, 32000)


def free_port(address: str = "127.0.0.1", kind=socket.SOCK_STREAM) -> int:
    """A port on which nothing listens, for TCP and (name servers) UDP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(200):
        port = random.choice(PORTS)
        try:
            for k in {kind, socket.SOCK_STREAM}:
                with socket.socket(family, k) as s:
                    if k == socket.SOCK_STREAM:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((address, port))
            return port
        except OSError:
            continue
    raise RuntimeError("no free port")


class Addresses:
    """Hands out loopback addresses that no other test run uses (by chance).

    Receivers share one port, as the port of SMTP is fixed for all hosts, and
    differ by address, as hosts do.
    """

    def __init__(self):
        self.networks = random.sample(range(2 * 256, 250 * 256), 64)
        self.used = 0

    def next(self) -> str:
        high, low = divmod(self.networks[self.used // 250], 256)
        self.used += 1
        return f"127.{high}.{low}.{(self.used - 1) % 250 + 1}"


def accepts(address: str, port: int) -> bool:
    """Does somebody listen there?"""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
