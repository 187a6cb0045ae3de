"""The queue: pbqueue and pbcat, and a queue manager that dies and comes back."""

import random
import time

import pytest

from lib.sink import Delay
from lib.wait import wait_for

SENDER = "orders@shop.test"


@pytest.fixture
def boat(new_packetboat):
    return new_packetboat()


@pytest.fixture
def shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


@pytest.fixture
def busy(boat, shop, new_sink):
    """A receiver that takes nothing for now."""
    receiver = new_sink("busy.test")
    receiver.on("RCPT", "450 4.2.0 mailbox is busy")
    return receiver


def queue_one(boat, account, recipients="bob@busy.test", **options) -> str:
    """Sends a message and waits until it is deferred."""
    message_id = boat.send(account, SENDER, recipients, **options)
    boat.wait_event("deferral", message_id=message_id)
    return message_id


def state(boat, message_id) -> set[str]:
    return {r["state"] for m in boat.queue_json() if m["queue_id"] == message_id for r in m["recipients"]}


# -- looking ---------------------------------------------------------------

def test_empty_queue_is_told_as_postfix_tells_it(boat):
    assert boat.tool("pbqueue", "-p").out == "Mail queue is empty\n"
    assert boat.tool("pbqueue", "-j").out == ""


def test_listing_has_the_shape_of_postqueue(boat, shop, busy):
    message_id = queue_one(boat, shop)
    lines = boat.queue_text().splitlines()
    assert lines[0].startswith("-Queue ID-")
    assert lines[1].split()[0].rstrip("*!") == message_id
    assert lines[1].endswith(SENDER)
    assert "(" in lines[2] and "mailbox is busy" in lines[2]
    assert lines[3].strip() == "bob@busy.test"
    assert lines[-1].startswith("-- ") and lines[-1].endswith("in 1 Request.")


def test_json_listing_has_the_names_of_postqueue_and_more(boat, shop, busy):
    message_id = queue_one(boat, shop, subject="an order")
    (message,) = boat.queue_json()
    assert message["queue_id"] == message_id
    assert message["queue_name"] == "deferred"
    assert message["sender"] == SENDER
    assert message["message_size"] > 0
    assert abs(message["arrival_time"] - time.time()) < 60
    assert message["forced_expire"] is False
    assert message["account"] == "shop"
    assert message["subject"] == "an order"
    (recipient,) = message["recipients"]
    assert recipient["address"] == "bob@busy.test"
    assert "mailbox is busy" in recipient["delay_reason"]
    assert recipient["attempts"] == 1
    assert recipient["next_try"] > time.time()
    assert recipient["domain"] == "busy.test"


def test_sites_show_where_mail_waits(boat, shop, busy):
    queue_one(boat, shop)
    sites = boat.tool("pbqueue", "--json", "sites").lines()
    assert any(s.get("site") for s in sites)
    assert boat.tool("pbqueue", "sites").out.startswith("-Site-")


def test_without_a_running_suite_the_tool_says_so(boat):
    boat.stop()
    result = boat.tool("pbqueue", "-p", check=False)
    assert result.code == 69
    assert result.err == "pbqueue: the mail system is down\n"


# -- changing --------------------------------------------------------------

def test_held_mail_waits_until_it_is_released(boat, shop, busy):
    message_id = queue_one(boat, shop)
    boat.tool("pbqueue", "hold", message_id)
    assert state(boat, message_id) == {"held"}
    assert boat.queue_json()[0]["queue_name"] == "hold"
    busy.rules.clear()
    boat.tool("pbqueue", "retry", "ALL")
    time.sleep(0.5)
    assert busy.messages == []
    boat.tool("pbqueue", "release", message_id)
    busy.wait_messages()
    boat.wait_queue_empty()


def test_retry_does_not_wait_for_the_schedule(boat, shop, busy):
    message_id = queue_one(boat, shop)
    busy.rules.clear()
    result = boat.tool("pbqueue", "retry", message_id)
    assert "1 recipient" in result.err
    busy.wait_messages()
    boat.wait_queue_empty()


def test_deleted_mail_is_gone_and_has_its_final_event(boat, shop, busy):
    message_id = queue_one(boat, shop, ["ann@busy.test", "bob@busy.test"])
    boat.tool("pbqueue", "delete", message_id)
    assert boat.queue_json() == []
    events = boat.events("deleted", message_id=message_id)
    assert sorted(e["recipient"] for e in events) == ["ann@busy.test", "bob@busy.test"]


def test_ids_come_from_standard_input(boat, shop, busy):
    ids = [queue_one(boat, shop) for _ in range(3)]
    boat.tool("pbqueue", "delete", "-", input=f"{ids[0]}\n{ids[2]}\n")
    assert [m["queue_id"] for m in boat.queue_json()] == [ids[1]]


def test_all_must_be_typed_in_capitals(boat, shop, busy):
    queue_one(boat, shop)
    assert boat.tool("pbqueue", "delete", "all", check=False).code == 64
    assert len(boat.queue_json()) == 1
    boat.tool("pbqueue", "delete", "ALL")
    assert boat.queue_json() == []


@pytest.mark.parametrize("selector", [
    ("--domain", "busy.test"), ("--recipient", "ann@busy.test"), ("--sender", SENDER), ("--account", "shop"),
    ("--account", "shop", "--domain", "BUSY.test", "--recipient", "ANN@busy.test")])
def test_selectors_choose_recipients(selector, boat, shop, busy, new_sink):
    new_sink("slow.test").on("RCPT", "450 4.2.0 slow")
    queue_one(boat, shop, ["ann@busy.test", "bob@slow.test"])
    wait_for(lambda: len(boat.events("deferral")) == 2, 20, "two deferrals")
    boat.tool("pbqueue", "hold", *selector)
    (message,) = boat.queue_json()
    held = {r["address"] for r in message["recipients"] if r["state"] == "held"}
    everything = {"ann@busy.test", "bob@slow.test"}
    assert held == (everything if selector[0] in ("--sender", "--account") and len(selector) == 2 else {"ann@busy.test"})
    listed = {r["address"] for m in boat.tool("pbqueue", "-j", *selector).lines() for r in m["recipients"]}
    assert listed == held


def test_unknown_ids_and_accounts_are_errors(boat, shop, busy):
    message_id = queue_one(boat, shop)
    stranger = "01a202e9-07fc-7000-8000-040000000000"
    result = boat.tool("pbqueue", "delete", stranger, check=False)
    assert result.code == 66 and "not in the queue" in result.err
    assert boat.tool("pbqueue", "hold", "--account", "nobody", check=False).code == 67
    result = boat.tool("pbqueue", "hold", stranger, message_id)
    assert state(boat, message_id) == {"held"}


# -- pbcat -----------------------------------------------------------------

@pytest.mark.both_users
def test_pbcat_shows_envelope_header_and_body(boat, shop, busy):
    message_id = queue_one(boat, shop, subject="seen by pbcat")
    everything = boat.tool("pbcat", message_id).out
    assert f"sender: {SENDER}" in everything and "recipient: bob@busy.test" in everything
    assert "Subject: seen by pbcat" in everything and "\n\nHello.\n" in everything
    assert "\r" not in everything
    assert "Subject" not in boat.tool("pbcat", "-e", message_id).out
    header = boat.tool("pbcat", "-h", message_id).out
    assert "Subject: seen by pbcat\n" in header and "Hello." not in header
    assert boat.tool("pbcat", "-b", message_id).out == "Hello.\n"
    both = boat.tool("pbcat", "-hb", message_id).out
    assert both.endswith("\n\nHello.\n")
    as_json = boat.tool("pbcat", "--json", message_id).json()
    assert as_json["body"] == "Hello.\n" and "Subject" in as_json["header"]
    assert as_json["envelope"]["message_id"] == message_id


def test_pbcat_takes_stuffed_dots_away(boat, shop, busy):
    body = ".\r\n..two\r\n.one\r\nend.\r\n"
    message = f"From: {SENDER}\r\nTo: bob@busy.test\r\nSubject: dots\r\n\r\n{body}"
    message_id = queue_one(boat, shop, message=message)
    assert boat.tool("pbcat", "-b", message_id).out == body.replace("\r\n", "\n")


@pytest.mark.both_users
def test_pbcat_reads_a_large_message(boat, shop, busy):
    body = "".join(f"line {i} of a long message\r\n" for i in range(20000))
    message = f"From: {SENDER}\r\nTo: bob@busy.test\r\nSubject: large\r\n\r\n{body}"
    message_id = queue_one(boat, shop, message=message)
    assert boat.tool("pbcat", "-b", message_id).out == body.replace("\r\n", "\n")
    boat.tool("pbqueue", "delete", "ALL")
    wait_for(lambda: list((boat.directory / "spool/big").iterdir()) == [], 10, "no large file left")


def test_pbcat_needs_no_running_suite(boat, shop, busy):
    message_id = queue_one(boat, shop)
    boat.stop()
    assert boat.tool("pbcat", "-b", message_id).out == "Hello.\n"
    assert boat.tool("pbcat", "01a202e9-07fc-7000-8000-040000000000", check=False).code == 66
    assert boat.tool("pbcat", "nonsense", check=False).code == 65


# -- dying -----------------------------------------------------------------

@pytest.mark.both_users
def test_a_restart_keeps_what_is_queued(boat, shop, busy):
    ids = [queue_one(boat, shop) for _ in range(3)]
    boat.tool("pbqueue", "hold", ids[0])
    before = boat.queue_json()
    boat.restart()
    after = wait_for(lambda: q if len(q := boat.queue_json()) == 3 else None, 10, "the queue")
    assert [m["queue_id"] for m in after] == [m["queue_id"] for m in before]
    assert [m["recipients"] for m in after] == [m["recipients"] for m in before]


def test_killing_qmgr_during_a_delivery_repeats_none(boat, shop, sink):
    sink.on("EOD", Delay(3))
    message_id = boat.send(shop, SENDER, "bob@sink.test")
    wait_for(lambda: any(s.transcript for s in sink.sessions), 10, "a session")
    time.sleep(0.5)
    boat.kill("qmgr")
    boat.wait_event("delivery", message_id=message_id)
    boat.wait_queue_empty()
    time.sleep(1)
    assert len(sink.messages) == 1
    assert len(boat.events("delivery", message_id=message_id)) == 1


@pytest.mark.deadline(240)
def test_killing_qmgr_again_and_again_loses_and_repeats_nothing(boat, shop, sink):
    dice = random.Random(4711)
    sent = set()
    for round_ in range(4):
        with boat.login(shop) as smtp:
            for i in range(60):
                recipient = f"r{round_}-{i}@sink.test"
                assert smtp.mail(SENDER)[0] == 250
                assert smtp.rcpt(recipient)[0] == 250
                code, text = smtp.data(f"From: {SENDER}\r\nTo: {recipient}\r\n\r\nx\r\n".encode())
                assert code == 250, text
                sent.add(recipient)
                if i == 30:
                    time.sleep(dice.random() * 0.05)
                    boat.kill("qmgr")
        # master waits longer each time before it starts it again
        wait_for(lambda: boat.pids("qmgr"), 40, "a new qmgr")
    boat.wait_queue_empty(60)
    wait_for(lambda: len(sink.messages) >= len(sent), 30, "all messages")
    got = [r for m in sink.messages for r in m.recipients]
    assert sorted(r.strip("<>") for r in got) == sorted(sent)
    final = boat.events("delivery")
    assert len(final) == len(sent)
