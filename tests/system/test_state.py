"""A state directory without space, read-only, or whose syncs fail: database, keys, cursors and what master writes."""

import pytest

from lib.failsync import FailSync
from lib.packetboat import Packetboat
from lib.process import gone, start_time
from lib.volume import MB, Volume
from lib.wait import wait_for

SENDER = "orders@shop.test"


@pytest.fixture
def boats():
    """Instances whose volumes are to be unmounted before their folders are removed."""
    made: list[Packetboat] = []
    yield made
    for boat in made:
        boat.stop()
        boat.volume.unmount()


def volume_boat(boats, make_packetboat, name_server, folder: str, **parameters) -> Packetboat:
    """One of whose directories is a small file system; not started yet."""
    boat = make_packetboat(retry_schedule="1s", retry_jitter=0, service_throttle_time="1s", **parameters)
    boat.volume = Volume(boat.directory / folder)
    boats.append(boat)
    boat.volume.mount("-t", "tmpfs", "-o", "size=64m", "tmpfs")
    boat.give_away()
    name_server.add(boat.HOSTNAME, "A", boat.address)
    return boat


@pytest.fixture
def boat(boats, make_packetboat, name_server, keep) -> Packetboat:
    boat = volume_boat(boats, make_packetboat, name_server, "state", database_min_free="4M")
    keep.start(boat)
    boat.shop = boat.add_account("shop")
    boat.add_domain(boat.shop, "shop.test")
    return boat


def kill(boat, daemon: str):
    """Returns when the process is dead; master starts another one when it can."""
    old = [(pid, start_time(pid)) for pid in boat.pids(daemon)]
    boat.kill(daemon)
    wait_for(lambda: all(gone(p) for p in old), 10, f"the end of {daemon}")


def passes(boat, sink, recipient: str):
    """A message is accepted and arrives, at once or soon."""
    wait_for(lambda: boat.send(boat.shop, SENDER, recipient), 40, "mail is accepted")
    wait_for(lambda: sink.to(recipient), 40, "mail arrives")


def posted(hook) -> list[str]:
    return [e["details"]["event_id"] for e in hook.events("delivery")]


# -- without space -----------------------------------------------------------

@pytest.mark.root
def test_cursors_are_saved_when_there_is_space_again(boat, sink, new_webhook):
    hook = new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url)
    passes(boat, sink, "one@sink.test")
    wait_for(lambda: len(posted(hook)) == 1, 20, "a post")
    cursors = boat.directory / "state/webhookd/cursors"
    before = wait_for(lambda: cursors.exists() and cursors.read_bytes(), 20, "saved cursors")

    boat.expect_error("cursors: cannot be written: No space left on device")
    boat.volume.leave(0)
    passes(boat, sink, "two@sink.test")
    wait_for(lambda: len(posted(hook)) == 2, 20, "posts go on")
    boat.wait_log("cursors: cannot be written: No space left on device")
    assert cursors.read_bytes() == before

    boat.volume.release()
    boat.wait_log("cursors: can be written again")
    assert boat.log_text().count("cursors: cannot be written") == 1
    kill(boat, "webhookd")
    passes(boat, sink, "three@sink.test")
    wait_for(lambda: len(set(posted(hook))) == 3, 20, "the third event")
    assert len(posted(hook)) == 3


@pytest.mark.root
@pytest.mark.parametrize("daemon", ["accountd", "signd", "resolvd", "webhookd"])
def test_daemon_that_dies_without_space_comes_back(daemon, boat, sink):
    boat.expect_error("No space left on device")
    boat.volume.leave(0)
    kill(boat, daemon)
    boat.volume.release()
    passes(boat, sink, "after@sink.test")
    wait_for(boat.ready, 40, "all are back")
    wait_for(lambda: boat.tool("pbaccount", "add", "new", check=False).code == 0, 40, "changes are taken")


@pytest.mark.root
@pytest.mark.parametrize("folder", ["state", "run"])
def test_start_without_space_is_refused_in_one_line(folder, boats, make_packetboat, name_server, keep):
    boat = volume_boat(boats, make_packetboat, name_server, folder, database_min_free="4M")
    boat.expect_error("No space left on device|master ended")
    boat.volume.leave(0)
    boat.start_unchecked()
    wait_for(lambda: not boat.server.running(), 30, "the end of the start")
    lines = (boat.directory / "out").read_text().splitlines()
    assert len(lines) == 1 and str(boat.volume.path) in lines[0] and "No space left on device" in lines[0], lines
    boat.stop()
    boat.volume.release()
    boat.start()


@pytest.mark.root
def test_first_start_with_little_space_names_the_parameter(boats, make_packetboat, name_server):
    boat = volume_boat(boats, make_packetboat, name_server, "state", database_min_free="32M")
    boat.expect_error("No space left on device|accountd")
    boat.volume.leave(16 * MB)
    boat.start_unchecked()
    wait_for(lambda: not boat.server.running(), 30, "the end of the start")
    assert "database_min_free" in (boat.directory / "out").read_text()


@pytest.mark.root
def test_start_without_space_for_mail_waits_for_it(boats, make_packetboat, name_server, keep, sink):
    boat = volume_boat(boats, make_packetboat, name_server, "spool", spool_min_free="8M")
    boat.expect_error("No space left on device")
    boat.volume.leave(0)
    keep.start(boat)
    boat.shop = boat.add_account("shop")
    boat.add_domain(boat.shop, "shop.test")
    boat.wait_log("new mail is refused: insufficient disk space")
    with pytest.raises(AssertionError, match="452"):
        boat.send(boat.shop, SENDER, "early@sink.test")
    boat.volume.release()
    passes(boat, sink, "late@sink.test")


# -- syncs that fail ---------------------------------------------------------

@pytest.fixture
def syncs(new_directory) -> FailSync:
    if not FailSync.is_possible():
        pytest.skip("a sanitizer's runtime must be preloaded first")
    return FailSync(new_directory("failsync"))


@pytest.fixture
def synced(make_packetboat, syncs, monkeypatch, keep, name_server) -> Packetboat:
    boat = make_packetboat(retry_schedule="1s", retry_jitter=0, service_throttle_time="1s")
    name_server.add(boat.HOSTNAME, "A", boat.address)
    with monkeypatch.context() as environment:
        for name, value in syncs.environment.items():
            environment.setenv(name, value)
        keep.start(boat)
    boat.shop = boat.add_account("shop")
    boat.add_domain(boat.shop, "shop.test")
    return boat


@pytest.mark.parametrize("skip", [0, 1, 4])
def test_change_whose_sync_fails_is_not_acknowledged(skip, synced, sink, syncs):
    """Accountd ends and its next process recovers: what was acknowledged is there, the rest is there or not."""
    boat = synced
    boat.expect_error("cannot be synced|accountd")
    syncs.fail("accountd", skip)
    done = {}

    def add():
        done[f"a{len(done)}"] = boat.tool("pbaccount", "add", f"a{len(done)}", check=False).code
        return syncs.failed == 1
    wait_for(add, 40, "a failed sync")
    wait_for(lambda: boat.tool("pbaccount", "list", check=False).code == 0, 40, "accountd is back")
    known = {a["name"] for a in boat.tool("pbaccount", "list", "--json").lines()}
    assert {name for name, code in done.items() if code == 0} <= known
    assert syncs.writes_after == 0
    boat.wait_log("the database cannot be synced: Input/output error")
    passes(boat, sink, "after@sink.test")


def test_key_whose_sync_fails_is_refused(synced, syncs):
    boat = synced
    boat.expect_error("Input/output error")
    syncs.fail("signd")
    refused = boat.tool("pbdomain", "add", "shop", "second.test", check=False)
    assert syncs.failed == 1
    assert refused.code == 75 and refused.err.count("\n") == 1, refused
    boat.add_domain(boat.shop, "second.test")


def test_cursors_whose_sync_fails_are_written_again(synced, sink, syncs, new_webhook):
    boat, hook = synced, new_webhook()
    boat.tool("pbhook", "add", "shop", hook.url)
    boat.expect_error("cursors: cannot be written: Input/output error")
    syncs.fail("webhookd", count=3)
    passes(boat, sink, "one@sink.test")
    boat.wait_log("cursors: cannot be written: Input/output error")
    boat.wait_log("cursors: can be written again")
    kill(boat, "webhookd")
    passes(boat, sink, "two@sink.test")
    wait_for(lambda: len(set(posted(hook))) == 2, 20, "the second event")
    assert len(posted(hook)) == 2


def test_notification_whose_sync_fails_is_written_again(synced, new_sink, syncs):
    boat, home = synced, new_sink("shop.test")
    new_sink().on("RCPT", "550 5.1.1 who?")
    boat.tool("pbaccount", "set", "shop", "sender=plain")
    syncs.fail("bouncer")
    boat.send(boat.shop, SENDER, "nobody@sink.test")
    boat.wait_log("not written: Input/output error")
    kill(boat, "qmgr")  # it would try again in a minute; what it owes is in its journal
    home.wait_messages(1, 60)
    boat.wait_queue_empty()
    assert len(home.messages) == 1
    assert syncs.writes_after == 0


def test_file_that_master_cannot_sync_is_made_again(synced, sink, syncs):
    """A new segment has no name that is durable: nobody is told 250 until it has one."""
    boat = synced
    boat.expect_error("Input/output error")
    syncs.fail("master", count=3)
    kill(boat, "smtpd")
    wait_for(lambda: syncs.failed == 3, 40, "failed syncs")
    passes(boat, sink, "after@sink.test")
