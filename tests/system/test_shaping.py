"""shaping.cf: limits by time stamps at real sinks, replies that slow down or suspend, and commands."""

import re
import time

import pytest

from lib.wait import wait_for

SENDER = "orders@shop.test"


@pytest.fixture
def new_boat(make_packetboat, keep, name_server):
    """An instance with this shaping.cf, started."""
    def make(shaping: str, **options):
        boat = make_packetboat(**options)
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


def effects(boat) -> list[dict]:
    return [e for s in sites(boat) for e in s.get("effects", [])]


def most_in(times: list[float], span: float) -> int:
    """The most stamps that any time of that length holds."""
    times = sorted(times)
    return max(sum(1 for t in times if start <= t < start + span) for start in times)


# -- the file --------------------------------------------------------------

def test_a_mistake_stops_start_check_and_reload(make_packetboat, keep):
    boat = make_packetboat()
    path = boat.directory / "shaping.cf"
    path.write_text("[default]\nconections = 1\n")
    boat.give_away()
    result = boat.tool("packetboat", "check", check=False)
    assert result.code == 78
    assert result.err == f"packetboat: {path}:2: unknown setting conections; did you mean connections?\n"
    path.write_text("[default]\nconnections = 1\n")
    keep.start(boat)
    path.write_text("[default]\nreply = /a/ slow down\n")
    result = boat.tool("packetboat", "reload", check=False)
    assert result.code == 78
    assert f"{path}:2: there is no [backoff down]" in result.err


def test_reload_brings_new_limits(new_boat, new_sink):
    boat = new_boat("[default]\nconnections = 7\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    boat.send(shop, SENDER, "bob@dest.test")
    sink.wait_messages(1)
    assert [s["limits"] for s in sites(boat) if "dest" in s.get("site", "")] == ["connections=7"]
    (boat.directory / "shaping.cf").write_text("[default]\nconnections = 7\n[domain dest.test]\nmessages = 5/1s\n")
    boat.tool("packetboat", "reload")
    boat.wait_log("reload is complete", 60)
    boat.send(shop, SENDER, "bob@dest.test")
    sink.wait_messages(2, 60)
    assert [s["limits"] for s in sites(boat) if "dest" in s.get("site", "")] == ["connections=7 messages=5/1s"]


# -- fixed next hops -------------------------------------------------------

@pytest.mark.parametrize("section", ["[provider relay]\nmx = relay.test\n", "[site mx.relay.test]\n"])
def test_a_relayhost_has_the_limits_of_its_provider_or_of_its_host(section, new_boat, new_sink):
    sink = new_sink("relay.test")
    hop = f"[{sink.name}]:{sink.port}"
    boat = new_boat(f"{section}messages = 3/4s\n", relayhost=hop)
    shop = shop_of(boat)
    for i in range(5):
        boat.send(shop, SENDER, f"r{i}@d{i}.test")
    times = [m.at for m in sink.wait_messages(5, 60)]
    assert most_in(times, 3.5) <= 3
    told = boat.tool("pbexplain", "-a", "shop", "-f", SENDER, "-r", "bob@d9.test").out
    assert section[1:].split("]")[0] in told and "messages=3/4s" in told, told


# -- rates -----------------------------------------------------------------

def test_a_rate_holds_over_sites_processes_and_a_killed_qmgr(new_boat, new_sink):
    boat = new_boat("[provider both]\nmx = one.test two.test\nmessages = 10/4s\n", deliver_processes=2)
    shop = shop_of(boat)
    sinks = [new_sink("one.test"), new_sink("two.test")]
    for i in range(30):
        boat.send(shop, SENDER, f"u{i}@{'one' if i % 2 else 'two'}.test")

    def stamps():
        return [m.at for s in sinks for m in s.messages]

    wait_for(lambda: len(stamps()) >= 8, 60, "the first messages")
    boat.kill("qmgr")
    wait_for(lambda: len(stamps()) >= 30, 90, "all messages")
    assert len(stamps()) == 30
    assert all(s.messages for s in sinks)
    assert most_in(stamps(), 4 - 0.1) <= 10


def test_recipients_per_time_are_not_exceeded(new_boat, new_sink):
    boat = new_boat("[default]\nrecipients = 20/4s/5\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    for i in range(4):
        boat.send(shop, SENDER, [f"u{i}-{k}@dest.test" for k in range(10)])

    def stamps():
        return [m.at for m in sink.messages for _ in m.recipients]

    wait_for(lambda: len(stamps()) >= 40, 90, "all recipients")
    assert max(len(m.recipients) for m in sink.messages) <= 5
    assert most_in(stamps(), 4 - 0.1) <= 20


# -- replies ---------------------------------------------------------------

CROWDED = """
[default]
retry = 1s
reply = /too many connections/ connect slow few
[backoff few]
connections = 2
leave_after = 2s
"""


def test_a_server_that_is_crowded_gets_fewer_connections(new_boat, new_sink):
    boat = new_boat(CROWDED)
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    usual = sink._action
    refused = []

    def crowded(step, arg):
        if step == "CONNECT" and sink.open_now > 2:
            refused.append(time.time())
            return "421 4.7.0 Too many connections from you"
        if step == "EOD":
            time.sleep(0.02)
        return usual(step, arg)

    sink._action = crowded
    for i in range(60):
        boat.send(shop, SENDER, f"u{i}@dest.test")
    boat.wait_log(r"site \S*dest\.test: backoff few for 2 s by shaping.cf:4: 421 4.7.0 Too many connections")
    sink.wait_messages(60, 60)
    # It was told once or twice more by what was on its way, not for each of the messages.
    assert refused and len(refused) <= 20
    boat.wait_log(r"dest\.test: no longer backoff", 30)
    assert effects(boat) == []


@pytest.mark.both_users
def test_a_suspension_by_a_reply_survives_a_killed_qmgr(new_boat, new_sink):
    boat = new_boat("[default]\nretry = 1s\n"
                    "reply = /blocked/ rcpt suspend for 1h, class spam_ip\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    sink.on("RCPT", "450 4.7.1 you are BLOCKED for now", times=1)
    first = boat.send(shop, SENDER, "bob@dest.test")
    event = boat.wait_event("deferral", message_id=first)
    assert "BLOCKED" in str(event)
    boat.send(shop, SENDER, "eve@dest.test")

    def held():
        return [s for s in sites(boat) if s.get("limited_by", {}).get("what") == "suspended"]

    wait_for(held, 20, "mail that waits for the suspension's end")
    boat.kill("qmgr")
    wait_for(lambda: boat.tool("pbqueue", "--json", "sites", check=False).code == 0 and held(), 60,
             "the suspension after the restart")
    (effect,) = effects(boat)
    assert effect["effect"] == "suspended" and effect["by"] == "shaping.cf:3"
    assert "BLOCKED" in effect["reply"]
    assert time.time() + 3000 < effect["until"] < time.time() + 3700
    assert sink.messages == []
    assert "suspended" in boat.tool("pbqueue", "sites").out
    boat.tool("pbqueue", "resume", "dest.test")
    sink.wait_messages(2, 40)
    assert effects(boat) == []


def test_rules_bounce_defer_and_requeue(new_boat, new_sink):
    boat = new_boat("[default]\nretry = 1s\n"
                    "reply = /no such/ rcpt bounce, class bad_mailbox\n"
                    "reply = /come back/ rcpt defer\n"
                    "reply = /grey/ requeue-in 1h, class greylist\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    sink.on("RCPT", "450 4.2.0 no such person", arg="gone@")
    sink.on("RCPT", "550 5.7.1 come back", arg="bob@", times=1)
    sink.on("RCPT", "451 4.7.1 greylisted", arg="eve@", times=1)
    gone = boat.send(shop, SENDER, "gone@dest.test")
    bob = boat.send(shop, SENDER, "bob@dest.test")
    eve = boat.send(shop, SENDER, "eve@dest.test")
    boat.wait_event("soft_bounce", message_id=gone)
    boat.wait_event("delivery", message_id=bob)
    boat.wait_event("deferral", message_id=eve)
    (message,) = boat.queue_json()
    assert message["recipients"][0]["next_try"] > time.time() + 3000


# -- commands --------------------------------------------------------------

@pytest.mark.both_users
def test_suspend_limit_and_resume_by_command(new_boat, new_sink):
    boat = new_boat("[provider all]\nmx = dest.test\n")
    shop = shop_of(boat)
    sink = new_sink("dest.test")
    boat.send(shop, SENDER, "bob@dest.test")
    sink.wait_messages(1)
    assert boat.tool("pbqueue", "suspend", "all", "for", "1h").out == "provider all: suspended\n"
    boat.send(shop, SENDER, "bob@dest.test")
    wait_for(lambda: [s for s in sites(boat) if s.get("limited_by", {}).get("of") == "provider"], 20, "held mail")
    boat.kill("qmgr")
    wait_for(lambda: boat.tool("pbqueue", "sites", check=False).code == 0 and effects(boat), 60, "qmgr")
    (effect,) = effects(boat)
    assert effect["provider"] == "all" and effect["is_admin"] and re.match(r"uid \d+$", effect["by"])
    assert len(sink.messages) == 1
    boat.tool("pbqueue", "limit", "dest.test", "connections=1", "messages=2/1s")
    boat.tool("pbqueue", "resume", "all")
    sink.wait_messages(2, 40)
    shown = boat.tool("pbqueue", "sites").out
    assert "connections=1 messages=2/1s" in shown and "limited" in shown
    assert boat.tool("pbqueue", "suspend", "nowhere.test", check=False).code == 66
    assert boat.tool("pbqueue", "limit", "dest.test", "conections=1", check=False).err.endswith(
        "did you mean connections=?\n")
    assert boat.tool("pbqueue", "suspend", "dest.test", "for", "ever", check=False).code == 64
