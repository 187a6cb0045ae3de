"""A daemon killed with signal 9 under load loses nothing, repeats what it must, and comes back by itself.

PB_KILL_MESSAGES=100000 PB_KILLS=100 makes load and deaths as many as they should be now and then.
"""

import os
import random
import signal
import time

import pytest

from lib.load import Book, Load
from lib.process import children, gone, start_time
from lib.sink import Delay
from lib.wait import wait_for

MESSAGES = int(os.environ.get("PB_KILL_MESSAGES", "2000"))
KILLS = int(os.environ.get("PB_KILLS", "3"))
# Seconds for all of them on a busy machine.
PATIENCE = 40 + MESSAGES // 50
pytestmark = pytest.mark.deadline(120 + 3 * MESSAGES // 50)
# smtp_destination_concurrency_limit: so many deliveries are under way at most.
CONCURRENCY = 20
# Each connection has its next job at hand. Without qmgr deliver finishes both and is left with two results.
JOBS = 2 * CONCURRENCY


@pytest.fixture
def receiver(new_sink):
    """Thinks for a moment about each message, so that some are always between dot and reply."""
    sink = new_sink(tls=False)
    sink.on("EOD", Delay(0.02))
    return sink


@pytest.fixture
def boat(new_packetboat):
    return relay(new_packetboat)


def relay(new_packetboat, **parameters):
    """An instance that takes mail from this machine without AUTH, and a signed account."""
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay",
                          smtp_destination_concurrency_limit=CONCURRENCY, smtp_connection_idle_time="1s",
                          retry_schedule="1s", retry_jitter=0, service_throttle_time="1s", **parameters)
    boat.add_account("relay", unsigned="allow")
    return boat


def moments(kills: int) -> list[int]:
    """Numbers of acknowledged messages to kill at: early, in the middle, near the end, and never quite the same."""
    return [MESSAGES * (4 * n + random.randrange(1, 4)) // (4 * kills + 1) for n in range(kills)]


def kill_and_wait(boat, daemon: str):
    """Kills the daemon's processes, and waits until master has put others in their place."""
    before = [(pid, start_time(pid)) for pid in wait_for(lambda: boat.pids(daemon), 10, f"a process {daemon}")]
    for pid, _ in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(map(gone, before)) and len(boat.pids(daemon)) == len(before), 10, f"a new {daemon}")


def delivery_counts(boat) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in boat.events("delivery"):
        counts[event["message_id"]] = counts.get(event["message_id"], 0) + 1
    return counts


@pytest.mark.parametrize("daemon", ["smtpd", "qmgr", "deliver", "accountd", "signd", "resolvd", "bouncer", "webhookd"])
def test_killed_daemon_loses_nothing(daemon, boat, receiver, new_webhook):
    hook = new_webhook()
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    boat.tool("pbhook", "add", "relay", hook.url)
    plain = Load(boat, MESSAGES * 9 // 10)
    signed = Load(boat, MESSAGES // 10, clients=2, account=shop, sender="orders@shop.test")
    book = Book(receiver, loads=[plain, signed])
    plain.start(), signed.start()

    for count in moments(KILLS):
        plain.wait(count * 9 // 10, PATIENCE)
        kill_and_wait(boat, daemon)
    plain.wait(deadline=PATIENCE)
    signed.wait(deadline=PATIENCE)
    book.wait_arrived(PATIENCE)

    duplicates = book.duplicates()
    print(f"{daemon}: {len(duplicates)} duplicates; failures: {dict(plain.replies() + signed.replies())}")
    assert book.altered() == []
    assert book.unknown() == set()
    if daemon == "deliver":
        assert sum(duplicates.values()) <= CONCURRENCY * KILLS
    else:
        assert duplicates == {}
    if daemon != "smtpd":
        assert plain.replies() == signed.replies() == {}  # clients notice nothing

    # Each acknowledged message has its event, under one id however often it was posted.
    mine = {uuid for name, uuid in plain.acknowledged.items()}

    def told():
        return mine - {e["message_id"] for e in hook.events("delivery")}
    wait_for(lambda: not told(), PATIENCE, "a delivery event for each message at the endpoint")
    ids: dict[str, set[str]] = {}
    for event in hook.events("delivery"):
        ids.setdefault(event["message_id"], set()).add(event["details"]["event_id"])
    assert [m for m in mine if len(ids[m]) != 1] == []

    # By itself: nobody did anything, and the next message goes through.
    wait_for(boat.ready, 20, f"{daemon} is back")
    boat.send(shop, "orders@shop.test", "later@sink.test")
    wait_for(lambda: receiver.to("later@sink.test"), 20, "a message after all")


def test_any_daemon_killed_at_random_moments_loses_nothing(boat, receiver):
    """A ledger of accepted against delivered, while one after the other dies."""
    load = Load(boat, MESSAGES)
    book = Book(receiver, loads=[load])
    load.start()
    killed = []
    for count in moments(KILLS + 1):
        load.wait(count, PATIENCE)
        daemon = random.choice(boat.DAEMONS)
        for pid in boat.pids(daemon):  # it may be away, as master waits longer each time
            os.kill(pid, signal.SIGKILL)
            killed.append(daemon)
    load.wait(deadline=PATIENCE)
    book.wait_arrived(PATIENCE)
    duplicates = book.duplicates()
    print(f"killed: {killed}; {len(load.acknowledged)} acknowledged, {len(duplicates)} duplicates; "
          f"failures: {dict(load.replies())}")
    assert book.altered() == []
    assert book.unknown() == set()
    # Who dies while qmgr is away takes more results along; it comes back within some of these moments.
    deaths = [i for i, daemon in enumerate(killed) if daemon == "deliver"]
    assert sum(duplicates.values()) <= sum(JOBS if "qmgr" in killed[max(0, i - 3):i] else CONCURRENCY for i in deaths)
    boat.wait_queue_empty(PATIENCE)


@pytest.mark.parametrize("pause", [0, 0.3])
def test_qmgr_and_deliver_killed_together_repeat_two_deliveries_a_connection(pause, boat, receiver):
    load = Load(boat, MESSAGES)
    book = Book(receiver, loads=[load])
    load.start()
    for count in moments(KILLS):
        load.wait(count, PATIENCE)
        wait_for(lambda: boat.pids("qmgr") and boat.pids("deliver"), 10, "both")
        boat.kill("qmgr")
        time.sleep(pause)  # in which deliver goes on with what it has
        boat.kill("deliver")
    load.wait(deadline=PATIENCE)
    book.wait_arrived(PATIENCE)
    duplicates = book.duplicates()
    print(f"qmgr and deliver: {len(duplicates)} duplicates")
    assert book.altered() == []
    assert book.unknown() == set()
    assert sum(duplicates.values()) <= JOBS * KILLS
    boat.wait_queue_empty(PATIENCE)


# -- everything at once ----------------------------------------------------

@pytest.mark.parametrize("acknowledged, received", [(300, 0), (1500, 0), (0, 300), (0, 1500)])
def test_all_killed_and_started_again_loses_nothing(acknowledged, received, boat, receiver):
    load = Load(boat, MESSAGES)
    book = Book(receiver, loads=[load])
    load.start()
    wait_for(lambda: len(load.acknowledged) >= acknowledged and len(receiver.received) >= received, 30, "the moment",
             pause=0.001)
    boat.kill_all()
    finished = {e["message_id"] for e in boat.events("delivery")}
    arrived = book.arrived()
    before = sum(arrived.values())
    boat.start()
    load.wait(deadline=PATIENCE)
    book.wait_arrived(PATIENCE)

    duplicates = book.duplicates()
    print(f"{len(arrived)} arrived before, {len(finished)} deliveries in the journal, {len(duplicates)} duplicates; "
          f"failures: {dict(load.replies())}")
    assert book.altered() == []
    assert book.unknown() == set()
    # What the journal knew is not repeated; the rest is what was under way or had just been.
    uuids = book.acknowledged()
    assert [name for name in duplicates if uuids.get(name) in finished] == []
    assert max(duplicates.values(), default=1) == 1
    assert sum(duplicates.values()) <= before - len(finished)


def test_master_killed_alone_ends_the_daemons(boat, receiver):
    """Orphans would hold the ports and the spool against the next start."""
    family = [(pid, start_time(pid)) for pid in children(boat.master_pid)]
    os.kill(boat.master_pid, signal.SIGKILL)
    boat.server.process.wait(10)
    boat.server = None
    wait_for(lambda: all(map(gone, family)), 10, "the end of all daemons")
    boat.start()


def test_master_killed_under_load_loses_nothing(boat, receiver):
    """The daemons end by themselves and finish nothing: what was under way may be repeated."""
    load = Load(boat, MESSAGES)
    book = Book(receiver, loads=[load])
    load.start()
    kills = max(2, KILLS // 10)
    for count in moments(kills):
        load.wait(count, PATIENCE)
        family = [(pid, start_time(pid)) for pid in children(boat.master_pid)]
        os.kill(boat.master_pid, signal.SIGKILL)
        boat.server.process.wait(10)
        boat.server = None
        wait_for(lambda: all(map(gone, family)), 10, "the end of all daemons")
        boat.start()
    load.wait(deadline=PATIENCE)
    book.wait_arrived(PATIENCE)
    duplicates = book.duplicates()
    print(f"master: {kills} kills, {len(duplicates)} duplicates; failures: {dict(load.replies())}")
    assert book.altered() == []
    assert book.unknown() == set()
    assert sum(duplicates.values()) <= JOBS * kills  # deliver may outlive qmgr
    boat.wait_queue_empty(PATIENCE)


def test_stop_while_qmgr_waits_for_its_restart(boat, receiver):
    """A qmgr is started for the results that deliver still holds, and nobody waits in vain."""
    receiver.normal()
    receiver.on("EOD", Delay(3))
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    boat.send(shop, "orders@shop.test", "slow@sink.test")
    wait_for(lambda: receiver.received, 20, "the delivery to be under way")
    # The second death is too early for another start at once.
    kill_and_wait(boat, "qmgr")
    boat.kill("qmgr")
    wait_for(lambda: not boat.pids("qmgr"), 10, "qmgr to wait for its restart")
    boat.stop()
    assert "does not end" not in boat.log_text()
    assert "drain_time is over" not in boat.log_text()
    boat.start()
    boat.wait_queue_empty()
    assert len(receiver.received) == 1


def test_qmgr_is_killed_while_the_suite_stops(boat, receiver):
    """It is started once more for what deliver has to tell; the stop neither waits in vain nor repeats the mail."""
    receiver.normal()
    receiver.on("EOD", Delay(5))
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    boat.send(shop, "orders@shop.test", "slow@sink.test")
    wait_for(lambda: receiver.received, 20, "the delivery to be under way")
    os.kill(boat.master_pid, signal.SIGTERM)
    # smtpd is the first to end.
    wait_for(lambda: not boat.pids("smtpd"), 10, "the stop to be under way")
    kill_and_wait(boat, "qmgr")
    boat.stop()
    assert "does not end" not in boat.log_text()
    assert "drain_time is over" not in boat.log_text()
    boat.start()
    boat.wait_queue_empty()
    assert len(receiver.received) == 1


def due_times(boat) -> dict:
    """Of each recipient in the queue: how often it was tried and when it is next."""
    return {r["address"]: (r["attempts"], r["next_try"]) for m in boat.queue_json() for r in m["recipients"]}


def test_deferred_mail_keeps_its_attempts_and_times(new_packetboat, receiver):
    boat = relay(new_packetboat)
    boat.stop()
    boat.write_config(retry_schedule="1s 1h")
    boat.start()
    refusal = receiver.on("RCPT", "451 4.2.0 later")
    load = Load(boat, 50)
    book = Book(receiver, loads=[load])
    load.start().wait()
    wait_for(lambda: [a for a, _ in due_times(boat).values()] == [2] * len(load.acknowledged), 20,
             "two attempts for each")
    before = due_times(boat)
    boat.kill_all()
    boat.start()
    assert due_times(boat) == before
    receiver.rules.remove(refusal)
    boat.tool("pbqueue", "retry", "ALL")
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.duplicates() == {}
