"""Reloads under load: all is replaced, nothing is lost or doubled, and clients hear at most 421."""

import contextlib
import os
import re
import signal
import socket

import pytest

from lib.load import Book, Load, Submitter
from lib.packetboat import Packetboat
from lib.process import children
from lib.sink import Delay
from lib.wait import wait_for

RELOADS = 10


@pytest.fixture
def receiver(new_sink):
    sink = new_sink(tls=False)
    sink.on("EOD", Delay(0.01))
    return sink


@pytest.fixture
def new_boat(new_packetboat):
    def make(**parameters) -> Packetboat:
        boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", retry_schedule="1s",
                              retry_jitter=0, **parameters)
        boat.add_account("relay", unsigned="allow")
        return boat
    return make


def generation(boat) -> set[int]:
    return set(children(boat.master_pid))


def reloads_done(boat) -> int:
    return len(re.findall(r"reload is complete", boat.log_text()))


def reload_and_wait(boat):
    """Until none of the processes of before serves any more."""
    before, done = generation(boat), reloads_done(boat)
    boat.tool("packetboat", "reload")
    wait_for(lambda: reloads_done(boat) > done, 30, "reload is complete")
    wait_for(lambda: not before & generation(boat) and boat.ready(), 40, "other processes")


def check(boat, loads: list[Load], receiver):
    book = Book(receiver, loads=loads)
    book.wait_arrived()
    boat.wait_queue_empty()
    assert book.duplicates() == {}
    assert book.altered() == []
    assert book.unknown() == set()


@pytest.mark.both_users
def test_reloads_under_load_lose_nothing(new_boat, receiver, new_webhook):
    boat = new_boat()
    hook = new_webhook()
    boat.tool("pbhook", "add", "relay", hook.url)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    plain = Load(boat, 1 << 30, pause=0.01)
    signed = Load(boat, 1 << 30, clients=2, account=shop, sender="orders@shop.test", pause=0.01)
    plain.start(), signed.start()
    for _ in range(RELOADS):
        before = len(plain.acknowledged), len(signed.acknowledged)
        reload_and_wait(boat)
        wait_for(lambda: len(plain.acknowledged) > before[0] and len(signed.acknowledged) > before[1], 20,
                 "mail after the reload")
    plain.stop(), signed.stop()
    print(f"{len(plain.acknowledged) + len(signed.acknowledged)} messages; {dict(plain.replies() + signed.replies())}")
    assert set(plain.replies() + signed.replies()) <= {"421 4.3.2"}
    check(boat, [plain, signed], receiver)
    wanted = set(plain.acknowledged.values())
    wait_for(lambda: wanted <= {e["message_id"] for e in hook.events("delivery")}, 20, "all delivery events")


def test_reloads_in_a_row_end_in_one_generation(new_boat, receiver):
    """Not waited for: each reload begins while the one before goes on."""
    boat = new_boat()
    load = Load(boat, 1 << 30, pause=0.01)
    load.start()
    load.wait(20)
    before = generation(boat)
    for _ in range(RELOADS):
        boat.tool("packetboat", "reload")
    wait_for(lambda: not before & generation(boat) and len(generation(boat)) == len(boat.DAEMONS) and boat.ready(), 40,
             "one process of each daemon")
    load.wait(len(load.acknowledged) + 50)
    load.stop()
    assert set(load.replies()) <= {"421 4.3.2"}
    check(boat, [load], receiver)


def test_reload_takes_new_values(new_boat, receiver):
    boat = new_boat()
    boat.write_config(smtpd_banner="$myhostname ESMTP second", smtpd_processes=2)
    reload_and_wait(boat)
    with socket.create_connection((boat.address, boat.submission_port), timeout=20) as client:
        assert client.makefile("rb").readline().endswith(b"ESMTP second\r\n")
    assert len(boat.pids("smtpd")) == 2


def test_bad_configuration_is_refused_and_the_old_one_stays(new_boat, receiver):
    boat = new_boat()
    load = Load(boat, 1 << 30, clients=2, pause=0.01)
    load.start()
    load.wait(20)
    before = generation(boat)
    good = (boat.directory / "packetboat.cf").read_text()
    boat.write_config(extra="myhostnam = x\n")
    result = boat.tool("packetboat", "reload", check=False)
    assert result.code != 0
    assert "packetboat.cf" in result.err and "myhostname" in result.err

    # Past the tool: the signal itself.
    boat.expect_error("reload refused")
    os.kill(boat.master_pid, signal.SIGHUP)
    boat.wait_log("reload refused, the old configuration stays: .*packetboat.cf")
    load.wait(len(load.acknowledged) + 50)
    assert generation(boat) == before

    (boat.directory / "packetboat.cf").write_text(good)
    reload_and_wait(boat)
    load.wait(len(load.acknowledged) + 50)
    load.stop()
    assert set(load.replies()) <= {"421 4.3.2"}
    check(boat, [load], receiver)


def test_daemon_killed_in_the_middle_of_a_reload(new_boat, receiver):
    boat = new_boat()
    load = Load(boat, 1 << 30, pause=0.01)
    load.start()
    for daemon in ("qmgr", "resolvd", "accountd"):
        load.wait(len(load.acknowledged) + 50)
        boat.tool("packetboat", "reload")
        for pid in wait_for(lambda: boat.pids(daemon), 10, daemon):
            with contextlib.suppress(ProcessLookupError):  # the reload was faster
                os.kill(pid, signal.SIGKILL)
        wait_for(boat.ready, 30, "all are back")
    load.stop()
    check(boat, [load], receiver)


def test_qmgr_killed_while_deliver_ends_repeats_nothing(new_boat, receiver):
    """What deliver still has under way when it is replaced goes to the qmgr that comes then."""
    boat = new_boat()
    receiver.normal()
    receiver.on("EOD", Delay(3))
    with contextlib.closing(Submitter(boat)) as client:
        for n in range(5):
            client.submit("app@client.test", f"user-{n}@sink.test", b"From: app@client.test\r\n\r\n")
    wait_for(lambda: len(receiver.received) == 5, 20, "all are sent, none is answered")
    old = set(boat.pids("deliver"))
    boat.tool("packetboat", "reload")
    wait_for(lambda: re.search(r"deliver.*draining", boat.tool("packetboat", "status", check=False).out), 20,
             "deliver is told to end")
    boat.kill("qmgr")
    boat.wait_queue_empty()
    wait_for(lambda: not old & set(boat.pids("deliver")) and boat.ready(), 40, "another deliver")
    assert len(receiver.received) == 5
