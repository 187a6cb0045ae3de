"""One measured run of one system under one workload, and what is divided by its messages."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import time

from lib.net import free_port

import load
import machine
from systems import SYSTEMS

WARM_UP = 200
MOST = 100_000
# A run that takes so much longer than planned is given up.
PATIENCE = 20


class Stage:
    """A started system with its sink, in a folder and a control group of its own."""

    def __init__(self, system: str, w: load.Workload, work: pathlib.Path, programs: pathlib.Path, *sink_options: str,
                 **parameters):
        self.w = w
        self.programs = programs
        self.work = work
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=work))
        self.folder.chmod(0o755)
        self.exits = contextlib.ExitStack()
        try:
            self._start(system, sink_options, parameters)
        except BaseException:
            self.stop()
            raise

    def _start(self, system: str, sink_options: tuple[str, ...], parameters: dict):
        self.exits.callback(shutil.rmtree, self.folder, ignore_errors=True)
        options = ("-m",) if self.w.kind == "accept" else sink_options
        self.sink = load.Sink(self.programs / "sink", self.folder, free_port(), *options)
        self.exits.callback(self.sink.stop)
        self.group = machine.Cgroup(self.folder.name)
        self.exits.callback(self.group.remove)
        self.system = SYSTEMS[system](self.folder, self.sink.port, dkim=self.w.dkim, tls=self.w.tls, **parameters)
        self.exits.callback(self.system.stop)
        self.system.start(self.group)

    def stop(self):
        self.exits.close()

    def submit(self, n: int, w: load.Workload | None = None, recipient: str = load.RECIPIENT) -> subprocess.Popen:
        command = load.generator(w or self.w, n, self.system, self.programs, recipient)
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def flow(self, n: int, deadline: float) -> dict:
        """Sends n messages and waits until all have arrived. Times in seconds from the first connection."""
        want = self.sink.recipients + (n * self.w.recipients if self.w.kind == "relay" else 0)
        begin = time.monotonic()
        process = self.submit(n)
        accepted = None
        memory, look = 0.0, begin + 0.5
        while accepted is None or self.sink.recipients < want:
            now = time.monotonic()
            if accepted is None and process.poll() is not None:
                if process.returncode != 0:
                    raise RuntimeError(f"{process.args[0]} failed")
                accepted = now - begin
            if now >= look:
                memory = max(memory, self.group.memory_mb())
                look = now + 1
            if now - begin > deadline:
                process.kill()
                raise RuntimeError(f"not done after {deadline:.0f} s")
            time.sleep(0.002)
        end = self.sink.last_ns / 1e9 - begin if self.w.kind == "relay" else accepted
        return {"accept_s": accepted, "relay_s": end, "memory_mb": max(memory, self.group.memory_mb())}

    def estimate(self, seconds: float) -> int:
        """How many messages fill the time, from a few that warm everything up."""
        self.flow(min(WARM_UP, 20 * self.w.sessions), 60)
        times = self.flow(WARM_UP, 60)
        return int(max(WARM_UP, min(MOST, WARM_UP / times["relay_s"] * seconds)))


def measure(stage: Stage, n: int, seconds: float) -> dict:
    """The timed run, then a short one under perf, which would disturb the first."""
    disk = machine.Disk(stage.work)
    disk.settle()
    cpu, written, flushes = stage.group.cpu_s(), disk.written(), disk.flushes()
    times = stage.flow(n, seconds + PATIENCE)
    cpu = stage.group.cpu_s() - cpu
    disk.settle()
    accepted = n * stage.w.size
    result = {
        "messages": n,
        "accept_rate": n / times["accept_s"],
        "relay_rate": n / times["relay_s"] if stage.w.kind == "relay" else None,
        "cpu_ms": cpu * 1000 / n,
        "flushes": (disk.flushes() - flushes) / n,
        "written": (disk.written() - written) / accepted,
        "memory_mb": times["memory_mb"],
    }
    few = max(WARM_UP, n // 5)
    with machine.Counters(stage.group) as counters:
        stage.flow(few, seconds + PATIENCE)
    sums = counters.result
    result |= {name: sums[name] / few if name in sums else None for name in ("syscalls", "switches")}
    result["syncs"] = (sums["fsync"] + sums["fdatasync"]) / few if "fsync" in sums and "fdatasync" in sums else None
    return result


def run(system: str, w: load.Workload, work: pathlib.Path, programs: pathlib.Path, seconds: float) -> dict:
    stage = Stage(system, w, work, programs)
    try:
        return measure(stage, stage.estimate(seconds), seconds)
    finally:
        stage.stop()
