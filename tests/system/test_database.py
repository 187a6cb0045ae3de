"""accountd's database: killed while it changes, copied while it changes, put back elsewhere, without space."""

import collections
import json
import os
import random
import signal

import pytest

from lib.changes import Changes, check
from lib.dkimcheck import verified
from lib.load import Book, Load
from lib.packetboat import Packetboat
from lib.volume import MB, Volume
from lib.wait import wait_for

KILLS = 5


@pytest.fixture
def receiver(new_sink):
    return new_sink(tls=False)


def relay(make, **parameters):
    return make(mynetworks="127.0.0.0/8", mynetworks_account="relay", retry_schedule="1s", retry_jitter=0, **parameters)


def kill(boat: Packetboat):
    """accountd ends at once, if it is not away already."""
    for pid in boat.pids("accountd"):
        os.kill(pid, signal.SIGKILL)


def wait_back(boat):
    wait_for(lambda: boat.tool("pbaccount", "list", check=False).code == 0, 40, "accountd is back")


@pytest.mark.deadline(240)
def test_killed_at_any_moment_keeps_every_acknowledged_change(new_packetboat, receiver):
    """Checkpoints and log files are many and small here, so that kills fall into them, too."""
    dice = random.Random(4711)
    boat = relay(new_packetboat, database_checkpoint_size="1M", database_checkpoint_time="10s")
    boat.add_account("relay", unsigned="allow")
    load = Load(boat, 100_000, clients=2, pause=0.02)
    book = Book(receiver, loads=[load])
    load.start()
    changes = Changes(boat).start()
    for _ in range(KILLS):
        changes.wait(changes.steps() + dice.randrange(3, 12))
        kill(boat)
    changes.wait(changes.steps() + 5)
    changes.stop()
    load.stop()
    wait_back(boat)
    print(f"{changes.steps()} changes acknowledged, {len(changes.failures)} not; {len(load.acknowledged)} messages")
    check(boat, changes.snapshot())
    for done in changes.snapshot().values():
        if "key" in done:
            key = json.loads(done["key"])
            with boat.connect() as smtp:
                smtp.starttls(context=boat.tls_context())
                smtp.login(key["username"], key["password"])
    book.wait_arrived()
    assert book.altered() == [] and book.duplicates() == {}


@pytest.mark.deadline(240)
def test_every_event_is_booked_once_although_accountd_is_killed(new_packetboat, receiver):
    """The tallies, the ledger and the lists are compared with the journal: cursor and counts are one transaction."""
    dice = random.Random(42)
    boat = relay(new_packetboat)
    # A quota of its own: so many bounces would move it, and mail would wait for the next hour.
    boat.add_account("relay", unsigned="allow", quota=1000000)
    receiver.on("RCPT", "550 5.1.1 no such user", arg="bad-plain")
    load = Load(boat, 600, clients=4, pause=0.005)
    bad = Load(boat, 60, clients=1, sender="bad@relay.test")
    load.start(), bad.start()
    for _ in range(KILLS):
        load.wait(len(load.acknowledged) + dice.randrange(20, 80))
        kill(boat)
    load.wait(deadline=90)
    bad.wait(deadline=90)
    boat.wait_queue_empty(60)
    wait_back(boat)

    events = collections.Counter(e["kind"] for e in boat.events())
    want = {"sent": events["accepted"], "delivered": events["delivery"], "bounces": events["bounce"]}
    assert want["sent"] >= len(load.acknowledged) + len(bad.acknowledged) and want["bounces"] >= 60

    def counted():
        shown = boat.tool("pbaccount", "show", "--json", "relay").json()["statistics"]
        return {name: shown[name]["total"] for name in want}
    wait_for(lambda: counted() == want, 40, f"counts as in the journal: {want}; there are {counted()}")
    *lines, _ = boat.tool("pbaccount", "why", "--json", "relay").lines()
    assert sum(line["count"] for line in lines if line["entry"].startswith("bounce")) == want["bounces"], lines
    listed = boat.tool("pbsuppress", "list", "--json", "relay").lines()
    assert len(listed) == want["bounces"] and {e["count"] for e in listed} == {1}


# -- backup and restore ------------------------------------------------------

@pytest.mark.both_users
@pytest.mark.deadline(240)
def test_backup_under_changes_is_restored_elsewhere(new_packetboat, make_packetboat, keep, receiver, name_server):
    boat = new_packetboat(database_checkpoint_size="1M", database_checkpoint_time="10s")
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    boat.send(shop, "orders@shop.test", "first@sink.test")
    wait_for(lambda: statistics(boat, "sent") == 1, 20, "the message is counted")
    changes = Changes(boat).start()
    changes.wait(20)
    before = changes.snapshot()
    boat.tool("packetboat", "backup", boat.directory / "backup", timeout=90)
    changes.wait(changes.steps() + 5)
    changes.stop()
    copy = boat.directory / "backup"
    assert {p.name for p in copy.iterdir()} == {"accountd", "signd", "config", "contents"}
    assert all(p.stat().st_mode & 0o077 == 0 for p in (copy, *copy.rglob("*")))
    assert not (boat.directory / "state/accountd/backup").exists()
    assert "is not empty" in boat.tool("packetboat", "backup", copy, check=False).err
    boat.wait_queue_empty()

    other = make_packetboat()
    other.tool("packetboat", "restore", copy)
    refused = other.tool("packetboat", "restore", copy, check=False)
    assert refused.code == 73 and "move it away first" in refused.err
    other.parameters["bounce_domain"] = "other.packetboat.test"
    name_server.add(other.HOSTNAME, "A", other.address)
    keep.start(other)
    assert "running" in other.tool("packetboat", "restore", copy, check=False).err
    check(other, before)
    other.send(shop, "orders@shop.test", "second@sink.test")
    message = wait_for(lambda: receiver.to("second@sink.test"), 30, "mail of the restored instance")[0]
    assert [t["d"] for t in verified(message.data, name_server)] == ["shop.test", "shop.test"]
    # Its journal is a new one: the first message counts as it did at the backup, this one once.
    wait_for(lambda: statistics(other, "sent") == 2, 30, "the new message is counted")


def statistics(boat, counter):
    return boat.tool("pbaccount", "show", "--json", "shop").json()["statistics"][counter]["total"]


@pytest.mark.both_users
def test_backup_of_a_stopped_instance_and_damage(packetboat, account, make_packetboat):
    copy = packetboat.directory / "backup"
    packetboat.stop()
    packetboat.tool("packetboat", "backup", copy)
    packetboat.start()
    other = make_packetboat()
    database = copy / "accountd/packetboat.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    damaged = other.tool("packetboat", "restore", copy, check=False)
    assert damaged.code == 65 and "packetboat.db" in damaged.err and "nothing was restored" in damaged.err
    assert not (other.directory / "state/accountd").exists()
    database.write_bytes(whole)
    contents = (copy / "contents").read_text()
    (copy / "contents").write_text(contents.replace("end\n", ""))
    assert other.tool("packetboat", "restore", copy, check=False).code == 65
    (copy / "contents").unlink()
    assert other.tool("packetboat", "restore", copy, check=False).code == 66
    (copy / "contents").write_text(contents.replace("accountd/", "../accountd/"))
    assert other.tool("packetboat", "restore", copy, check=False).code == 65


@pytest.mark.root
def test_restored_files_belong_to_their_daemons(make_packetboat, keep, name_server):
    first, second = make_packetboat(mode="root"), make_packetboat(mode="root")
    name_server.add(first.HOSTNAME, "A", first.address)
    keep.start(first)
    first.add_domain(first.add_account("shop"), "shop.test")
    copy = first.directory / "backup"
    first.tool("packetboat", "backup", copy)
    second.tool("packetboat", "restore", copy)
    for path in (first.directory / "state").rglob("*"):
        other = second.directory / path.relative_to(first.directory)
        if path.parts[-2] == "signd" or path.name == "packetboat.db":
            assert (other.owner(), other.stat().st_mode) == (path.owner(), path.stat().st_mode), path
    keep.start(second)
    assert second.domain("shop", "shop.test")["status"] == "verified"


# -- without space -----------------------------------------------------------

@pytest.mark.root
@pytest.mark.parametrize("left", [MB, 0])
def test_verdicts_go_on_without_space_for_the_database(left, make_packetboat, keep, receiver, name_server):
    boat = make_packetboat(database_min_free="8M")
    boat.volume = Volume(boat.directory / "state")
    boat.volume.mount("-t", "tmpfs", "-o", "size=64M", "none")
    try:
        boat.give_away()
        name_server.add(boat.HOSTNAME, "A", boat.address)
        keep.start(boat)
        shop = boat.add_account("shop")
        boat.add_domain(shop, "shop.test")
        boat.tool("pbsuppress", "add", "shop", "never@sink.test")
        boat.volume.leave(left)
        refused = boat.tool("pbaccount", "add", "later", check=False)
        assert refused.code == 75 and "database_min_free" in refused.err, refused
        boat.wait_log("the database takes no changes")
        boat.send(shop, "orders@shop.test", ["bob@sink.test", "never@sink.test"])
        wait_for(lambda: receiver.to("bob@sink.test"), 20, "mail goes on")
        assert not receiver.to("never@sink.test")
        boat.volume.release()
        wait_for(lambda: boat.tool("pbaccount", "add", "later", check=False).code == 0, 20, "changes are taken again")
        wait_for(lambda: statistics(boat, "delivered") == 1, 20, "what happened meanwhile is counted")
        assert boat.log_text().count("the database takes no changes") == 1
        boat.kill("accountd")
        wait_back(boat)
        wait_for(lambda: statistics(boat, "delivered") == 1, 20, "once, as it was")
    finally:
        boat.stop()
        boat.volume.unmount()
