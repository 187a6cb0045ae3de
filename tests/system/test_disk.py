"""A spool without space, without inodes, or read-only: 452 for new mail, nothing lost, back by itself."""

import pathlib
import subprocess

import pytest

from lib.load import Book, Load, Refused, Submitter
from lib.packetboat import Packetboat
from lib.process import find_program, run
from lib.volume import MB, Volume
from lib.wait import wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def receiver(new_sink):
    return new_sink(tls=False)


@pytest.fixture
def boats(new_directory):
    """Instances whose volumes are to be unmounted before their folders are removed."""
    made: list[Packetboat] = []
    yield made
    for boat in made:
        boat.stop()
        boat.volume.unmount()


@pytest.fixture
def new_boat(boats, make_packetboat, keep, name_server):
    """new_boat("-t", "tmpfs", ...): an instance whose spool is a volume mounted so."""
    def make(*mount: str, **parameters) -> Packetboat:
        boat = make_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", segment_size="1M",
                               journal_file_size="4M", retry_schedule="1s", retry_jitter=0, **parameters)
        boat.volume = Volume(boat.directory / "spool")
        boats.append(boat)
        boat.volume.mount(*mount)
        boat.give_away()
        name_server.add(boat.HOSTNAME, "A", boat.address)
        keep.start(boat)
        boat.add_account("relay", unsigned="allow")
        return boat
    return make


def offer(boat) -> str:
    """What a message is answered with that nobody wants: the transaction is not finished."""
    submitter = Submitter(boat)
    try:
        submitter.begin("load@relay.test", "nobody@sink.test")
        return "354"
    except Refused as e:
        return str(e)
    finally:
        submitter.close()


def wait_refused(boat, deadline: float = 10):
    wait_for(lambda: offer(boat).startswith("452 4.3.1"), deadline, "452 4.3.1")


def wait_welcome(boat, deadline: float = 15):
    wait_for(lambda: offer(boat) == "354", deadline, "new mail is welcome")


def deferred_load(boat, receiver, count: int, **options) -> tuple[Load, Book]:
    """Acknowledged messages that the receiver does not take yet."""
    receiver.on("RCPT", "451 4.2.0 later")
    load = Load(boat, count, clients=2, **options)
    load.start().wait()
    return load, Book(receiver, loads=[load])


def check_all(boat, book: Book):
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.altered() == []
    assert book.duplicates() == {}


def test_little_space_refuses_new_mail_and_deliveries_go_on(new_boat, receiver):
    boat = new_boat("-t", "tmpfs", "-o", "size=48m", "tmpfs", spool_min_free="16M")
    load, book = deferred_load(boat, receiver, 50, size=20000)
    boat.volume.leave(8 * MB)
    wait_refused(boat)
    assert boat.queue_json() != []

    receiver.normal()
    boat.tool("pbqueue", "retry", "ALL")
    check_all(boat, book)
    assert offer(boat).startswith("452 4.3.1")

    boat.volume.release()
    wait_welcome(boat)
    again = Load(boat, 10, sender="again@relay.test")
    again.start().wait()
    check_all(boat, Book(receiver, loads=[load, again]))


def test_mail_that_fills_the_spool_is_refused_before_the_journal_fails(new_boat, receiver):
    boat = new_boat("-t", "tmpfs", "-o", "size=64m", "tmpfs", spool_min_free="32M")
    receiver.on("RCPT", "451 4.2.0 later")
    load = Load(boat, 1 << 30, clients=1, size=50000, pause=0.005)
    book = Book(receiver, loads=[load])
    load.start()
    wait_for(lambda: load.replies()["452 4.3.1"], 30, "a full spool")
    filled = len(load.acknowledged)
    assert boat.volume.free() > 8 * MB

    # Deliveries make room, and the clients that came again are served.
    receiver.normal()
    boat.tool("pbqueue", "retry", "ALL")
    wait_for(lambda: len(load.acknowledged) > filled + 20, 30, "room for new mail")
    load.stop()
    assert set(load.replies()) == {"452 4.3.1"}
    check_all(boat, book)


def test_no_space_at_all_stops_deliveries_and_loses_nothing(new_boat, receiver):
    """Without a journal a delivery could not be remembered, so none is begun."""
    boat = new_boat("-t", "tmpfs", "-o", "size=48m", "tmpfs", spool_min_free="8M")
    boat.expect_error("No space left on device")
    load, book = deferred_load(boat, receiver, 50, size=20000)
    boat.volume.leave(0)
    boat.wait_log("the journal cannot be written")
    wait_refused(boat)
    receiver.normal()
    assert offer(boat).startswith("452 4.3.1")

    boat.volume.release()
    wait_welcome(boat)
    check_all(boat, book)


def test_all_killed_on_a_full_disk_starts_again_when_there_is_space(new_boat, receiver):
    boat = new_boat("-t", "tmpfs", "-o", "size=48m", "tmpfs", spool_min_free="8M")
    boat.expect_error("No space left on device")
    load, book = deferred_load(boat, receiver, 50, size=20000)
    boat.volume.leave(0)
    boat.wait_log("the journal cannot be written")
    boat.kill_all()
    boat.volume.release()
    receiver.normal()
    boat.start()
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.altered() == []


def test_alerts_leave_while_new_mail_is_refused(new_boat, receiver, new_webhook, new_directory):
    """With little space they go all ways; with none by the command alone, and by the others once there is some."""
    directory, hook = new_directory("alerts"), new_webhook()
    directory.chmod(0o777)
    out, script = directory / "out", directory / "tell"
    script.write_text(f'#!/bin/sh\necho "$ALERT_NAME" >>{out}\n')
    script.chmod(0o755)
    boat = new_boat("-t", "tmpfs", "-o", "size=64m", "tmpfs", spool_min_free="24M", alert_command=str(script), alert_retry_time="1s")
    boat.expect_error("No space left on device")
    boat.tool("pbaccount", "add", "shop", "contact=ops@sink.test")
    boat.tool("pbhook", "add", "shop", hook.url, "--kinds", "alert")
    out.write_text("")

    def told():
        return out.read_text().split()

    def mails():
        return len([m for m in receiver.messages if "ops@sink.test" in m.recipients])
    boat.volume.leave(12 * MB)
    wait_refused(boat)
    boat.tool("pbkey", "add", "shop")
    wait_for(lambda: mails() == 1, 20, "the mail")
    assert hook.wait_event("alert")["details"]["name"] == "key_made"
    wait_for(lambda: told() == ["key_made"], 20, "the command")
    assert offer(boat).startswith("452 4.3.1")

    boat.volume.leave(0)
    boat.tool("pbkey", "revoke", "shop", "ALL")
    wait_for(lambda: told() == ["key_made", "key_revoked"], 20, "the command, without journal and queue")
    boat.volume.release()
    wait_welcome(boat, 30)
    wait_for(lambda: mails() == 2, 60, "the second mail")
    wait_for(lambda: len(hook.events("alert")) == 2, 60, "the second event")
    assert told() == ["key_made", "key_revoked"]


def test_no_inodes_refuses_new_mail_and_deliveries_go_on(new_boat, receiver):
    boat = new_boat("-t", "tmpfs", "-o", "size=64m,nr_inodes=1000", "tmpfs", spool_min_free="8M")
    load, book = deferred_load(boat, receiver, 50)
    boat.volume.leave_inodes(60)
    wait_refused(boat)
    boat.volume.leave_inodes(0)
    receiver.normal()
    boat.tool("pbqueue", "retry", "ALL")
    check_all(boat, book)
    boat.volume.release()
    wait_welcome(boat)


@pytest.fixture
def image(new_directory) -> pathlib.Path:
    path = new_directory("image") / "ext4"
    with open(path, "wb") as f:
        f.truncate(64 * MB)
    run(find_program("mkfs.ext4"), "-q", "-F", path)
    return path


def test_file_system_that_turns_read_only_acknowledges_nothing(image, new_boat, receiver):
    """ext4 does so when its disk fails; who repairs and mounts it again finds all that was acknowledged."""
    boat = new_boat("-o", "loop", str(image), spool_min_free="4M")
    boat.expect_error("Read-only file system|Input/output error")
    load, book = deferred_load(boat, receiver, 50)
    boat.volume.mount("-o", "remount,abort")
    late = Load(boat, 10, clients=2, sender="late@relay.test")
    late.start()
    wait_for(lambda: late.replies()["451 4.3.0"] + late.replies()["452 4.3.1"] >= 10, 30, "refusals")
    late.stop()
    assert late.acknowledged == {}
    receiver.normal()

    boat.stop()
    boat.volume.unmount()
    subprocess.run([find_program("e2fsck"), "-p", str(image)], check=False, capture_output=True)
    boat.volume.mount("-o", "loop", str(image))
    boat.start()
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.altered() == []
