"""Limits on connections, as the sinks count them: each opened or closed connection is seen at the moment it is."""

import socket
import threading
import time

import pytest

from lib.sink import HANG
from lib.wait import wait_for

SENDER = "orders@shop.test"


TCP_ESTABLISHED = 1  # the first byte of struct tcp_info


def is_established(session) -> bool:
    try:
        return session.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_ESTABLISHED
    except OSError:
        return False  # closed since


class Count:
    """Connections to several sinks together."""

    def __init__(self, *sinks):
        self.sinks = sinks
        self.most = 0
        self.opened: list[float] = []
        self.is_after_death = False  # sinks may not have noticed yet what the kernel closed for those who died
        self.lock = threading.Lock()
        for sink in sinks:
            self._watch(sink)

    def _watch(self, sink):
        usual = sink._action

        def counted(step, arg):
            if step == "CONNECT":
                with self.lock:
                    self.opened.append(time.time())
                    self.most = max(self.most, self.open())
            return usual(step, arg)

        sink._action = counted

    def open(self) -> int:
        if not self.is_after_death:
            return sum(sink.open_now for sink in self.sinks)
        return sum(is_established(s) for sink in self.sinks for s in sink.sessions if not s.ended)

    def messages(self) -> int:
        return sum(len(s.messages) for s in self.sinks)


@pytest.fixture
def new_boat(make_packetboat, keep, name_server):
    """An instance with this shaping.cf, started."""
    def make(shaping: str, **options):
        boat = make_packetboat(deliver_processes=3, **options)
        (boat.directory / "shaping.cf").write_text(shaping)
        boat.give_away()
        return keep.start(boat)
    return make


def shop_of(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


def sites(boat) -> list[dict]:
    return boat.tool("pbqueue", "--json", "sites").lines()


def most_in(times: list[float], span: float) -> int:
    """The most stamps that any time of that length holds."""
    times = sorted(times)
    return max(sum(1 for t in times if start <= t < start + span) for start in times)


THREE = "[provider all]\nmx = one.test two.test three.test four.test\nconnections = 3\n"


@pytest.fixture
def four(new_sink):
    return [new_sink(f"{name}.test") for name in ("one", "two", "three", "four")]


def send(boat, shop, n: int):
    names = ("one", "two", "three", "four")
    for i in range(n):
        boat.send(shop, SENDER, f"u{i}@{names[i % 4]}.test")


def test_idle_connections_of_other_paths_count_and_make_room(new_boat, four):
    boat = new_boat(THREE, smtp_connection_idle_time="60s", inet_interfaces_out="127.0.0.1 127.0.0.2")
    shop = shop_of(boat)
    count = Count(*four)
    # One after the other: what each leaves behind is idle when the next one comes.
    for i in range(1, 9):
        send(boat, shop, 4)
        wait_for(lambda: count.messages() >= 4 * i, 60, f"round {i}")
    assert count.most == 3
    wait_for(lambda: 1 <= sum(s.get("open", 0) for s in sites(boat)) == sum(s.open_now for s in four) <= 3, 20,
             "qmgr and the sinks to agree")


def test_the_limit_holds_under_load_and_kill(new_boat, four):
    boat = new_boat(THREE)
    shop = shop_of(boat)
    count = Count(*four)
    for round in range(1, 4):
        send(boat, shop, 40)
        wait_for(lambda: count.messages() >= 40 * round - 30, 60, f"some messages of round {round}")
        if round == 1:
            boat.kill("qmgr")
        elif round == 2:
            assert count.most <= 3
            count.is_after_death = True
            boat.kill("deliver")
    wait_for(lambda: count.messages() >= 120, 120, "all messages")
    assert count.most <= 3


def test_new_connections_per_time(new_boat, four):
    boat = new_boat("[provider all]\nmx = one.test two.test three.test four.test\n"
                    "connection_rate = 6/4s\nmessages_per_connection = 1\n")
    shop = shop_of(boat)
    count = Count(*four)
    send(boat, shop, 12)
    wait_for(lambda: count.messages() >= 3, 60, "the first messages")
    boat.kill("qmgr")
    wait_for(lambda: count.messages() >= 12, 120, "all messages")
    assert most_in(count.opened, 4 - 0.1) <= 6


def test_nothing_waits_behind_a_connection_that_hangs(new_boat, new_sink):
    boat = new_boat("[default]\nwindow_start = 1\nwindow_limit = 1\n", inet_interfaces_out="127.0.0.1 127.0.0.2",
                    deliver_ahead_time="1s")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    sink.on("EOD", HANG, times=1)
    for i in range(30):
        boat.send(shop, SENDER, f"u{i}@dest.test")
    # All but the one that hangs, over the other address.
    sink.wait_messages(29, 60)
    (hanging,) = [s for s in sink.sessions if not s.ended and s.peer != sink.messages[-1].session.peer]
    assert hanging.commands()[-1] != "QUIT"


def test_what_a_rate_let_through_is_not_sent_in_a_bunch(new_boat, new_sink):
    boat = new_boat("[default]\nmessages = 5/2s\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    usual = sink._action
    begun = []

    def slow(step, arg):
        if step == "MAIL":
            begun.append(time.time())
        return usual(step, arg)

    sink._action = slow
    release = threading.Event()
    greeting = sink.on("CONNECT", HANG)
    for i in range(15):
        boat.send(shop, SENDER, f"u{i}@dest.test")
    wait_for(lambda: sink.connections >= 1, 20, "a connection")
    sink.rules.remove(greeting)
    release.set()
    boat.tool("pbqueue", "retry", "ALL", check=False)
    sink.wait_messages(14, 90)
    assert most_in(begun, 2 - 0.05) <= 5
