"""DKIM keys change without a gap: every message can be verified before, during and after."""

from lib.dkimcheck import verified
from lib.wait import wait_for


def publish(boat, purpose):
    records = [r for r in boat.domain_records("shop", "shop.test") if r["purpose"] == purpose]
    for record in records:
        boat.name_server.add(record["name"].rstrip("."), "TXT", record["value"])
    return {r["name"].partition(".")[0] for r in records}


def wait_rotation(boat, state):
    def reached():
        boat.tool("pbdomain", "verify", "shop", "shop.test", check=False)
        return boat.domain("shop", "shop.test")["rotation"] == state
    wait_for(reached, 30, f"rotation {state}")


def send_one(boat, account, sink, name):
    boat.send(account, "orders@shop.test", f"{name}@sink.test")
    return wait_for(lambda: sink.to(f"{name}@sink.test"), 20, f"mail to {name}")[0].data


def selectors(message, name_server):
    return {tags["s"] for tags in verified(message, name_server)}


def test_keys_change_without_a_gap(new_packetboat, sink, name_server):
    boat = new_packetboat(dkim_rotate_wait="3s", dkim_rotate_keep="3s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    old = {r["name"].partition(".")[0] for r in boat.domain_records("shop", "shop.test") if r["purpose"] == "dkim"}
    before = send_one(boat, account, sink, "before")
    assert selectors(before, name_server) == old

    shown = boat.tool("pbdomain", "rotate", "shop", "shop.test").out
    assert "; rotation: publish since " in shown and "dkim-next" in shown
    again = boat.tool("pbdomain", "rotate", "shop", "shop.test", check=False)
    assert again.code == 73 and "next keys are made already" in again.err

    # Not published: nothing changes, however often it is looked up.
    boat.tool("pbdomain", "verify", "shop", "shop.test")
    assert boat.domain("shop", "shop.test")["rotation"] == "publish"
    assert selectors(send_one(boat, account, sink, "unpublished"), name_server) == old

    new = publish(boat, "dkim-next")
    assert len(new) == 2 and not new & old
    wait_rotation(boat, "wait")
    assert boat.domain("shop", "shop.test")["rotation_due"]
    during = send_one(boat, account, sink, "during")
    assert selectors(during, name_server) in (old, new)

    wait_rotation(boat, "keep")
    assert selectors(send_one(boat, account, sink, "after"), name_server) == new
    for message in before, during:
        assert selectors(message, name_server), "the last keys' signatures verify still"

    # The change outlives restarts of both who know of it.
    boat.restart()
    assert selectors(send_one(boat, account, sink, "restarted"), name_server) == new

    wait_rotation(boat, "remove")
    boat.wait_log(r"keys no longer used of shop\.test are deleted")
    assert selectors(send_one(boat, account, sink, "removed"), name_server) == new
    for selector in old:
        name_server.remove(f"{selector}._domainkey.shop.test", "TXT")
    wait_rotation(boat, "none")
    assert selectors(send_one(boat, account, sink, "done"), name_server) == new
    boat.tool("pbdomain", "delete", "shop", "shop.test")


def test_a_change_that_began_is_given_up(new_packetboat, sink, name_server):
    boat = new_packetboat(dkim_rotate_wait="1h")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    old = {r["name"].partition(".")[0] for r in boat.domain_records("shop", "shop.test") if r["purpose"] == "dkim"}
    keys = boat.directory / "state/signd"
    files = sorted(keys.rglob("*"))

    def cancel(**options):
        return boat.tool("pbdomain", "rotate", "shop", "shop.test", "--cancel", **options)
    refused = cancel(check=False)
    assert refused.code == 65 and "no change is under way" in refused.err

    # The schedule began it, so that its owner hears of the end. The keys are deleted, and no other ones made.
    boat.tool("pbdomain", "set", "shop", "shop.test", "rotate_after=1s")
    wait_rotation(boat, "publish")
    boat.tool("pbdomain", "set", "shop", "shop.test", "rotate_after=1h")
    publish(boat, "dkim-next")
    wait_rotation(boat, "wait")
    assert sorted(keys.rglob("*")) != files
    assert "; rotation: cancel since" in cancel().out
    wait_for(lambda: boat.domain("shop", "shop.test")["rotation"] == "remove", 20, "signd's deletion")
    assert sorted(keys.rglob("*")) == files
    assert "keeps its DKIM keys" in boat.wait_event("alert", name="dkim_rotation", over=True)["text"]
    gone = {r["name"].partition(".")[0] for r in boat.domain_records("shop", "shop.test") if r["purpose"] == "dkim-remove"}
    assert len(gone) == 2 and not gone & old
    boat.restart()
    assert selectors(send_one(boat, account, sink, "kept"), name_server) == old
    assert boat.domain("shop", "shop.test")["rotation"] == "remove"
    for selector in gone:
        name_server.remove(f"{selector}._domainkey.shop.test", "TXT")
    wait_rotation(boat, "none")


def test_a_change_that_is_done_is_taken_back(new_packetboat, sink, name_server):
    boat = new_packetboat(dkim_rotate_wait="0s", dkim_rotate_keep="1h")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    old = {r["name"].partition(".")[0] for r in boat.domain_records("shop", "shop.test") if r["purpose"] == "dkim"}
    boat.tool("pbdomain", "rotate", "shop", "shop.test")
    new = publish(boat, "dkim-next")
    wait_rotation(boat, "keep")
    during = send_one(boat, account, sink, "during")
    boat.tool("pbdomain", "rotate", "shop", "shop.test", "--cancel")
    assert boat.domain("shop", "shop.test")["rotation"] == "keep"
    assert selectors(send_one(boat, account, sink, "after"), name_server) == old
    assert selectors(during, name_server) == new, "mail of the keys given up is verified still"


def test_schedule_makes_the_next_keys_and_tells_the_owner(packetboat, account):
    bad = packetboat.tool("pbdomain", "set", "shop", "shop.test", "rotate_after=soon", check=False)
    assert bad.code == 65 and "180d" in bad.err
    packetboat.tool("pbdomain", "set", "shop", "shop.test", "rotate_after=1s")
    assert packetboat.domain("shop", "shop.test")["rotate_after"] == 1
    wait_rotation(packetboat, "publish")
    alert = packetboat.wait_event("alert", name="dkim_rotation")
    assert "publish" in alert["text"]
    packetboat.tool("pbdomain", "set", "shop", "shop.test", "rotate_after=default")
    assert packetboat.domain("shop", "shop.test")["rotate_after"] is None
    # Deleting takes the next keys along.
    packetboat.tool("pbdomain", "delete", "shop", "shop.test")


def test_only_keys_of_verified_domains_are_changed(packetboat):
    packetboat.add_account("shop")
    packetboat.tool("pbdomain", "add", "shop", "other.test")
    refused = packetboat.tool("pbdomain", "rotate", "shop", "other.test", check=False)
    assert refused.code == 65 and "not verified" in refused.err
    unknown = packetboat.tool("pbdomain", "rotate", "shop", "none.test", check=False)
    assert unknown.code == 67
