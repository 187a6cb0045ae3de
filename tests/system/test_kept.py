"""Messages that accounts keep for audits behind their delivery."""

import os
import time

import pytest

from lib.packetboat import make_message
from lib.wait import wait_for


def kept(boat, ending: str) -> list:
    folder = boat.directory / "spool/keep"
    return sorted(p for p in folder.iterdir() if p.name.endswith(ending))


def start(new_packetboat, **parameters):
    """shop keeps its mail, its subaccount shop/news and other do not."""
    boat = new_packetboat(**parameters)
    boat.shop, boat.other = boat.add_account("shop", keep_content="2d"), boat.add_account("other")
    boat.add_domain(boat.shop, "shop.test")
    boat.add_domain(boat.other, "other.test")
    return boat


def deliver_and_release(boat, messages: list[tuple]) -> list[str]:
    """Sends (account, sender, body), and ends the segment with all of them."""
    ids = [boat.send(a, sender, "bob@sink.test", make_message(sender, ["bob@sink.test"], body=body))
           for a, sender, body in messages]
    wait_for(lambda: set(ids) <= {e["message_id"] for e in boat.events("delivery")}, 30, "the deliveries")
    boat.restart()  # smtpd begins a segment of its own, and the one before is over
    wait_for(lambda: boat.tool("pbcat", ids[-1], check=False).code == 66 or kept(boat, ".idx"), 30, "the segment is removed")
    return ids


@pytest.mark.both_users
def test_kept_message_is_shown_after_delivery_and_others_in_its_segment_are_gone(new_packetboat, sink):
    boat = start(new_packetboat)
    mine, theirs, again = deliver_and_release(boat, [(boat.shop, "a@shop.test", "keep this\r\n" * 50),
                                                (boat.other, "b@other.test", "not-that " * 80 + "\r\n"),
                                                (boat.shop, "a@shop.test", "this too\r\n")])
    wait_for(lambda: boat.tool("pbcat", theirs, check=False).code == 66, 20, "the segment is removed")
    out = boat.tool("pbcat", mine).out
    assert "keep this" in out and "From: " in out
    assert boat.tool("pbcat", "--json", again).json()["body"].startswith("this too")
    assert "recipient: bob@sink.test" in boat.tool("pbcat", "-e", again).out
    for file in kept(boat, ""):
        content = file.read_bytes()
        assert b"not-that" not in content and b"other.test" not in content
    boat.restart()
    assert "keep this" in boat.tool("pbcat", mine.upper()).out
    assert boat.tool("pbspool", "check", check=False).code == 0


def test_unkept_message_is_gone_with_its_segment(new_packetboat, sink):
    boat = start(new_packetboat)
    _, theirs = deliver_and_release(boat, [(boat.shop, "a@shop.test", "mine\r\n"), (boat.other, "b@other.test", "theirs\r\n")])
    wait_for(lambda: boat.tool("pbcat", theirs, check=False).code == 66, 20, "it is gone")


@pytest.mark.both_users
def test_large_message_is_kept_with_its_file(new_packetboat, sink):
    boat = start(new_packetboat)
    body = "large\r\n" * 60_000
    mine, theirs = deliver_and_release(boat, [(boat.shop, "a@shop.test", body), (boat.other, "b@other.test", body)])
    wait_for(lambda: len(kept(boat, ".msg")) == 1 and not os.listdir(boat.directory / "spool/big"), 20, "one large file")
    assert boat.tool("pbcat", mine).out.count("large\n") == 60_000
    assert boat.tool("pbcat", theirs, check=False).code == 66


@pytest.mark.both_users
def test_kept_message_goes_when_its_time_is_over(new_packetboat, sink):
    boat = start(new_packetboat)
    mine, = deliver_and_release(boat, [(boat.shop, "a@shop.test", "mine\r\n")])
    assert "mine" in boat.tool("pbcat", mine).out
    boat.stop()
    for file in kept(boat, ""):  # as if two days had passed
        file.rename(file.with_name(f"{int(time.time()) - 1:010x}{file.name[10:]}"))
    boat.start()
    assert boat.tool("pbcat", mine, check=False).code == 66
    wait_for(lambda: kept(boat, "") == [], 20, "the files are removed")


def test_kept_messages_stay_below_the_limit(new_packetboat, sink):
    boat = start(new_packetboat)
    mine, = deliver_and_release(boat, [(boat.shop, "a@shop.test", "mine\r\n")])
    assert "mine" in boat.tool("pbcat", mine).out
    boat.stop()
    boat.write_config(keep_content_size="1")
    boat.start()
    boat.wait_log("keep_content_size: 2 files .* before their time")
    assert boat.tool("pbcat", mine, check=False).code == 66


@pytest.mark.both_users
def test_kept_messages_survive_a_kill_of_qmgr_before_they_are_copied(new_packetboat, sink):
    boat = start(new_packetboat)
    mine = boat.send(boat.shop, "a@shop.test", "bob@sink.test", make_message("a@shop.test", ["bob@sink.test"], body="mine\r\n"))
    boat.wait_event("delivery", message_id=mine)
    boat.kill_all()
    boat.start()
    wait_for(lambda: kept(boat, ".idx"), 30, "the copy")
    assert "mine" in boat.tool("pbcat", mine).out


def test_time_to_keep_is_checked_and_inherited(new_packetboat):
    boat = new_packetboat()
    boat.add_account("shop")
    for value, seconds in (("36h", 129600), ("7d", 604800), ("0", 0)):
        boat.tool("pbaccount", "set", "shop", f"keep_content={value}")
        assert boat.tool("pbaccount", "show", "--json", "shop").json()["keep_content"] == seconds
    boat.tool("pbaccount", "set", "shop", "keep_content=")
    assert boat.tool("pbaccount", "show", "--json", "shop").json()["keep_content"] is None
    for value in ("soon", "7w", "99999d", "-1"):
        done = boat.tool("pbaccount", "set", "shop", f"keep_content={value}", check=False)
        assert done.code == 65 and "36h or 7d" in done.err
