"""A sync that fails is no promise: nobody hears 250, the file is left behind, and work goes on with the next one."""

import pytest

from lib.failsync import FailSync
from lib.load import Book, Load
from lib.packetboat import Packetboat
from lib.sink import Delay
from lib.wait import wait_for


@pytest.fixture
def syncs(new_directory) -> FailSync:
    if not FailSync.is_possible():
        pytest.skip("a sanitizer's runtime must be preloaded first")
    return FailSync(new_directory("failsync"))


@pytest.fixture
def boat(make_packetboat, syncs, monkeypatch, keep, name_server) -> Packetboat:
    boat = make_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", retry_schedule="1s", retry_jitter=0)
    name_server.add(boat.HOSTNAME, "A", boat.address)
    with monkeypatch.context() as environment:
        for name, value in syncs.environment.items():
            environment.setenv(name, value)
        keep.start(boat)
    assert all(syncs.is_in(boat.pids(d)[0]) for d in boat.DAEMONS)
    boat.add_account("relay", unsigned="allow")
    return boat


@pytest.fixture
def receiver(new_sink):
    return new_sink(tls=False)


def check_all(boat, book: Book):
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.altered() == []
    assert book.duplicates() == {}
    # A message that was refused is not sent behind the client's back.
    assert book.unknown() == set()


# -- mail ------------------------------------------------------------------

@pytest.mark.parametrize("skip", [0, 1, 7, 30])
def test_failed_sync_of_mail_is_451_and_the_segment_is_left(skip, boat, receiver, syncs):
    load = Load(boat, 1 << 30, clients=4)
    book = Book(receiver, loads=[load])
    syncs.fail("smtpd", skip)
    load.start()
    wait_for(lambda: syncs.failed == 1, 60, "a failed sync")
    load.wait(len(load.acknowledged) + 50)
    load.stop()
    assert set(load.replies()) == {"451 4.3.0"}
    assert syncs.writes_after == 0
    assert len(list((boat.directory / "spool/msg/0").iterdir())) >= 2
    check_all(boat, book)


def test_nothing_is_acknowledged_while_syncs_of_mail_fail(boat, receiver, syncs):
    load = Load(boat, 50, clients=4)
    book = Book(receiver, loads=[load])
    syncs.fail("smtpd", count=1 << 30)
    load.start()
    wait_for(lambda: load.replies()["451 4.3.0"] >= 20, 30, "refusals")
    assert load.acknowledged == {}
    syncs.normal()
    load.wait()
    assert syncs.writes_after == 0
    check_all(boat, book)


def test_big_message_whose_file_is_not_synced_is_refused(boat, receiver, syncs):
    load = Load(boat, 3, clients=1, size=400_000)
    book = Book(receiver, loads=[load])
    syncs.fail("smtpd", count=2)
    load.start().wait()
    assert syncs.failed == 2
    assert set(load.replies()) == {"451 4.3.0"}
    check_all(boat, book)


# -- the journal -----------------------------------------------------------

@pytest.mark.parametrize("skip", [0, 1, 7, 30])
def test_failed_sync_of_the_journal_is_written_again_elsewhere(skip, boat, receiver, syncs):
    boat.expect_error("the journal cannot be written")
    receiver.on("EOD", Delay(0.01))
    load = Load(boat, 1 << 30, clients=4, pause=0.01)
    book = Book(receiver, loads=[load])
    syncs.fail("qmgr", skip)
    load.start()
    wait_for(lambda: syncs.failed == 1, 60, "a failed sync")
    load.wait(len(load.acknowledged) + 50)
    load.stop()
    check_all(boat, book)
    assert syncs.writes_after == 0

    # A fact that stands twice in the journal is one fact.
    boat.kill("qmgr")
    boat.wait_queue_empty()
    again = Load(boat, 20, sender="again@relay.test")
    again.start().wait()
    check_all(boat, Book(receiver, loads=[load, again]))
    deliveries = {}
    for event in boat.events("delivery"):
        deliveries.setdefault(event["message_id"], set()).add(event["recipient"])
    assert set(book.acknowledged().values()) <= set(deliveries)


def test_nothing_is_sent_while_the_journal_cannot_be_synced(boat, receiver, syncs):
    boat.expect_error("the journal cannot be written")
    refusal = receiver.on("RCPT", "451 4.2.0 later")
    load = Load(boat, 40, clients=2)
    book = Book(receiver, loads=[load])
    load.start().wait()
    syncs.fail("qmgr", count=1 << 30)
    boat.wait_log("the journal cannot be written")
    wait_for(lambda: receiver.open_now == 0, 20, "the end of what had begun")
    receiver.rules.remove(refusal)
    # The retries were due a second after they were deferred; the journal is tried once a second.
    failed = syncs.failed
    wait_for(lambda: syncs.failed >= failed + 4, 20, "four more failed syncs")
    assert receiver.received == []

    syncs.normal()
    check_all(boat, book)
    boat.wait_log("the journal can be written again")
    late = Load(boat, 20, sender="late@relay.test")
    late.start().wait()
    check_all(boat, Book(receiver, loads=[load, late]))


def test_killed_qmgr_after_failed_syncs_loses_nothing(boat, receiver, syncs):
    """What it had only in memory is in the segments and with deliver."""
    boat.expect_error("the journal cannot be written")
    receiver.on("EOD", Delay(0.02))
    load = Load(boat, 400, clients=4)
    book = Book(receiver, loads=[load])
    load.start()
    wait_for(lambda: len(receiver.received) >= 50, 30, "deliveries")
    syncs.fail("qmgr", count=1 << 30)
    boat.wait_log("the journal cannot be written")
    old = boat.kill("qmgr")
    wait_for(lambda: boat.pids("qmgr") not in ([], old), 10, "a new qmgr")
    syncs.normal()
    load.wait()
    check_all(boat, book)
