"""API keys: what limits them, what is remembered of them, and how guessing at them is slowed."""

import shutil
import smtplib
import time

import pytest

from lib.net import free_port
from lib.packetboat import Account, make_message, submit
from lib.wait import wait_for


def key_json(boat, key_id):
    return boat.tool("pbkey", "show", "--json", str(key_id)).json()


def last_key(boat, account="shop"):
    return boat.tool("pbkey", "list", "--json", account).lines()[-1]


def fails(boat, account):
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        boat.login(account)
    assert (refused.value.smtp_code, refused.value.smtp_error) == (535, b"5.7.8 Error: authentication failed")


def offer(smtp, sender):
    return submit(smtp, sender, ["bob@sink.test"], make_message(sender, ["bob@sink.test"]))


def test_label_expiry_and_limits_are_shown(packetboat, account):
    packetboat.add_key("shop", "--label", "the shop's cron", "--networks", "127.0.0.0/8 2001:db8::/32",
                       "--methods", "smtp/send", "--from", "shop.test", "--expires", "30d")
    shown = last_key(packetboat)
    assert shown["label"] == "the shop's cron"
    assert shown["networks"] == "127.0.0.0/8 2001:db8::/32"
    assert (shown["methods"], shown["from"], shown["test"]) == ("smtp/send", "shop.test", False)
    assert shown["expires"] and shown["status"] == "active"


@pytest.mark.parametrize("option, value", [("--networks", "192.0.2.0/24 2001:db8::/32"), ("--methods", "messages/send")])
def test_key_for_other_networks_or_methods_is_refused(packetboat, account, option, value):
    fails(packetboat, packetboat.add_key("shop", option, value))


@pytest.mark.both_users
def test_limits_of_a_key_are_changed_while_it_is_used(packetboat, account):
    def change(*options, **rest):
        return packetboat.tool("pbkey", "set", "shop", str(key_id), *options, **rest)
    key = packetboat.add_key("shop", "--label", "web", "--networks", "127.0.0.0/8", "--from", "shop.test")
    key_id = last_key(packetboat)["id"]
    with packetboat.login(key) as smtp, packetboat.login(account) as other:
        change("--from", "news@shop.test", "--expires", "30d")
        assert offer(smtp, "orders@shop.test") == (550, "5.7.1 The API key may only send from news@shop.test")
        change("--from", "")
        assert offer(smtp, "orders@shop.test")[0] == 250
        change("--networks", "192.0.2.0/24")
        assert smtp.getreply() == (421, b"4.7.0 Error: the key is changed, log in again")
        assert other.noop()[0] == 250
        smtp.close()
    fails(packetboat, key)
    shown = key_json(packetboat, key_id)
    assert (shown["label"], shown["networks"], shown["from"]) == ("web", "192.0.2.0/24", "") and shown["expires"]
    change("--networks", "", "--expires", "")
    assert key_json(packetboat, key_id)["expires"] is None
    packetboat.login(key).quit()
    for options, code, error in ((["--networks", "here"], 65, "is no network"), (["--expires", "2001-01-01"], 65, "not in the future"),
                                 (["--test"], 64, "test mode stay"), ([], 64, "what is to be set?")):
        refused = change(*options, check=False)
        assert refused.code == code and error in refused.err, refused
    packetboat.tool("pbkey", "revoke", "shop", str(key_id))
    refused = change("--networks", "", check=False)
    assert refused.code == 65 and "is revoked, and stays so" in refused.err


@pytest.mark.both_users
def test_all_keys_of_an_account_are_revoked_at_once(packetboat, account):
    packetboat.tool("pbaccount", "add", "shop/eu")
    of_sub, more = packetboat.add_key("shop/eu"), packetboat.add_key("shop")
    other = packetboat.add_account("other")
    assert "ALL needs the account" in packetboat.tool("pbkey", "revoke", "ALL", check=False).err
    assert packetboat.tool("pbkey", "revoke", "none", "ALL", check=False).code == 67
    packetboat.tool("pbkey", "revoke", "shop/eu", "ALL")
    fails(packetboat, of_sub)
    with packetboat.login(account) as one, packetboat.login(more) as two:
        packetboat.tool("pbkey", "revoke", "shop", "ALL")
        for smtp in (one, two):
            assert smtp.getreply() == (421, b"4.7.0 Error: the key is revoked")
            smtp.close()
    fails(packetboat, account)
    packetboat.login(other).quit()


def test_key_for_this_network_and_method_is_good(packetboat, account, sink):
    key = packetboat.add_key("shop", "--networks", "192.0.2.0/24,127.0.0.0/8", "--methods", "messages/* smtp/*")
    packetboat.send(key, "orders@shop.test", "bob@sink.test")


@pytest.mark.both_users
def test_networks_of_ipv6_hold_for_clients_that_come_by_it(make_packetboat, keep, ca):
    boat = make_packetboat()
    certificate, port = ca.server(boat.HOSTNAME, boat.address, "::1"), free_port("::1")
    shutil.copy(certificate.cert, boat.directory / "cert.pem")
    shutil.copy(certificate.key, boat.directory / "key.pem")
    (boat.directory / "key.pem").chmod(0o600)
    boat.write_config(smtpd_listen=f"{boat.parameters['smtpd_listen']}, [::1]:{port}/submission")
    keep.start(boat)
    boat.add_account("shop", unsigned="allow")

    def login(key, address="::1"):
        smtp = smtplib.SMTP(address, port if address == "::1" else boat.submission_port, local_hostname="c.test", timeout=20)
        smtp.starttls(context=boat.tls_context())
        smtp.login(key.username, key.password)
        return smtp

    def refused(key, address="::1"):
        with pytest.raises(smtplib.SMTPAuthenticationError) as error:
            login(key, address)
        return error.value.smtp_code == 535

    one = boat.add_key("shop", "--networks", "::1")
    with login(one) as smtp:
        assert offer(smtp, "orders@shop.test")[0] == 250
    assert refused(one, boat.address)
    both = boat.add_key("shop", "--networks", "127.0.0.0/8, 0:0::/64")
    login(both).quit(), login(both, boat.address).quit()
    for networks in ("2001:db8::/32", "::/128", "127.0.0.0/8", "::1:0:0:0:0/64"):
        assert refused(boat.add_key("shop", "--networks", networks)), networks

    both_id = boat.tool("pbkey", "list", "--json", "shop").lines()[2]["id"]
    used = sorted(use["address"] for use in key_json(boat, both_id)["used_from"])
    assert len(used) == 2 and used[0].startswith("127.") and used[1] == "::1"
    assert "used from ::1: 1 times" in boat.tool("pbkey", "show", "shop", str(both_id)).out
    # The limit is another one at once, also for who is in.
    with login(both) as smtp:
        boat.tool("pbkey", "set", "shop", str(both_id), "--networks", "2001:db8::/32")
        assert smtp.getreply()[0] == 421
        smtp.close()
    assert refused(both)
    bad = boat.tool("pbkey", "add", "shop", "--networks", "::1/129", check=False)
    assert bad.code == 65 and "is no network" in bad.err


def test_key_for_a_sender_refuses_others(packetboat, account, sink):
    key = packetboat.add_key("shop", "--from", "news@shop.test")
    with packetboat.login(key) as smtp:
        assert offer(smtp, "orders@shop.test") == (550, "5.7.1 The API key may only send from news@shop.test")
        assert offer(smtp, "news@shop.test")[0] == 250


def test_key_that_expires_ends_in_an_open_session_too(packetboat, account):
    key = packetboat.add_key("shop", "--expires", "3s")
    with packetboat.login(key) as smtp:
        wait_for(lambda: last_key(packetboat)["status"] == "expired", 20, "the key's end")
        assert offer(smtp, "orders@shop.test") == (550, "5.7.1 The API key has expired")
    fails(packetboat, key)


def test_revoked_key_ends_its_open_sessions_at_once(packetboat, account):
    key = packetboat.add_key("shop")
    with packetboat.login(key) as smtp, packetboat.login(account) as other:
        packetboat.tool("pbkey", "revoke", "shop", str(last_key(packetboat)["id"]))
        assert smtp.getreply() == (421, b"4.7.0 Error: the key is revoked")
        assert other.noop()[0] == 250
        smtp.close()
    fails(packetboat, key)


@pytest.mark.both_users
def test_mail_of_a_test_key_is_recorded_and_never_sent(packetboat, account, sink):
    key = packetboat.add_key("shop", "--test")
    msgid = packetboat.send(key, "orders@shop.test", "bob@sink.test")
    event = packetboat.wait_event("delivery", message_id=msgid)
    assert event["test"] is True
    packetboat.send(account, "orders@shop.test", "eve@sink.test")
    sink.wait_messages(1)
    assert [m.recipients for m in sink.messages] == [["eve@sink.test"]]


def test_uses_of_a_key_are_remembered_by_address(packetboat, account):
    key_id = last_key(packetboat)["id"]
    for _ in range(3):
        packetboat.login(account).quit()
    (use,) = key_json(packetboat, key_id)["used_from"]
    assert use["address"].startswith("127.") and use["count"] == 3 and use["first"] <= use["last"]
    assert use["address"] in packetboat.tool("pbkey", "show", "shop", str(key_id)).out


def guess(boat, username="shop"):
    fails(boat, Account("shop", username, "pb_9999_" + "0" * 43))


def seconds(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def test_guessing_slows_strangers_and_not_the_owner(new_packetboat):
    """The test's one client network is known after the first good login, and not before."""
    boat = new_packetboat(auth_failure_limit="3", auth_failure_delay="4s")
    account = boat.add_account("shop")
    for _ in range(3):
        guess(boat)
    boat.wait_log("3 failed logins to account shop")
    assert seconds(lambda: guess(boat)) >= 3.9
    assert seconds(lambda: guess(boat, "shop/news")) >= 3.9
    # A good key is late once, as its network is not known; never refused.
    assert seconds(lambda: boat.login(account).quit()) >= 3.9
    quick = min(seconds(lambda: boat.login(account).quit()) for _ in range(3))
    assert quick < 3.9
    # It is known after a restart of accountd too, although failures go on.
    boat.kill("accountd")
    wait_for(lambda: boat.tool("pbaccount", "list", check=False).code == 0, 20, "accountd is back")
    for _ in range(3):
        guess(boat)
    assert min(seconds(lambda: boat.login(account).quit()) for _ in range(3)) < 3.9


def test_guessing_at_one_account_leaves_others_alone(new_packetboat):
    boat = new_packetboat(auth_failure_limit="1", auth_failure_delay="4s")
    boat.add_account("shop")
    other = boat.add_account("other")
    guess(boat)
    assert min(seconds(lambda: boat.login(other).quit()) for _ in range(3)) < 3.9


def test_unsigned_mail_is_refused_with_an_event_for_each_recipient(packetboat, account):
    with packetboat.login(account) as smtp:
        code, text = submit(smtp, "x@stranger.test", ["a@sink.test", "b@sink.test"],
                            make_message("x@stranger.test", ["a@sink.test"]))
    assert code == 550 and "unsigned" in text
    wait_for(lambda: len(packetboat.events("blocked")) == 2, 20, "the events")
    events = packetboat.events("blocked")
    assert {e["recipient"] for e in events} == {"a@sink.test", "b@sink.test"}
    assert {e["class_bounce"] for e in events} == {"unsigned"}
    assert "stranger.test is not verified" in events[0]["smtp"]["text"]

    def blocked():
        return packetboat.tool("pbaccount", "show", "--json", "shop").json()["statistics"]["blocked"]["total"]
    wait_for(lambda: blocked() == 2, 20, "the statistics")
