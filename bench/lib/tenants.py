"""What many tenants cost: the same mail with a full database and without, with AUTH and without. All with STARTTLS."""

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
# Side: is the database full, does the client log in (with a key of any account, or the one there is)?
SIDES = {"mynetworks": (False, False), "auth": (False, True), "network": (True, False), "tenants": (True, True)}
# What a ratio shows.
PAIRS = [("auth", "tenants", "10,000 accounts instead of one, both log in"),
         ("mynetworks", "network", "the same by the client's network, nobody logs in"),
         ("mynetworks", "tenants", "all of it: AUTH too")]

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
        self.one = self.system.login
        if self.tenants is not None:
            suite = self.system.suite
            suite.stop()
            state = suite.directory / "state/accountd"
            owner = state.stat()
            shutil.rmtree(state)
            shutil.copytree(self.tenants / "accountd", state)  # the folder's owner is set by master
            for file in state.iterdir():
                os.chown(file, owner.st_uid, owner.st_gid)
            # In a day's time all domains are looked up again, not while this is measured.
            suite.write_config(mynetworks_account="tenant1", domain_check_time="30d")
            self.system.restart(self.group)
            wait_for(suite.ready, 60, "the suite with its tenants")
            self.system.login = ["-k", str(self.tenants / "logins")]

    def accountd(self) -> int:
        return next(pid for pid, name in children(self.system.suite.master_pid).items() if name == "accountd")

    def wait_filter(self):
        """Until nothing is read in the background any more; it may have been in its file."""
        self.system.suite.wait_log(rf"accountd\[{self.accountd()}\]: suppressions: .*their filter is ready", 600)


def _memory(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


def _cpu(pid: int) -> float:
    return sum(map(int, stat_fields(pid)[1][11:13])) / os.sysconf("SC_CLK_TCK")


def _restart(stage: _Stage) -> dict:
    """accountd dies; until the next one has answered a message, and has its filter. Its CPU is what a busy machine does
    not change."""
    before = stage.accountd()
    begin = time.monotonic()
    os.kill(before, 9)
    stage.submit(1, load.Workload("one", "accept", tls=True, sessions=1)).wait()
    taken = time.monotonic() - begin
    pid = stage.accountd()
    cpu = _cpu(pid)
    stage.wait_filter()
    return {"restart_s": taken, "restart_cpu_s": cpu, "filter_s": time.monotonic() - begin, "accountd_mb": _memory(pid)}


def _begin(stage: _Stage, seconds: float) -> int:
    """How many messages fill the time, once accountd has all that it wants to read."""
    assert accepts("127.0.0.1", stage.system.port)
    stage.wait_filter()
    return stage.estimate(seconds)


def _measure(full: _Stage, empty: _Stage, seconds: float, rounds: int) -> dict[str, list[dict]]:
    """The sides in turn, so that a slow minute of the machine is nobody's alone."""
    logins = {full: full.system.login, empty: empty.one}
    n = max(_begin(full, seconds), _begin(empty, seconds))  # of equal runs: handshakes are shared by as many messages
    sides: dict[str, list[dict]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, (is_full, has_auth) in SIDES.items():
            stage = full if is_full else empty
            stage.system.login = logins[stage] if has_auth else ["-a"]
            sides[name].append(trial.measure(stage, n, seconds))
    full.system.login = logins[full]
    return sides


def run(w: load.Workload, tenants: pathlib.Path, work: pathlib.Path, programs: pathlib.Path, seconds: float,
        rounds: int) -> dict:
    """Medians would hide nothing here: the best of each side is what the machine can do."""
    full = _Stage(tenants, w, work, programs)
    try:
        empty = _Stage(None, w, work, programs)
        try:
            sides = _measure(full, empty, seconds, rounds)
        finally:
            empty.stop()
        result = _restart(full)
    finally:
        full.stop()
    for key in COLUMNS:
        pick = max if key == "accept_rate" else min
        for name, runs in sides.items():
            values = [r[key] for r in runs if r[key] is not None]
            result[f"{name}_{key}"] = pick(values) if values else None
    return result


def _pair(r: dict, one: str, other: str, what: str) -> str:
    texts = []
    for key, heading in COLUMNS.items():
        a, b = r[f"{one}_{key}"], r[f"{other}_{key}"]
        if a and b:
            texts.append(f"{heading} {a:,.3f} -> {b:,.3f} x {b / a:.2f}")
    return f"  {one + ' -> ' + other:<24}{', '.join(texts)}  ({what})"


def lines(w: load.Workload, r: dict) -> str:
    return "\n".join([w.name, *(_pair(r, *pair) for pair in PAIRS),
                      f"  accountd after kill -9: first verdict {r['restart_s']:.2f} s, CPU {r['restart_cpu_s']:.2f} s, "
                      f"filter {r['filter_s']:.2f} s, {r['accountd_mb']:.0f} MB"])
