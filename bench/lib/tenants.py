"""What many tenants cost: the same mail by one client of mynetworks, and by keys of many accounts in a full database."""

import os
import pathlib
import shutil
import subprocess
import time

import load
import trial
from lib.net import accepts
from lib.process import children, stat_fields
from lib.wait import wait_for

# No recipient is on a list, so that each is looked for in full; many messages on a connection, or one with its AUTH.
WORKLOADS = [load.Workload("tenants", "accept", tls=True, spread=True),
             load.Workload("tenants-many", "accept", tls=True, spread=True, reuse=True)]
COLUMNS = {"accept_rate": "accepted/s", "cpu_ms": "CPU", "syscalls": "syscalls", "written": "written"}


def make(programs: pathlib.Path, work: pathlib.Path, accounts: int, keys: int, suppressions: int) -> pathlib.Path:
    """The database, kept for the next run. Its logins are beside it."""
    folder = work / f"tenants-{accounts}-{keys}-{suppressions}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "accountd").mkdir(parents=True)
        subprocess.run([programs / "tenants_make", "make", folder / "accountd", str(accounts), str(keys),
                        str(suppressions)], check=True)
        (folder / "done").touch()
    return folder


class _Stage(trial.Stage):
    """With the tenants' database (None: only the account of mynetworks)."""

    def __init__(self, tenants: pathlib.Path | None, w: load.Workload, work: pathlib.Path, programs: pathlib.Path):
        self.tenants = tenants
        super().__init__("packetboat", w, work, programs)

    def _start(self, system: str, sink_options: tuple[str, ...], parameters: dict):
        super()._start(system, sink_options, parameters)
        self.system.login = ["-a"]
        if self.tenants is not None:
            suite = self.system.suite
            suite.stop()
            state = suite.directory / "state/accountd"
            owner = state.stat()
            shutil.rmtree(state)
            shutil.copytree(self.tenants / "accountd", state)  # the folder's owner is set by master
            for file in state.iterdir():
                os.chown(file, owner.st_uid, owner.st_gid)
            suite.write_config(mynetworks_account="tenant1")
            self.system.restart(self.group)
            wait_for(suite.ready, 60, "the suite with its tenants")
            self.system.login = ["-k", str(self.tenants / "logins")]

    def accountd(self) -> int:
        return next(pid for pid, name in children(self.system.suite.master_pid).items() if name == "accountd")


def _memory(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


def _cpu(pid: int) -> float:
    return sum(map(int, stat_fields(pid)[1][11:13])) / os.sysconf("SC_CLK_TCK")


def _restart(stage: _Stage) -> dict:
    """accountd dies; until the next one has answered a message. Its CPU is what a busy machine does not change."""
    before = stage.accountd()
    begin = time.monotonic()
    os.kill(before, 9)
    stage.submit(1, load.Workload("one", "accept", tls=True, sessions=1)).wait()
    taken = time.monotonic() - begin
    pid = stage.accountd()
    return {"restart_s": taken, "restart_cpu_s": _cpu(pid), "accountd_mb": _memory(pid)}


def run(w: load.Workload, tenants: pathlib.Path, work: pathlib.Path, programs: pathlib.Path, seconds: float,
        rounds: int) -> dict:
    """Medians would hide nothing here: the best of each side is what the machine can do."""
    sides: dict[str, list[dict]] = {"mynetworks": [], "tenants": []}
    result: dict = {}
    for name, database in (("mynetworks", None), ("tenants", tenants)):
        stage = _Stage(database, w, work, programs)
        try:
            assert accepts("127.0.0.1", stage.system.port)
            n = stage.estimate(seconds)
            sides[name] = [trial.measure(stage, n, seconds) for _ in range(rounds)]
            if database is not None:
                result |= _restart(stage)
        finally:
            stage.stop()
    for key in COLUMNS:
        pick = max if key == "accept_rate" else min
        for name, runs in sides.items():
            values = [r[key] for r in runs if r[key] is not None]
            result[f"{name}_{key}"] = pick(values) if values else None
    return result


def lines(w: load.Workload, r: dict) -> str:
    texts = []
    for key, heading in COLUMNS.items():
        a, b = r[f"mynetworks_{key}"], r[f"tenants_{key}"]
        if a and b:
            texts.append(f"{heading} {a:,.3f} -> {b:,.3f} x {b / a:.2f}")
    return (f"{w.name:<20} mynetworks -> tenants   {', '.join(texts)}\n{'':<20} accountd after kill -9: first verdict "
            f"{r['restart_s']:.2f} s, CPU {r['restart_cpu_s']:.2f} s, {r['accountd_mb']:.0f} MB")
