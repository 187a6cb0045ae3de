"""bounce.cf: the administrator's own rules for what servers answer and report."""

import os
import signal

import pytest

SENDER = "orders@shop.test"


@pytest.fixture
def boat(make_packetboat, keep, name_server):
    boat = make_packetboat(retry_schedule="1s", retry_jitter=0)
    name_server.add(boat.HOSTNAME, "A", boat.address)
    boat.rules = boat.directory / "bounce.cf"
    boat.rules.write_text('inactive_mailbox  "flown away"\n'
                          'config  host=sink.test /disk [0-9]+ is broken/ temporary\n'
                          'bad_mailbox  code=450 "never again" permanent\n')
    keep.start(boat)
    boat.shop = boat.add_account("shop")
    boat.add_domain(boat.shop, "shop.test")
    return boat


def outcome(boat, kind: str, recipient: str) -> dict:
    message_id = boat.send(boat.shop, SENDER, recipient)
    return boat.wait_event(kind, message_id=message_id)["details"]


def test_own_rules_go_before_the_built_in_ones(boat, sink):
    sink.on("RCPT", "550 5.7.1 This bird has flown  away", arg="bird@")
    details = outcome(boat, "bounce", "bird@sink.test")
    assert details["class_bounce"] == "inactive_mailbox" and details["hard"]


def test_permanent_reply_may_be_made_temporary(boat, sink):
    sink.on("RCPT", "550 5.1.1 Disk 7 is broken", arg="disk@", times=1)
    assert outcome(boat, "delivery", "disk@sink.test")["attempt"] == 2


def test_temporary_reply_may_be_made_permanent(boat, sink):
    sink.on("RCPT", "450 4.2.0 Never again", arg="never@")
    details = outcome(boat, "bounce", "never@sink.test")
    assert details["class_bounce"] == "bad_mailbox" and details["attempt"] == 1


def test_reload_takes_new_rules_and_refuses_mistakes(boat, sink):
    sink.on("RCPT", "550 5.1.1 Flurb", arg="flurb@")
    boat.rules.write_text('contnt "flurb"\n')
    refused = boat.tool("packetboat", "reload", check=False)
    assert refused.code != 0 and "bounce.cf:1: contnt is no class; the nearest is content" in refused.err, refused
    boat.expect_error("reload refused")
    os.kill(boat.master_pid, signal.SIGHUP)
    boat.wait_log("reload refused.*bounce.cf:1: contnt is no class")
    boat.rules.write_text('content "flurb"\n')
    boat.tool("packetboat", "reload")
    boat.wait_log("reload is complete")
    details = outcome(boat, "soft_bounce", "flurb@sink.test")
    assert details["class_bounce"] == "content" and not details["hard"]


def test_check_and_start_name_the_mistake(make_packetboat):
    boat = make_packetboat()
    (boat.directory / "bounce.cf").write_text("# mine\nrate cod=450\n")
    for verb in ("check", "start"):
        result = boat.tool("packetboat", verb, check=False)
        assert result.code != 0
        assert "bounce.cf:2: cod is no condition; the nearest is code=" in result.err, result


def test_tool_says_which_rule_decides(boat):
    told = boat.tool("pbbounce", "--json", "reply", "-h", "mx.sink.test", "550 5.1.1 disk 12 is broken").json()
    assert told["reason"] == "config" and not told["permanent"] and told["line"] == 2
    rules = boat.tool("pbbounce", "rules").out
    assert rules.index('"flown away"') < rules.index("# built in") < rules.index('"greylist"')


def test_printed_rules_are_a_file_that_is_read(boat):
    rules = boat.tool("pbbounce", "rules").out
    boat.rules.write_text(rules)
    assert boat.tool("pbbounce", "rules").out.count("\n") > 2 * rules.count("\n") - 10


def test_replies_that_no_rule_knows_are_listed_by_shape(boat, sink):
    """What differs is masked; the shape can be put into bounce.cf, and is known then."""
    for n in range(3):
        sink.on("RCPT", f"550 5.0.0 Zork{n + 10} from [192.0.2.{n}] quirks <u{n}@sink.test> now", arg=f"u{n}@")
        outcome(boat, "soft_bounce", f"u{n}@sink.test")
    sink.on("RCPT", "550 5.0.0 Something else", arg="other@")
    outcome(boat, "soft_bounce", "other@sink.test")
    groups = boat.tool("pblog", "--json", "--since", "1h", "unknown").lines()
    assert [(g["count"], g["code"]) for g in groups] == [(3, 550), (1, 550)], groups
    assert groups[0]["shape"] == "from * quirks <> now" and groups[0]["host"] == "mx.sink.test"
    assert "Zork10" in groups[0]["example"]
    assert "something else" in boat.tool("pblog", "unknown").out

    boat.rules.write_text(f'content "{groups[0]["shape"]}"\n')
    assert [g["count"] for g in boat.tool("pblog", "--json", "unknown").lines()] == [1]
