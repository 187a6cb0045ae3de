"""pbspool: what a spool holds, told and saved without the suite, whatever is wrong with it."""

import hashlib
import json
import pathlib
import shutil
import stat
import subprocess

import pytest

from lib import spool
from lib.load import Load, body_of, content
from lib.packetboat import Packetboat
from lib.wait import wait_for


@pytest.fixture
def receiver(new_sink):
    sink = new_sink(tls=False)
    sink.on("RCPT", "451 4.2.0 later", arg="load-")
    return sink


@pytest.fixture
def boat(new_packetboat) -> Packetboat:
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", retry_schedule="1h", retry_jitter=0,
                          checkpoint_time="1s")
    boat.add_account("relay", unsigned="allow")
    return boat


class Copies:
    """Copies of a spool to do harm to, and the tool that looks at them: without a suite or a configuration."""

    def __init__(self, boat: Packetboat, original: pathlib.Path, folder: pathlib.Path):
        self.program, self.original, self.folder = boat.program("pbspool"), original, folder
        self.count = 0

    def new(self) -> pathlib.Path:
        self.count += 1
        return pathlib.Path(shutil.copytree(self.original, self.folder / str(self.count)))

    def run(self, *args, code: int = 0) -> str:
        done = subprocess.run([str(a) for a in (self.program, *args)], capture_output=True, text=True, timeout=60,
                              env={"PACKETBOAT_CONFIG": "/nonexistent"})
        self.errors = done.stderr
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def check(self, path: pathlib.Path, code: int = 0) -> dict[str, dict]:
        """The report by name; nothing in the spool is changed by it."""
        before = snapshot(path)
        found = [json.loads(line) for line in self.run("--json", "check", path, code=code).splitlines()]
        assert snapshot(path) == before
        return {entry["name"]: entry for entry in found}

    def damages(self, path: pathlib.Path, code: int = 1) -> str:
        """All that is damaged, in words."""
        report = self.check(path, code)
        return "\n".join(f"{name}: {d['text']}" for name, entry in report.items() for d in entry["damage"])

    def salvage(self, path: pathlib.Path, *args, code: int = 0) -> dict[str, dict]:
        """What was saved: the envelopes by id, each with its message as `eml`."""
        self.count += 1
        out = self.folder / f"out{self.count}"
        out.mkdir()
        before = snapshot(path)
        self.run("salvage", "-s", path, "-o", out, *args, code=code)
        assert snapshot(path) == before
        saved = {}
        for file in out.glob("*.json"):
            assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(file.with_suffix(".eml").stat().st_mode) == 0o600
            saved[file.stem] = json.loads(file.read_text()) | {"eml": file.with_suffix(".eml").read_bytes()}
        assert len(list(out.iterdir())) == 2 * len(saved)
        return saved


def snapshot(path: pathlib.Path) -> dict[str, tuple]:
    return {str(p.relative_to(path)): (p.stat().st_mtime_ns, hashlib.md5(p.read_bytes()).digest())
            for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def new_copies(boat, new_directory):
    return lambda: Copies(boat, boat.directory / "spool", new_directory("copies"))


def queued(boat, count: int, **options) -> Load:
    load = Load(boat, count, clients=1, **options)
    load.start().wait()
    wait_for(lambda: len(boat.queue_json()) >= count, 20, "all messages in the queue")
    return load


def finish_some(boat, receiver) -> Load:
    """Messages that are delivered, and so are dead in a segment that lives."""
    load = Load(boat, 4, clients=1, sender="done@relay.test")
    load.start().wait()
    receiver.wait_messages(4)
    return load


def place_of(path: pathlib.Path, name: str):
    return spool.find(path, f"Subject: {name}\r\n".encode())


def test_sound_spool_is_told_and_every_message_saved(boat, receiver, new_copies):
    load = queued(boat, 12)
    done = finish_some(boat, receiver)
    big = queued(boat, 2, sender="load-big@relay.test", size=400_000)
    wait_for(lambda: len(boat.queue_json()) == 14, 20, "the finished ones to go")
    boat.stop()
    copies = new_copies()
    path = copies.new()

    report = copies.check(path)
    assert [e["damage"] for e in report.values() if e["damage"]] == []
    assert (report["queue"]["alive"], report["queue"]["new"], report["queue"]["without content"]) == (14, 0, 0)
    segments = [e for e in report.values() if e["kind"] == "segment"]
    assert sum(e["finished"] for e in segments) == 4 and sum(e["alive"] for e in segments) == 14
    assert len([e for e in report.values() if e["kind"] == "big"]) == 2
    assert copies.run("check", path).splitlines()[-1].startswith("ok: 0 damaged")

    saved = copies.salvage(path)
    sizes = {uuid: (name, l.size) for l in (load, done, big) for name, uuid in l.acknowledged.items()}
    assert set(saved) == set(sizes)
    for uuid, (name, size) in sizes.items():
        assert body_of(saved[uuid]["eml"]) == content(name, size)
        assert [r["address"] for r in saved[uuid]["recipients"]] == [f"{name}@sink.test"]
        assert saved[uuid]["sender"].endswith("@relay.test")
        assert saved[uuid]["accepted"]["message_id"] == uuid
        assert saved[uuid]["state"] == ("finished" if name in done.acknowledged else "alive")
    assert set(copies.salvage(path, "--alive")) == set(saved) - set(done.acknowledged.values())
    one = list(load.acknowledged.values())[3]
    assert set(copies.salvage(path, one)) == {one}
    copies.salvage(path, "01a202e9-07fc-7000-8000-040000000000", code=66)
    assert "not found" in copies.errors


def test_mail_that_no_qmgr_has_seen_is_new(boat, receiver, new_copies):
    boat.kill("qmgr", 19)  # SIGSTOP
    load = Load(boat, 5, clients=1)
    load.start().wait()
    boat.kill_all()
    copies = new_copies()
    path = copies.new()
    assert copies.check(path)["queue"]["new"] == 5
    assert {s["state"] for s in copies.salvage(path, "--alive").values()} == {"new"}

    # Nobody was promised the tail: it is named and no damage.
    segment = spool.segments(path)[-1]
    last = spool.batches(segment)[-1]
    spool.append(segment, segment.read_bytes()[last.off:last.off + 100])
    report = copies.check(path)
    assert any("torn tail" in n for n in report[str(segment.relative_to(path))]["notes"])
    assert len(copies.salvage(path)) == 5

    # The first of them is acknowledged, as a later batch says; the last one may be torn.
    place, batch, _ = place_of(path, list(load.acknowledged)[0])
    spool.flip(place, batch.off + 3)
    assert "acknowledged bytes cannot be read" in copies.damages(path)
    assert set(copies.salvage(path)) == set(list(load.acknowledged.values())[1:])


def test_each_damage_is_told_and_the_rest_is_saved(boat, receiver, new_copies):
    load = queued(boat, 8)
    big = queued(boat, 2, sender="load-big@relay.test", size=400_000)
    boat.stop()
    copies = new_copies()
    everything = {**load.acknowledged, **big.acknowledged}
    names = list(load.acknowledged)
    name, uuid = names[4], load.acknowledged[names[4]]

    def harmed(do, lost: list[str]) -> str:
        path = copies.new()
        do(path)
        told = copies.damages(path)
        saved = copies.salvage(path, code=1 if lost else 0)
        assert set(saved) == {u for n, u in everything.items() if n not in lost}
        return told

    def flip(at):
        def do(path):
            segment, batch, record = place_of(path, name)
            assert len(batch.records) == 1
            spool.flip(segment, at(batch, record))
        return do

    told = harmed(flip(lambda b, r: r.content_off + 50), [name])
    assert f"live message {uuid}: its content is damaged" in told
    for at in (lambda b, r: b.off, lambda b, r: b.off + 30, lambda b, r: r.off + spool.RECORD.size + 5):
        told = harmed(flip(at), [name])
        assert "acknowledged bytes cannot be read" in told
        assert f"live message {uuid}: its record cannot be read" in told
    told = harmed(lambda path: spool.flip(place_of(path, name)[0], 9), [])
    assert "header cannot be read" in told

    def cut(path):
        segment, batch, _ = place_of(path, name)
        with open(segment, "r+b") as f:
            f.truncate(batch.off)
    told = harmed(cut, names[4:] + list(big.acknowledged))
    assert "the file is cut off" in told

    told = harmed(lambda path: place_of(path, name)[0].unlink(), list(everything))
    assert f"live message {uuid}: its segment is missing" in told

    def one_big(path):
        return sorted((path / "big").iterdir())[1]
    lost = list(big.acknowledged)[1:]
    assert "not whole" in harmed(lambda path: spool.flip(one_big(path), 200_000), lost)
    assert "is not there" in harmed(lambda path: one_big(path).unlink(), lost)


def test_journal_and_checkpoint_are_checked(boat, receiver, new_copies):
    load = Load(boat, 400, clients=4)
    load.start().wait()
    count = len(load.acknowledged)
    wait_for(lambda: (boat.directory / "spool/ckp/CURRENT").exists(), 20, "a checkpoint")
    wait_for(lambda: len(boat.queue_json()) == count, 20, "all messages in the queue")
    boat.restart()
    boat.stop()
    copies = new_copies()

    report = copies.check(copies.new())
    current = (copies.original / "ckp/CURRENT").read_text().strip()
    assert any("current" in n for n in report[f"ckp/{current}"]["notes"])
    assert report["queue"]["alive"] == count and report["jrn"]["files"] >= 1

    # Without its checkpoint the journal alone says the same.
    path = copies.new()
    shutil.rmtree(path / "ckp")
    assert copies.check(path)["queue"]["alive"] == count

    def harmed(do) -> str:
        path = copies.new()
        do(path)
        assert len(copies.salvage(path)) == count
        return copies.damages(path)

    told = harmed(lambda path: spool.flip(path / "ckp" / current, 200))
    assert f"ckp/{current}: the checkpoint is incomplete" in told or f"ckp/{current}: acknowledged bytes" in told
    assert "which is not there" in harmed(lambda path: (path / "ckp" / current).unlink())
    assert "names no checkpoint" in harmed(lambda path: (path / "ckp/CURRENT").write_text("nonsense\n"))
    first = min((copies.original / "jrn").glob("*.jrn"), key=lambda p: p.name).name
    told = harmed(lambda path: (path / "jrn" / first).unlink())
    assert "its record in journal file" in told and "is missing" in told
    second = spool.batches(copies.original / "jrn" / first)[1]
    assert f"jrn/{first}: acknowledged bytes cannot be read" in harmed(
        lambda path: spool.flip(path / "jrn" / first, second.off + 70))


def test_salvage_overwrites_nothing(boat, receiver, new_copies, new_directory):
    load = queued(boat, 2)
    boat.stop()
    copies, out = new_copies(), new_directory("out")
    path = copies.new()
    there = out / f"{next(iter(load.acknowledged.values()))}.eml"
    there.write_text("mine")
    copies.run("salvage", "-s", path, "-o", out, code=73)
    assert "left as it is" in copies.errors
    assert there.read_text() == "mine" and len(list(out.iterdir())) == 3


def test_dots_and_lines_are_as_they_were_sent(boat, receiver, new_copies):
    body = "one\r\n.\r\n..two\r\n.three\r\n"
    header = "From: load@relay.test\r\nTo: load-1@sink.test\r\nSubject: dots\r\n\r\n"
    with boat.connect() as smtp:
        smtp.sendmail("load@relay.test", ["load-1@sink.test"], header + body)
    wait_for(lambda: len(boat.queue_json()) == 1, 10, "the message in the queue")
    boat.stop()
    copies = new_copies()
    (saved,) = copies.salvage(copies.new()).values()
    assert saved["eml"].endswith(body.encode()) and b"Subject: dots\r\n" in saved["eml"]


def test_mistakes_are_told(boat, new_copies, new_directory):
    copies, empty = new_copies(), new_directory("empty")
    copies.run("check", empty, code=66)
    assert "is no spool" in copies.errors
    copies.run("check", empty / "nothing", code=66)
    copies.run("check", code=78)
    copies.run(code=64)
    copies.run("mend", code=64)
    copies.run("salvage", "-s", boat.directory / "spool", "nonsense", code=65)
    copies.run("salvage", "-s", boat.directory / "spool", "-o", empty / "nothing", code=73)
    # With a configuration the spool need not be named.
    boat.stop()
    assert boat.tool("pbspool", "check").out.splitlines()[-1].startswith("ok")
