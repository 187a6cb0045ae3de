"""A spool with flipped bits: what is damaged is told and never sent, all the rest arrives."""

import os
import signal

import pytest

from lib import spool
from lib.load import Book, Load
from lib.packetboat import Packetboat
from lib.wait import wait_for


@pytest.fixture
def receiver(new_sink):
    sink = new_sink(tls=False)
    sink.on("RCPT", "451 4.2.0 later")
    return sink


@pytest.fixture
def boat(new_packetboat) -> Packetboat:
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", retry_schedule="1s", retry_jitter=0)
    boat.add_account("relay", unsigned="allow")
    return boat


def queued(boat, receiver, count: int = 12, **options) -> tuple[Load, Book]:
    """Messages that qmgr has taken in and the receiver has not taken."""
    load = Load(boat, count, clients=1, **options)
    load.start().wait()
    wait_for(lambda: len(boat.queue_json()) == count, 20, "all messages in the queue")
    return load, Book(receiver, loads=[load])


def stored(boat, receiver, count: int = 12) -> tuple[Load, Book]:
    """Messages that are acknowledged and that qmgr has not seen, each in a batch of its own; all is killed then."""
    for pid in boat.pids("qmgr"):
        os.kill(pid, signal.SIGSTOP)
    load = Load(boat, count, clients=1)
    load.start().wait()
    boat.kill_all()
    return load, Book(receiver, loads=[load])


def check_others(boat, receiver, book: Book, damaged: list[str]):
    """All but these arrive, once and as they were; these never do."""
    receiver.normal()
    boat.tool("pbqueue", "retry", "ALL", check=False)
    others = set(book.acknowledged()) - set(damaged)
    wait_for(lambda: others <= set(book.arrived()), 30, "the other messages")
    boat.wait_queue_empty()
    assert set(book.arrived()) == others
    assert book.duplicates() == {}
    assert book.altered() == []


def one_more(boat, receiver):
    """Only a message tells qmgr that there are writers of a newer incarnation."""
    load = Load(boat, 1, clients=1, sender="more@relay.test")
    load.start().wait()
    Book(receiver, loads=[load]).wait_arrived()
    boat.wait_queue_empty()


def check_kept(boat, receiver, path):
    """What is damaged is for people to look at: it stays, over restarts too, until they remove it."""
    one_more(boat, receiver)
    assert path.exists()
    boat.kill_all()
    boat.start()
    one_more(boat, receiver)
    assert path.exists()
    boat.stop()
    path.unlink()
    boat.start()
    one_more(boat, receiver)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_damaged_content_is_told_and_not_sent(place, boat, receiver):
    load, book = queued(boat, receiver)
    name = list(load.acknowledged)[5]
    boat.stop()
    path, _, record = spool.find(boat.directory / "spool", f"Subject: {name}\r\n".encode())
    spool.flip(path, record.content_off + {"first": 0, "middle": record.content_length // 2,
                                           "last": record.content_length - 1}[place])
    boat.expect_error("damaged")
    boat.start()
    check_others(boat, receiver, book, [name])
    event = boat.wait_event("spool_damaged")
    assert event["details"]["segid"]
    boat.wait_log(rf"error: {load.acknowledged[name]}: the stored message is damaged")
    final = [e for e in boat.events(message_id=load.acknowledged[name]) if e["kind"] in ("bounce", "soft_bounce")]
    assert len(final) == 1
    check_kept(boat, receiver, path)


def test_damaged_big_content_is_told_and_not_sent(boat, receiver):
    load, book = queued(boat, receiver, 3, size=600_000)
    name = list(load.acknowledged)[1]
    boat.stop()
    big = sorted((boat.directory / "spool/big").iterdir())
    assert len(big) == 3
    spool.flip(big[1], 300_000)
    boat.expect_error("damaged")
    boat.start()
    check_others(boat, receiver, book, [name])
    boat.wait_event("spool_damaged")


def test_damaged_record_of_a_queued_message_is_told_and_not_sent(boat, receiver):
    load, book = queued(boat, receiver)
    name = list(load.acknowledged)[5]
    boat.stop()
    path, _, record = spool.find(boat.directory / "spool", f"Subject: {name}\r\n".encode())
    spool.flip(path, record.off + spool.RECORD.size + record.length // 2)
    boat.expect_error("damaged")
    boat.start()
    check_others(boat, receiver, book, [name])
    boat.wait_event("spool_damaged")


@pytest.mark.parametrize("what", ["header", "record", "content", "committed"])
def test_damage_before_mail_is_taken_in_costs_only_what_it_hits(what, boat, receiver):
    load, book = stored(boat, receiver)
    name = list(load.acknowledged)[5]
    path, batch, record = spool.find(boat.directory / "spool", f"Subject: {name}\r\n".encode())
    assert len(batch.records) == 1
    spool.flip(path, {"header": batch.off, "record": record.off + spool.RECORD.size + 8,
                      "content": record.content_off + 100, "committed": batch.off + 24}[what])
    boat.expect_error("damaged")
    boat.start()
    check_others(boat, receiver, book, [name])
    boat.wait_event("spool_damaged")
    check_kept(boat, receiver, path)


def test_several_damaged_batches_are_each_passed(boat, receiver):
    load, book = stored(boat, receiver, 20)
    names = list(load.acknowledged)
    lost = [names[2], names[3], names[9], names[17]]
    for name in lost:
        path, batch, _ = spool.find(boat.directory / "spool", f"Subject: {name}\r\n".encode())
        spool.flip(path, batch.off + 45)
    boat.expect_error("damaged")
    boat.start()
    check_others(boat, receiver, book, lost)


@pytest.mark.parametrize("tail", ["header", "half", "zeros", "garbage"])
def test_torn_tail_is_dropped_silently(tail, boat, receiver):
    load, book = stored(boat, receiver, 5)
    path = spool.segments(boat.directory / "spool")[-1]
    last = spool.batches(path)[-1]
    data = path.read_bytes()
    whole = bytearray(data[last.off:last.off + last.total])
    spool.BATCH.pack_into(whole, 0, *spool.BATCH.unpack_from(whole)[:3], len(data), len(data), 0, last.total,
                          *spool.BATCH.unpack_from(whole)[7:])
    spool.append(path, {"header": bytes(whole[:64]), "half": bytes(whole[:last.total // 2]), "zeros": bytes(4096),
                        "garbage": bytes(range(256)) * 10}[tail])
    boat.start()
    check_others(boat, receiver, book, [])
    assert boat.events("spool_damaged") == []
    # Nothing to look at: it goes like any segment.
    one_more(boat, receiver)
    wait_for(lambda: not path.exists(), 20, "the removal of the segment")


def test_torn_content_at_the_end_is_dropped_silently(boat, receiver):
    """A power cut between write and sync: the records are there, not all of the content."""
    load, book = stored(boat, receiver, 5)
    name = list(load.acknowledged)[-1]
    path, _, record = spool.find(boat.directory / "spool", f"Subject: {name}\r\n".encode())
    with open(path, "r+b") as f:
        f.truncate(record.content_off + record.content_length // 2)
    boat.start()
    check_others(boat, receiver, book, [name])
    assert boat.events("spool_damaged") == []
