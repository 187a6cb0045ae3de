"""Starting programs and ending exactly those, and finding their children."""

import os
import pathlib
import shutil
import signal
import subprocess

from .wait import wait_for


def run(*args, **options) -> subprocess.CompletedProcess:
    """Runs a program to its end and returns its output as text."""
    options.setdefault("timeout", 60)
    options.setdefault("check", True)
    try:
        return subprocess.run([str(a) for a in args], capture_output=True, text=True, **options)
    except subprocess.CalledProcessError as e:
        raise RuntimeError(f"{' '.join(map(str, args))}: exit {e.returncode}\n{e.stdout}{e.stderr}") from e


def find_program(name: str) -> str:
    """Full path of a program; sbin is not in every user's PATH."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; script/setup test installs it")
    return path


class Server:
    """A program in the foreground, in its own session, with its output in a file."""

    def __init__(self, args, log: pathlib.Path, **options):
        self.args = [str(a) for a in args]
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, **options)
        self.pid = self.process.pid
        self.left_behind: list[str] = []  # children that had to be killed after a stop

    def running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_ready(self, predicate, deadline: float = 15):
        """Waits for the predicate; a program that ended before is told at once."""
        def ready():
            if not self.running():
                raise RuntimeError(f"{self.args[0]} ended with {self.process.returncode}:\n{self.output()}")
            return predicate()
        wait_for(ready, deadline, f"start of {self.args[0]}")

    def stop(self, sig=signal.SIGTERM, deadline: float = 15, pid: int | None = None) -> int:
        """Asks for the end, insists after the deadline; returns the exit code.

        pid: which process to ask, where it is not the one that was started.
        """
        family = descendants(self.pid)
        if pid in dict(family):
            os.kill(pid, sig)
        elif self.running():
            self.process.send_signal(sig)
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.left_behind += end_orphans(family)
        return self.process.returncode


def stat_fields(pid: int) -> tuple[str, list[str]]:
    """comm, and the fields of /proc/PID/stat after it (state, ppid, ...)."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    comm, rest = text[text.index("(") + 1:].rsplit(")", 1)
    return comm, rest.split()


def start_time(pid: int) -> str:
    """Tells a process from a later one with the same number."""
    return stat_fields(pid)[1][19]


def children(pid: int) -> dict[int, str]:
    """The direct children of a process: pid -> comm."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                comm, fields = stat_fields(int(entry))
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found[int(entry)] = comm
    return found


def descendants(pid: int) -> list[tuple[int, str]]:
    """All processes below one, as (pid, start time)."""
    found = []
    for child in children(pid):
        try:
            found.append((child, start_time(child)))
        except OSError:
            continue
        found += descendants(child)
    return found


def gone(identity: tuple[int, str]) -> bool:
    """Has this very process ended (whoever has its number now)?"""
    pid, started = identity
    try:
        return start_time(pid) != started or stat_fields(pid)[1][0] == "Z"
    except OSError:
        return True


def end_orphans(family: list[tuple[int, str]]) -> list[str]:
    """Kills what a stopped server left behind, unless it goes by itself; returns their names."""
    try:
        wait_for(lambda: all(map(gone, family)), 5)
        return []
    except TimeoutError:
        left = [identity for identity in family if not gone(identity)]
        names = [f"{pid} ({stat_fields(pid)[0]})" for pid, _ in left]
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
        return names
