"""Accounts and subaccounts: how one is chosen, what a pause does, and what a domain's lost records do."""

import smtplib

import pytest

from lib.dkimcheck import verified
from lib.packetboat import Account, make_message, submit
from lib.wait import wait_for

FROM = "orders@shop.test"


def offer(boat, account, fields=b"", recipient="bob@sink.test"):
    with boat.login(account) as smtp:
        return submit(smtp, FROM, [recipient], fields + make_message(FROM, [recipient]))


def sent_by(boat, name):
    return boat.tool("pbaccount", "show", "--json", name).json()["statistics"]["sent"]["total"]


@pytest.mark.both_users
def test_subaccount_is_chosen_by_key_user_name_or_header(packetboat, account, sink):
    for name in ("shop/key", "shop/user", "shop/header", "shop/mc"):
        packetboat.tool("pbaccount", "add", name)
    by_key = packetboat.add_key("shop", "--subaccount", "key")
    by_user = Account("shop", "shop/user", account.password)
    assert offer(packetboat, by_key)[0] == 250
    assert offer(packetboat, by_user)[0] == 250
    assert offer(packetboat, account, b"X-Packetboat-Subaccount: header\r\n")[0] == 250
    assert offer(packetboat, account, b"X-MC-Subaccount: mc\r\n")[0] == 250
    for name in ("shop/key", "shop/user", "shop/header", "shop/mc"):
        wait_for(lambda name=name: sent_by(packetboat, name) == 1, 20, f"mail of {name}")
    assert sent_by(packetboat, "shop") == 4


@pytest.mark.both_users
def test_control_fields_are_gone_before_the_signature(packetboat, account, sink, name_server):
    packetboat.tool("pbaccount", "add", "shop/eu")
    code, _ = offer(packetboat, account, b"X-MC-Subaccount: eu\r\nX-MC-Tags: a,b\r\nX-Packetboat-Class: priority\r\n")
    assert code == 250
    (message,) = sink.wait_messages(1)
    assert b"X-MC-" not in message.headers and b"X-Packetboat-" not in message.headers
    assert len(verified(message.data, name_server)) == 2
    event = packetboat.wait_event("delivery")
    assert (event["subaccount"], event["class"], event["tags"]) == ("eu", "priority", ["a", "b"])


def test_nobody_borrows_anothers_subaccount(packetboat, account):
    packetboat.add_account("other")
    packetboat.tool("pbaccount", "add", "other/eu")
    assert offer(packetboat, account, b"X-MC-Subaccount: eu\r\n") == (550, "5.7.1 Unknown subaccount eu")
    assert offer(packetboat, account, b"X-MC-Subaccount: ../other/eu\r\n")[0] == 550
    # A user name that is not of the key's account means nothing: the key alone decides.
    with packetboat.login(Account("other", "other/eu", account.password)):
        pass
    assert sent_by(packetboat, "other/eu") == 0
    with pytest.raises(smtplib.SMTPAuthenticationError):
        packetboat.login(Account("shop", "shop/none", account.password))


@pytest.mark.both_users
def test_mail_of_a_paused_account_is_held_until_it_is_resumed(packetboat, account, sink):
    packetboat.tool("pbaccount", "add", "shop/eu")
    packetboat.tool("pbaccount", "pause", "shop/eu")
    assert offer(packetboat, account, b"X-MC-Subaccount: eu\r\n", "held@sink.test")[0] == 250
    assert offer(packetboat, account, b"", "free@sink.test")[0] == 250
    wait_for(lambda: sink.to("free@sink.test"), 20, "the account's own mail")
    packetboat.restart()
    assert sink.to("held@sink.test") == [] and len(packetboat.queue_json()) == 1
    assert packetboat.tool("pbaccount", "show", "--json", "shop/eu").json()["status"] == "paused"
    packetboat.tool("pbaccount", "resume", "shop/eu")
    wait_for(lambda: sink.to("held@sink.test"), 20, "what was held")
    packetboat.wait_queue_empty()


def test_settings_are_kept_and_wrong_ones_refused(packetboat, account):
    packetboat.tool("pbaccount", "set", "shop", "notes=pays late", "class=digest", "weight=7")
    packetboat.restart()
    shown = packetboat.tool("pbaccount", "show", "--json", "shop").json()
    assert (shown["notes"], shown["class"], shown["weight"]) == ("pays late", "digest", 7)
    for setting in ("class=loud", "weight=0x", "colour=red"):
        refused = packetboat.tool("pbaccount", "set", "shop", setting, check=False)
        assert refused.code == 65 and len(refused.err.splitlines()) == 1
    assert packetboat.tool("pbaccount", "add", "shop", check=False).code == 73


def test_domain_without_records_fails_after_its_grace_and_returns_by_itself(new_packetboat, name_server):
    boat = new_packetboat(domain_grace_time="3s", domain_check_time="60s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    (key,) = (r for r in boat.domain_records("shop", "shop.test") if r["required"])
    name_server.remove(key["name"].rstrip("."), "TXT")

    def is_missed():
        boat.tool("pbdomain", "verify", "shop", "shop.test", check=False)
        return boat.domain("shop", "shop.test")["failing"]
    wait_for(is_missed, 20, "the loss to be seen")

    # No more by hand: the schedule looks often at what is not well.
    wait_for(lambda: boat.domain("shop", "shop.test")["state"] == "failed", 60, "the end of the grace")
    code, text = offer(boat, account)
    assert code == 550 and text.endswith("unsigned; its records are gone, see pbdomain")
    name_server.add(key["name"].rstrip("."), "TXT", key["value"])
    wait_for(lambda: boat.domain("shop", "shop.test")["state"] == "verified", 60, "its return")
    assert offer(boat, account)[0] == 250
