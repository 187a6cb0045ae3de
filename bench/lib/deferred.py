"""New mail beside a queue of deferred mail: its speed, qmgr's memory, and the first delivery after a restart."""

import dataclasses
import os
import pathlib
import time

import load
from lib.net import accepts
from lib.process import children, stat_fields
from lib.wait import wait_for
from trial import Stage

NEW = load.Workload("deferred", reuse=True)
ROUNDS = 3


def _speed(stage: Stage, n: int) -> tuple[float, float]:
    """New messages a second, and CPU ms for each."""
    cpu = stage.group.cpu_s()
    rate = n / stage.flow(n, 120)["relay_s"]
    return rate, (stage.group.cpu_s() - cpu) * 1000 / n


def _best(stage: Stage, n: int) -> tuple[float, float]:
    """Disturbances only ever slow things down: the best of some rounds."""
    rounds = [_speed(stage, n) for _ in range(ROUNDS)]
    return max(r[0] for r in rounds), min(r[1] for r in rounds)


def _qmgr(stage: Stage) -> tuple[float, float] | None:
    """Memory in MB and CPU seconds of our qmgr; Postfix keeps its deferred queue on disk only."""
    suite = getattr(stage.system, "suite", None)
    if suite is None:
        return None
    pid = next(pid for pid, name in children(suite.master_pid).items() if name == "qmgr")
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))
    times = stat_fields(pid)[1][11:13]
    return memory, sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _fill(stage: Stage, n: int):
    """Mail that the sink answers with 450, until each message has been tried."""
    want = stage.sink.deferred + n
    generator = stage.submit(n, dataclasses.replace(NEW, size=1024), load.DEFERRED)
    wait_for(lambda: generator.poll() is not None, n / 100 + 60, "the deferred mail to be accepted")
    wait_for(lambda: stage.sink.deferred >= want, n / 100 + 60, "the deferred mail to be tried", pause=0.2)


def _restart(stage: Stage) -> float:
    """Seconds from the start of the program to the delivery of a message that waits for it."""
    before = stage.sink.messages
    stage.system.restart(stage.group)
    begin = time.monotonic()
    wait_for(lambda: accepts("127.0.0.1", stage.system.port), 60, "the listener", pause=0.002)
    stage.submit(1, dataclasses.replace(NEW, sessions=1)).wait()
    wait_for(lambda: stage.sink.messages > before, 120, "the first delivery", pause=0.002)
    return time.monotonic() - begin


def run(system: str, deferred: int, work: pathlib.Path, programs: pathlib.Path, seconds: float) -> dict:
    options = {"retry_schedule": "1h", "retry_jitter": 0} if system == "packetboat" else {}
    stage = Stage(system, NEW, work, programs, "-t", load.DEFERRED.split("@")[1], **options)
    try:
        n = stage.estimate(seconds)
        empty, empty_cpu = _best(stage, n)
        before = _qmgr(stage)
        _fill(stage, deferred)
        full, full_cpu = _best(stage, n)
        result = {"deferred": deferred, "messages": n, "empty_rate": empty, "relay_rate": full, "cpu_ms": full_cpu,
                  "empty_cpu_ms": empty_cpu, "memory_mb": stage.group.memory_mb()}
        if before is not None:
            result |= {"qmgr_empty_mb": before[0], "qmgr_mb": _qmgr(stage)[0]}
        result["restart_s"] = _restart(stage)
        if before is not None:
            result["restart_cpu_s"] = _qmgr(stage)[1]
        return result
    finally:
        stage.stop()
