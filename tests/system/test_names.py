"""From a domain to its servers: what the DNS says, says badly, or does not say."""

import time

import pytest

from lib.dns import LyingResolver
from lib.packetboat import make_message
from lib.sink import SmtpSink
from lib.wait import wait_for

SENDER = "orders@shop.test"


@pytest.fixture
def boat(new_packetboat):
    return new_packetboat(retry_schedule="1s", retry_jitter=0)


@pytest.fixture
def shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


@pytest.mark.both_users
def test_aliases_lead_to_the_servers_of_their_target(boat, shop, new_sink, name_server):
    sink = new_sink("target.test")
    name_server.add("alias.test", "CNAME", "target.test.")  # RFC 5321 section 5.1
    name_server.add("mx-alias.test", "MX", "10 also.mx-alias.test.")
    name_server.add("also.mx-alias.test", "CNAME", f"{sink.name}.")  # forbidden, and common
    for domain in ("alias.test", "mx-alias.test"):
        boat.send(shop, SENDER, f"bob@{domain}")
    assert {m.recipients[0] for m in sink.wait_messages(2)} == {"bob@alias.test", "bob@mx-alias.test"}


@pytest.mark.parametrize("records, enh, kind", [
    ({}, "5.1.2", "bounce"),
    ({"MX": "0 ."}, "5.1.10", "bounce"),
    ({"MX": "10 gone.nowhere.test."}, "5.4.4", "soft_bounce"),
    ({"TXT": "no mail here"}, "5.4.4", "soft_bounce"),
    ({"CNAME": "nowhere.test."}, "5.1.2", "bounce"),
], ids=["no-name", "null-mx", "mx-without-address", "no-address", "alias-to-nothing"])
def test_domains_without_mail_fail_at_once(records, enh, kind, boat, shop, name_server):
    for type, value in records.items():
        name_server.add("void.test", type, value)
    boat.send(shop, SENDER, "bob@void.test")
    event = boat.wait_event(kind, recipient="bob@void.test")
    assert event["smtp"]["enh"] == enh, event["smtp"]
    boat.wait_queue_empty()


@pytest.mark.both_users
def test_broken_and_silent_name_servers_defer_and_hold_up_nobody_else(make_packetboat, keep, name_server, addresses, new_sink):
    liar = keep.start(LyingResolver(addresses.next(), name_server))
    sink = new_sink()
    boat = make_packetboat(dns=liar, retry_schedule="1s", retry_jitter=0, dns_timeout="2s")
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    rules = ("servfail", "refused", "silence", "garbage", "other-id")
    for rule in rules:
        liar.rules[f"{rule}.test"] = rule
        name_server.add_mail_host(f"{rule}.test", (sink.name, sink.address))
    # One whose MX is known and whose host is not.
    liar.rules["mx.half.test"] = "silence"
    name_server.add_mail_host("half.test", ("mx.half.test", sink.address))
    broken = [f"bob@{d}.test" for d in (*rules, "half")]
    boat.send(shop, SENDER, broken)
    began = time.monotonic()
    for n in range(5):
        boat.send(shop, SENDER, f"ann{n}@sink.test")
    wait_for(lambda: all(sink.to(f"ann{n}@sink.test") for n in range(5)), 20, "the others' mail")
    for recipient in broken:
        event = boat.wait_event("deferral", recipient=recipient)
        assert event["smtp"]["enh"] == "4.4.3" and event["class_bounce"] == "dns", event["smtp"]
    assert boat.events("bounce") + boat.events("soft_bounce") == []
    liar.rules.clear()
    # A path that failed three times rests for a minute, if nobody says that the fault is mended.
    wait_for(lambda: boat.tool("pbqueue", "retry", "ALL") and all(sink.to(r) for r in broken), 60, "the mail after the repair")
    assert time.monotonic() - began < 100


def test_what_does_not_exist_is_asked_for_once(make_packetboat, keep, name_server, addresses, new_sink):
    counter = keep.start(LyingResolver(addresses.next(), name_server))
    boat = make_packetboat(dns=counter, dns_negative_time="60s")
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    for n in range(4):
        boat.send(shop, SENDER, f"bob{n}@void.test")
        boat.wait_event("bounce", recipient=f"bob{n}@void.test")
    assert counter.count("void.test", "MX") == 1


@pytest.mark.both_users
@pytest.mark.parametrize("first", ["ipv6", "ipv4"])
def test_other_address_family_is_used_when_the_first_one_is_dead(first, new_packetboat, keep, name_server, addresses, smtp_port, ca):
    boat = new_packetboat(smtp_address_preference=first, smtp_connection_reuse_limit=1)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    certificate = ca.server("mx.both.test")
    old, new = (SmtpSink(a, smtp_port, "mx.both.test", certificate) for a in (addresses.next(), "::1"))
    name_server.add_mail_host("both.test", ("mx.both.test", old.address))
    name_server.add("mx.both.test", "AAAA", "::1")
    liked, other = (new, old) if first == "ipv6" else (old, new)
    keep.start(other)
    boat.send(shop, SENDER, "bob@both.test")
    assert other.wait_messages(1)[0].recipients == ["bob@both.test"]
    keep.start(liked)
    boat.send(shop, SENDER, "eve@both.test")
    assert liked.wait_messages(1)[0].recipients == ["eve@both.test"]
    assert len(other.messages) == 1


@pytest.mark.both_users
def test_international_domain_is_found_by_its_a_label_and_needs_smtputf8(boat, shop, new_sink):
    able, unable = new_sink("xn--bcher-kva.test"), new_sink("xn--grn-ioa.test", extensions=["PIPELINING", "8BITMIME"])
    for recipient in ("bob@bücher.test", "bob@xn--bcher-kva.test", "jürgen@Bücher.TEST", "bob@grün.test"):
        boat.send(shop, SENDER, recipient, make_message(SENDER, [recipient]), mail_options=("SMTPUTF8",))
    got = {m.recipients[0]: m for m in able.wait_messages(3)}
    assert set(got) == {"bob@bücher.test", "bob@xn--bcher-kva.test", "jürgen@Bücher.TEST"}
    assert "SMTPUTF8" in got["jürgen@Bücher.TEST"].mail_args
    event = boat.wait_event("soft_bounce", recipient="bob@grün.test")
    assert event["smtp"]["enh"] == "5.6.7" and unable.messages == []
