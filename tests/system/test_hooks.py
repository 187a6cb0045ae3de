"""Endpoints as administrators manage them."""

import hashlib
import hmac
import re

import pytest

from lib.wait import wait_for


def the_hook(boat, url):
    return next(h for h in boat.tool("pbhook", "list", "--json", "shop").lines() if h["url"] == url)


def test_new_hooks_get_the_usual_kinds_and_no_others(packetboat, account, sink, new_webhook):
    usual, everything = new_webhook(), new_webhook()
    packetboat.tool("pbhook", "add", "shop", usual.url)
    packetboat.tool("pbhook", "add", "shop", everything.url, "--kinds", "all")
    assert sorted(the_hook(packetboat, usual.url)["kinds"]) == ["blocked", "bounce", "click", "complaint", "deferral", "delivery",
                                                     "open", "soft_bounce"]
    packetboat.send(account, "a@shop.test", "bob@sink.test")
    usual.wait_event("delivery")
    everything.wait_event("delivery")
    assert everything.events("accepted") and not usual.events("accepted")


@pytest.mark.both_users
def test_disabled_hook_gets_its_events_when_it_is_enabled(packetboat, account, sink, new_webhook):
    hook = new_webhook()
    packetboat.tool("pbhook", "add", "shop", hook.url)
    packetboat.tool("pbhook", "disable", "shop", hook.url)
    assert the_hook(packetboat, hook.url)["status"] == "disabled"
    message_id = packetboat.send(account, "a@shop.test", "bob@sink.test")
    packetboat.wait_event("delivery")
    packetboat.kill("webhookd")  # a new one knows it too
    wait_for(lambda: packetboat.tool("pbhook", "status", "shop", check=False).code == 0, 20, "webhookd is back")
    assert hook.posts == []
    packetboat.tool("pbhook", "enable", "shop", hook.url)
    assert the_hook(packetboat, hook.url)["status"] == "active"
    hook.wait_event("delivery", message_id=message_id)
    assert packetboat.tool("pbhook", "enable", "shop", "http://other.test/", check=False).code == 67


@pytest.mark.both_users
def test_key_tells_where_it_was_used_from(packetboat, account, sink):
    for _ in range(2):
        packetboat.send(account, "a@shop.test", "bob@sink.test")
    key = packetboat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"]
    used = packetboat.tool("pbkey", "show", "--json", "shop", key).json()["used_from"]
    assert [u["address"] for u in used] == ["127.0.0.1"]
    assert used[0]["count"] == 2 and used[0]["first"] <= used[0]["last"]
    assert "used from 127.0.0.1: 2 times" in packetboat.tool("pbkey", "show", "shop", key).out


def signers(post, secrets):
    """Which of the secrets signed the request."""
    field = post.headers["packetboat-signature"]
    stamp = re.match(r"t=(\d+),", field)[1]
    sums = re.findall(r"v1=([0-9a-f]{64})", field)
    text = stamp.encode() + b"." + post.body
    made = [hmac.new(s.encode(), text, hashlib.sha256).hexdigest() for s in secrets]
    assert set(sums) <= set(made)
    return [s for s, m in zip(secrets, made) if m in sums]


@pytest.mark.both_users
def test_rotated_hook_signs_with_both_secrets_until_it_is_settled(packetboat, account, sink, new_webhook):
    hook = new_webhook()
    first = packetboat.tool("pbhook", "add", "--json", "shop", hook.url).json()["secret"]

    def signers_of_next():
        seen = len(hook.posts)
        packetboat.send(account, "a@shop.test", "bob@sink.test")
        wait_for(lambda: len(hook.posts) > seen, 20, "a request")
        return signers(hook.posts[-1], secrets)

    secrets = [first]
    assert signers_of_next() == [first]
    second = packetboat.tool("pbhook", "rotate", "--json", "shop", hook.url).json()["secret"]
    secrets = [first, second]
    wait_for(lambda: signers_of_next() == [first, second], 20, "both signatures")
    assert the_hook(packetboat, hook.url)["rotating"]
    again = packetboat.tool("pbhook", "rotate", "shop", hook.url, check=False)
    assert again.code == 73 and "pbhook settle" in again.err
    packetboat.tool("pbhook", "settle", "shop", hook.url)
    wait_for(lambda: signers_of_next() == [second], 20, "one signature")
    assert not the_hook(packetboat, hook.url)["rotating"]


def test_hooks_are_listed_by_number(packetboat, account):
    for i in range(12):
        packetboat.tool("pbhook", "add", "shop", f"https://hooks.example/{i}")
    ids = [h["id"] for h in packetboat.tool("pbhook", "list", "--json", "shop").lines()]
    assert len(ids) == 12 and ids == sorted(ids)

