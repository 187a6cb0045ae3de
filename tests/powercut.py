#!/usr/bin/python3 -B
"""The whole suite under power cuts: COMMAND and CHECK for a recorder of disk writes.

    powercut.py write [--count 3000] [--clients 16]
        starts the suite with its spool and state on $POWERCUT_MNT, submits messages (small ones, some above
        256 KB), delivers a part of them, and adds a line "<size of $POWERCUT_LOG> <token>" to $POWERCUT_ACKS
        for each 250: after the reply has been read
    powercut.py check
        starts the suite on what a cut left in $POWERCUT_MNT, with a receiver that takes everything, and looks for
        each token of $POWERCUT_ACKED: delivered before the cut (its event is in the journal) or arrived now.
        Exit 0: all is there, and every byte is what was sent; 1: something is lost, altered, or damage is
        reported; 2: it could not be judged
    powercut.py check --offline
        the same by pbspool alone: what is acknowledged is in the spool, or its delivery is in the journal

PB_ROOT names the install root; TMPDIR on a tmpfs spares the real disk the syncs. Receivers and name server run in
this process or beside the file system under test, never on it. A token is the message's own id, which decides its
content, and the id of the reply.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "system"))

from lib.ca import TestCA  # noqa: E402
from lib.dns import NameServer  # noqa: E402
from lib.load import Load, body_of, content, name_of  # noqa: E402
from lib.net import Addresses, free_port  # noqa: E402
from lib.packetboat import Packetboat  # noqa: E402
from lib.sink import SmtpSink  # noqa: E402
from lib.wait import wait_for  # noqa: E402

SIZES = {"small": 0, "page": 9000, "big": 300_000}
# Recipients of these stay in the queue while the recording runs.
LATER = "later"


def size_of(name: str) -> int:
    return SIZES[name.partition("-")[0]]


class Rig:
    """Suite, name server and receiver; only the suite's spool and state are on the file system under test."""

    def __init__(self, mount: pathlib.Path, folder: pathlib.Path):
        addresses = Addresses()
        ca = TestCA(folder)
        port = free_port()
        self.name_server = NameServer(self._folder(folder, "nsd"), addresses.next())
        self.sink = SmtpSink(addresses.next(), port, "mx.sink.test", None)
        directory = self._folder(folder, "boat")
        self.boat = Packetboat(directory, addresses.next(), ca, self.name_server, port, mynetworks="127.0.0.0/8",
                               mynetworks_account="relay", segment_size="4M", journal_file_size="4M",
                               checkpoint_time="1s", retry_schedule="1s", retry_jitter=0, segment_copy_age="1s",
                               spool_min_free="1M")
        for name in ("spool", "state"):
            (directory / name).rmdir()
            (mount / name).mkdir(exist_ok=True)
        self.boat.write_config(spool_directory=mount / "spool", state_directory=mount / "state")
        if self.boat.user:
            for name in ("spool", "state"):
                for path in (mount / name, *(mount / name).rglob("*")):
                    os.chown(path, self.boat.user.pw_uid, self.boat.user.pw_gid)

    @staticmethod
    def _folder(folder: pathlib.Path, name: str) -> pathlib.Path:
        path = folder / name
        path.mkdir()
        path.chmod(0o755)
        return path

    def start(self):
        self.name_server.start()
        self.sink.start()
        self.name_server.add_mail_host("sink.test", ("mx.sink.test", self.sink.address))
        self.name_server.add(self.boat.HOSTNAME, "A", self.boat.address)
        self.boat.start()

    def stop(self):
        for server in (self.boat, self.sink, self.name_server):
            server.stop()


class Acknowledged(dict):
    """Load's table of what was acknowledged: each entry is written down with the size the log has then."""

    lock = threading.Lock()

    def __init__(self, log: pathlib.Path, acks):
        super().__init__()
        self.log, self.acks = log, acks

    def __setitem__(self, name: str, uuid: str):
        size = self.log.stat().st_size  # the 250 has been read: what it promised lies within
        super().__setitem__(name, uuid)
        with self.lock:
            self.acks.write(f"{size} {name}/{uuid}\n")


def write(mount: pathlib.Path, folder: pathlib.Path, count: int, clients: int) -> int:
    rig = Rig(mount, folder)
    log = pathlib.Path(os.environ["POWERCUT_LOG"])
    rig.start()
    try:
        rig.boat.add_account("relay", unsigned="allow")
        rig.sink.on("RCPT", "451 4.2.0 later", arg=LATER)
        with open(os.environ["POWERCUT_ACKS"], "w", buffering=1) as acks:
            loads = []
            shares = {"small": 80, "page": 18, "big": 2}
            for kind, percent in shares.items():
                for part in ("now", LATER):
                    load = Load(rig.boat, count * percent // 200, clients=max(1, clients * percent // 200),
                                sender=f"{kind}-{part}@relay.test", size=SIZES[kind])
                    load.acknowledged = Acknowledged(log, acks)
                    loads.append(load.start())
            for load in loads:
                load.wait(deadline=600)
    finally:
        rig.stop()
    return 0


# -- what is there after the cut --------------------------------------------

def delivered(rig: Rig) -> set[str]:
    """Ids with a delivery event in the journal."""
    # exit 1: there is none
    return {e["message_id"] for e in rig.boat.tool("pblog", "--json", "--kind", "delivery", check=False).lines()}


def faults_online(rig: Rig, tokens: dict[str, str]) -> list[str]:
    """name -> uuid of what was acknowledged; what is wrong with it once all that is left was delivered."""
    rig.start()
    before = delivered(rig)

    def missing() -> list[str]:
        arrived = {name_of(m.data) for m in list(rig.sink.received)}
        return [name for name, uuid in tokens.items() if name not in arrived and uuid not in before]
    try:
        wait_for(lambda: not missing(), 60, "all acknowledged messages")
    except TimeoutError:
        pass
    return ([f"{name}: lost" for name in missing()]
            + [f"{name}: altered" for m in list(rig.sink.received)
               if body_of(m.data) != content(name := name_of(m.data), size_of(name))]
            + [f"said: {line}" for line in rig.boat.unexpected_errors()])


def faults_offline(rig: Rig, tokens: dict[str, str], folder: pathlib.Path) -> list[str]:
    spool = rig.boat.parameters["spool_directory"]
    program = rig.boat.program("pbspool")
    done = subprocess.run([program, "--json", "check", spool], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pbspool check: {done.stderr}")
    found = [f"{entry['name']}: {d['text']}" for entry in map(json.loads, done.stdout.splitlines())
             for d in entry["damage"]]
    out = folder / "out"
    out.mkdir()
    saving = subprocess.run([program, "salvage", "-s", spool, "-o", out], capture_output=True, text=True)
    found += [f"salvage: {line}" for line in saving.stderr.splitlines()]
    before = delivered(rig)
    saved = {path.stem: path.read_bytes() for path in out.glob("*.eml")}
    found += [f"{name}: lost" for name, uuid in tokens.items() if uuid not in saved and uuid not in before]
    for uuid, message in saved.items():
        name = name_of(message)
        if body_of(message) != content(name, size_of(name)):
            found.append(f"{uuid}: altered")
    return found


def check(mount: pathlib.Path, folder: pathlib.Path, is_offline: bool) -> int:
    lines = pathlib.Path(os.environ["POWERCUT_ACKED"]).read_text().split()
    tokens = dict(line.split("/") for line in lines)
    rig = Rig(mount, folder)
    try:
        found = faults_offline(rig, tokens, folder) if is_offline else faults_online(rig, tokens)
    finally:
        rig.stop()
    for line in found:
        print(line)
    print(f"{len(found)} faults, {len(tokens)} acknowledged messages")
    if found:
        print(rig.boat.log_text()[-4000:])
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("--count", type=int, default=3000, help="messages to write (%(default)s)")
    parser.add_argument("--clients", type=int, default=16, help="clients at a time (%(default)s)")
    parser.add_argument("--offline", action="store_true", help="judge by pbspool, without starting the suite")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pbcut-"))
    folder.chmod(0o755)
    os.umask(0o022)
    try:
        mount = pathlib.Path(os.environ["POWERCUT_MNT"])
        if options.action == "write":
            return write(mount, folder, options.count, options.clients)
        return check(mount, folder, options.offline)
    except Exception as error:
        print(f"powercut: cannot {options.action}: {error!r}")
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
