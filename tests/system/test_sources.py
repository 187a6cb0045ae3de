"""Source addresses: pools, names, their checks by DNS, and the warm-up."""

import ipaddress
import socket

import pytest

from lib.packetboat import make_message
from lib.wait import wait_for

FAST = {"source_check_interval": "1s", "source_check_retry": "1s", "source_name_wait": "0s"}


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


@pytest.fixture
def boat(new_packetboat):
    return new_packetboat(**FAST)


@pytest.fixture
def publish(name_server):
    """publish(address, name): A and PTR records."""
    def make(address: str, name: str):
        name_server.add(name, "A", address)
        name_server.add(reverse(address), "PTR", name + ".")
    return make


@pytest.fixture
def add_source(boat, publish, addresses):
    """add_source("out1.test", pool="shop"): its address, in service."""
    def make(name: str, *settings: str) -> str:
        address = addresses.next()
        publish(address, name)
        boat.tool("pbip", "add", address, name, *settings)
        wait_state(boat, address, "good")
        return address
    return make


def show(boat, address: str) -> dict:
    return boat.tool("pbip", "show", "--json", address).json()


def wait_state(boat, address: str, state: str) -> dict:
    return wait_for(lambda: (s := show(boat, address))["state"] == state and s, 30, f"{address} is {state}")


def sender(boat, name: str, domain: str, **settings):
    account = boat.add_account(name, unsigned="allow", **settings)
    return account, f"news@{domain}"


@pytest.mark.both_users
def test_each_pool_sends_from_its_address_under_its_name(boat, sink, add_source):
    first = add_source("out1.test", "pool=shop")
    second = add_source("out2.test", "pool=bank", "ehlo=hello.out2.test")
    for name, pool in (("shop", "shop"), ("bank", "bank")):
        account, address = sender(boat, name, f"{name}.test", pool=pool)
        boat.send(account, address, f"{name}@sink.test")
    sink.wait_messages(2)
    seen = {m.recipients[0]: (m.session.peer, m.helo) for m in sink.messages}
    assert seen == {"shop@sink.test": (first, "out1.test"), "bank@sink.test": (second, "hello.out2.test")}
    event = boat.wait_event("delivery", recipient="shop@sink.test")
    assert (event["source_ip"], event["source_name"]) == (first, "out1.test")
    boat.tool("pbdomain", "add", "shop", "shop.test")
    spf = next(r["value"] for r in boat.domain_records("shop", "shop.test") if r["purpose"] == "spf")
    assert {f"ip4:{first}", f"ip4:{second}"} <= set(spf.split())


def test_a_message_names_one_of_the_pools_that_its_account_may_use(boat, sink, add_source):
    own, other, foreign = (add_source(f"{p}.out.test", f"pool={p}") for p in ("own", "other", "foreign"))
    account, address = sender(boat, "shop", "shop.test", pool="own", pools="other")
    for field, recipient in (("X-Packetboat-Pool: other", "a"), ("X-MC-IpPool: other", "b"), ("X-Other: 1", "c"),
                             ("X-Packetboat-Pool: foreign", "d"), ("X-Packetboat-Pool: nothere", "e")):
        to = f"{recipient}@sink.test"
        boat.send(account, address, to, field.encode() + b"\r\n" + make_message(address, [to]))
    sink.wait_messages(5)
    peers = {m.recipients[0][0]: m.session.peer for m in sink.messages}
    assert peers == {"a": other, "b": other, "c": own, "d": own, "e": own}
    assert not any(b"Pool" in m.headers for m in sink.messages)
    boat.wait_log("pool nothere is unknown or not allowed")


def test_an_address_that_lost_its_name_rests_until_the_name_is_back(boat, sink, add_source, name_server, publish):
    bad, good = add_source("out1.test", "pool=shop"), add_source("out2.test", "pool=shop")
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    name_server.remove(reverse(bad), "PTR")
    state = wait_state(boat, bad, "bad")
    assert not state["in_service"] and f"no PTR record for {bad}" in state["reason"]
    assert boat.tool("pbip", "check", bad, check=False).code == 65
    for n in range(8):
        boat.send(account, address, f"r{n}@sink.test")
    sink.wait_messages(8)
    assert {m.session.peer for m in sink.messages} == {good}
    alert = boat.wait_event("alert", name="source_address")
    assert bad in alert["text"] and not alert.get("is_over")
    publish(bad, "out1.test")
    wait_state(boat, bad, "good")
    boat.tool("pbip", "check", bad)
    name_server.remove(reverse(good), "PTR")
    wait_state(boat, good, "bad")
    boat.send(account, address, "back@sink.test")
    assert sink.wait_messages(9)[-1].session.peer == bad


def test_a_pool_without_an_address_in_service_defers_with_the_reason(boat, sink, add_source, name_server, publish):
    only = add_source("out1.test", "pool=shop")
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    name_server.remove("out1.test", "A")
    wait_state(boat, only, "bad")
    queued = boat.send(account, address, "r@sink.test")
    event = boat.wait_event("deferral")
    assert "no source address of the pool shop is in service" in event["smtp"]["text"]
    assert only in event["smtp"]["text"] and sink.connections == 0
    name_server.add("out1.test", "A", only)
    wait_state(boat, only, "good")
    boat.tool("pbqueue", "retry", queued)
    assert sink.wait_messages(1)[0].helo == "out1.test"


def test_the_default_pool_takes_over_where_the_parameter_says_so(new_packetboat, sink, publish, addresses, name_server):
    boat = new_packetboat(source_pool_fallback="default", **FAST)
    only, shared = addresses.next(), addresses.next()
    publish(shared, "shared.test")
    name_server.add("out1.test", "A", only)
    boat.tool("pbip", "add", only, "out1.test", "pool=shop")
    boat.tool("pbip", "add", shared, "shared.test")
    wait_state(boat, shared, "good")
    assert show(boat, only)["state"] == "pending"
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    boat.send(account, address, "r@sink.test")
    assert sink.wait_messages(1)[0].helo == "shared.test"


def test_a_change_of_name_waits_until_it_was_seen_and_time_has_passed(new_packetboat, publish, addresses, name_server):
    boat = new_packetboat(**FAST | {"source_name_wait": "3s"})
    address = addresses.next()
    publish(address, "old.test")
    boat.tool("pbip", "add", address, "old.test")
    wait_state(boat, address, "good")
    boat.tool("pbip", "set", address, "name=new.test")
    assert not show(boat, address)["in_service"]
    name_server.remove(reverse(address), "PTR")
    publish(address, "new.test")
    waiting = wait_state(boat, address, "waiting")
    assert waiting["ready"] and not waiting["in_service"]
    boat.restart()
    wait_state(boat, address, "good")


def test_an_address_of_another_machine_leaves_its_mail_to_the_others(boat, sink, add_source, publish):
    here = add_source("out1.test", "pool=shop")
    publish("192.0.2.1", "out2.test")
    done = boat.tool("pbip", "add", "192.0.2.1", "out2.test", "pool=shop")
    assert "no interface of this machine has it" in done.err
    wait_state(boat, "192.0.2.1", "good")
    checked = boat.tool("pbip", "check", "192.0.2.1", check=False)
    assert checked.code == 65 and "dns: ok" in checked.out
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    for n in range(6):
        boat.send(account, address, f"r{n}@sink.test")
    sink.wait_messages(6)
    assert {m.session.peer for m in sink.messages} == {here}
    assert boat.events("deferral") == []


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_an_address_of_another_family_leaves_its_mail_to_the_others(boat, sink, add_source, name_server):
    here = add_source("out4.test", "pool=shop")
    name_server.add("out6.test", "AAAA", "::1")
    name_server.add(reverse("::1"), "PTR", "out6.test.")
    boat.tool("pbip", "add", "0:0:0:0:0:0:0:1", "out6.test", "pool=shop")
    wait_state(boat, "::1", "good")
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    for n in range(6):
        boat.send(account, address, f"r{n}@sink.test")
    sink.wait_messages(6)
    assert {m.session.peer for m in sink.messages} == {here} and boat.events("deferral") == []


def test_mistakes_get_one_clear_line(boat, add_source):
    address = add_source("out1.test", "pool=shop")
    sender(boat, "shop", "shop.test", pool="shop")
    for code, text, *args in (
            (65, "no IPv4 or IPv6 address", "add", "127.0.0", "a.test"),
            (65, "no host name", "add", "127.9.9.9", "a_b"),
            (65, "the settings are", "add", "127.9.9.9", "a.test", "pol=x"),
            (65, "use a-z", "set", address, "pool=A B"),
            (65, "a plan is a list", "set", address, "warmup=1,x"),
            (65, "last address of the pool shop", "delete", address),
            (65, "last address of the pool shop", "set", address, "pool=default"),
            (73, "exists", "add", address, "a.test"),
            (67, "there is no source address", "show", "127.9.9.9"),
            (64, "usage", "set", address)):
        done = boat.tool("pbip", *args, check=False)
        assert (done.code, text in done.err) == (code, True), (args, done)
    done = boat.tool("pbaccount", "set", "shop", "pool=nothere", check=False)
    assert done.code == 65 and "no source address is in the pool nothere" in done.err
    boat.tool("pbaccount", "set", "shop", "pool=default")
    boat.tool("pbip", "delete", address)
    assert boat.tool("pbip", "list", "--json").out == ""


# -- warm-up -----------------------------------------------------------------

@pytest.mark.both_users
def test_a_cold_address_sends_its_ceiling_and_the_warm_one_the_rest(boat, sink, add_source):
    cold = add_source("cold.test", "pool=shop", "warmup=3,50")
    warm = add_source("warm.test", "pool=shop")
    account, address = sender(boat, "shop", "shop.test", pool="shop")

    def by_source() -> dict[str, int]:
        peers = [m.session.peer for m in sink.messages]
        return {peer: peers.count(peer) for peer in (cold, warm)}

    for n in range(12):
        boat.send(account, address, f"r{n}@sink.test")
    sink.wait_messages(12)
    assert by_source() == {cold: 3, warm: 9}

    def counted():
        return show(boat, cold)["warmup"]["today"] == [
            {"provider": "sink.test", "tried": 3, "delivered": 3, "deferred": 0, "complaints": 0}]
    wait_for(counted, 20, "the counts of the day")
    forecast = show(boat, cold)["warmup"]
    assert [(day["day"], day["ceiling"]) for day in forecast["forecast"]] == [(1, 3), (2, 50)]
    assert forecast["warm_on"] > forecast["forecast"][1]["date"] > forecast["forecast"][0]["date"]
    assert "day 1 of 2, 3 recipients a provider" in boat.tool("pbip", "show", cold).out

    boat.expect_error("qmgr")
    boat.kill("qmgr")
    wait_for(lambda: boat.pids("qmgr") and boat.ready(), 30, "another qmgr")
    for n in range(4):
        boat.send(account, address, f"s{n}@sink.test")
    sink.wait_messages(16)
    assert by_source() == {cold: 3, warm: 13}
    boat.restart()
    for n in range(4):
        boat.send(account, address, f"t{n}@sink.test")
    sink.wait_messages(20)
    assert by_source() == {cold: 3, warm: 17}
    assert counted()


def test_mail_above_the_ceiling_waits_while_nothing_else_is_in_the_pool(boat, sink, add_source):
    cold = add_source("cold.test", "pool=shop", "warmup=2")
    account, address = sender(boat, "shop", "shop.test", pool="shop")
    for n in range(4):
        boat.send(account, address, f"r{n}@sink.test")
    sink.wait_messages(2)
    waiting = wait_for(lambda: len(q := boat.queue_json()) == 2 and q, 20, "two messages in the queue")
    assert len(sink.messages) == 2 and waiting
    boat.tool("pbip", "set", cold, "warmup=off")
    sink.wait_messages(4)
    assert show(boat, cold)["warmup"] is None
