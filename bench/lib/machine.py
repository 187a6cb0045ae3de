"""What the kernel counts: CPU, system calls, syncs, bytes to the disk, memory."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# Event of perf, and the name of its sum in a result.
EVENTS = {
    "raw_syscalls:sys_enter": "syscalls",
    "context-switches": "switches",
    "syscalls:sys_enter_fsync": "fsync",
    "syscalls:sys_enter_fdatasync": "fdatasync",
}


class Cgroup:
    """A control group of one system under test: what starts inside it is counted, whatever it forks."""

    def __init__(self, name: str):
        self.base = next(p for p in map(pathlib.Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
                         if (p / "cgroup.controllers").exists())
        own = next(line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        self.home = self.base / own[3:].lstrip("/")
        self.path = self.base / name
        self.path.mkdir()

    def __enter__(self):
        """For the time of a `with`, what this process starts belongs to the group."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def __exit__(self, *_):
        (self.home / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self) -> list[int]:
        return [int(p) for p in (self.path / "cgroup.procs").read_text().split()]

    def cpu_s(self) -> float:
        stat = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def memory_mb(self) -> float:
        """Memory of all processes, shared pages counted once."""
        total = 0
        for pid in self.pids():
            try:
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            except OSError:
                continue  # it has ended
        return total / 1024

    def remove(self):
        """Ends what the system left behind; a group disappears only when it is empty."""
        for _ in range(100):
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.05)


class Counters:
    """Sums of perf over one control group, for the time of a `with`; .result is {} where perf cannot count."""

    def __init__(self, group: Cgroup):
        self.group = group
        self.result: dict[str, int] = {}

    def __enter__(self):
        self.process = None
        if shutil.which("perf"):
            self.out = tempfile.NamedTemporaryFile("r", prefix="pbperf")
            self.process = subprocess.Popen(
                ["perf", "stat", "-a", "-x", ",", "-o", self.out.name, "--for-each-cgroup", self.group.path.name,
                 "-e", ",".join(EVENTS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)  # it tells nobody when it has begun
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        for line in self.out.read().splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[0].isdigit() and fields[2] in EVENTS:
                self.result[EVENTS[fields[2]]] = int(fields[0])


class Disk:
    """The block device below a folder. Others who write to it are counted too."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        device = os.stat(folder).st_dev
        self.stat = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")

    def settle(self):
        subprocess.run(["sync", "-f", self.folder], check=True)

    def written(self) -> int:
        return int(self.stat.read_text().split()[6]) * 512 if self.stat.exists() else 0

    def flushes(self) -> int:
        fields = self.stat.read_text().split() if self.stat.exists() else []
        return int(fields[15]) if len(fields) > 15 else 0
