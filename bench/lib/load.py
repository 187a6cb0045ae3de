"""Workloads, the programs that make the load, and the sink that it goes to."""

import dataclasses
import os
import pathlib
import signal
import struct
import subprocess

from lib.net import accepts
from lib.wait import wait_for

SENDER = "bench@sender.example"
RECIPIENT = "user@rcpt.example"
DEFERRED = "user@deferred.example"


@dataclasses.dataclass(frozen=True)
class Workload:
    """accept: the next host is mute, so mail is only taken and kept. relay: and passed on."""
    name: str
    kind: str = "relay"
    size: int = 4096
    recipients: int = 1
    sessions: int = 20
    reuse: bool = False  # many messages on a connection
    tls: bool = False
    dkim: bool = False
    spread: bool = False  # each message to another address


WORKLOADS = [
    Workload("accept", "accept"),
    Workload("accept-many", "accept", reuse=True),
    Workload("relay"),
    Workload("relay-many", reuse=True),
    Workload("relay-10-recipients", recipients=10),
    Workload("relay-40k", size=40960),
    Workload("relay-one-client", sessions=1),
    Workload("relay-tls-auth", tls=True),
    Workload("relay-tls-auth-many", tls=True, reuse=True),
    Workload("relay-dkim", dkim=True),
    Workload("relay-dkim-many", dkim=True, reuse=True),
]


class Sink:
    """bench/sink with its counters."""

    FIELDS = ("connections", "messages", "recipients", "deferred", "bytes", "last_ns")

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, port: int, *options: str):
        self.port = port
        counters = folder / "sink"
        self.process = subprocess.Popen([program, *options, str(port), counters])
        wait_for(lambda: accepts("127.0.0.1", port), 10, "the sink")
        self.fd = os.open(counters, os.O_RDONLY)

    def __getattr__(self, name: str) -> int:
        if name not in self.FIELDS:
            raise AttributeError(name)
        return struct.unpack_from("<Q", os.pread(self.fd, 8 * len(self.FIELDS), 0), 8 * self.FIELDS.index(name))[0]

    def stop(self):
        os.close(self.fd)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def generator(w: Workload, n: int, system, programs: pathlib.Path, recipient: str = RECIPIENT) -> list[str]:
    """The command that submits n messages."""
    common = ["-m", str(n), "-s", str(min(w.sessions, n)), "-l", str(w.size), "-f", SENDER, "-t", recipient]
    if w.reuse:
        common.append("-d")
    if w.tls:
        spread = ["-r"] if w.spread else []
        return [str(programs / "submit"), *common, *spread, *system.login, str(system.port)]
    return ["smtp-source", "-4", "-r", str(w.recipients), "-M", "client.example", "-C", "100", *common,
            f"127.0.0.1:{system.port}"]
