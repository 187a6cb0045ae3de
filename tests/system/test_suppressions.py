"""Addresses that get no mail: by events, by hand, and by the million."""

import csv
import io

import pytest

from lib.wait import wait_for


def entries(boat, account="shop"):
    return {e["address"]: e for e in boat.tool("pbsuppress", "list", "--json", account).lines()}


def blocked(boat, address):
    return boat.wait_event("blocked", recipient=address)["class_bounce"]


def test_hard_bounce_suppresses_the_address(packetboat, account, sink):
    sink.on("RCPT", "550 5.1.1 no such user", arg="gone@")
    sink.on("RCPT", "550 5.7.1 we do not like your content", arg="picky@")
    packetboat.send(account, "a@shop.test", ["gone@sink.test", "picky@sink.test", "bob@sink.test"])
    entry = wait_for(lambda: entries(packetboat).get("gone@sink.test"), 10, "the entry")
    assert entry["reason"] == "hard-bounce" and entry["status"] == "active" and entry["count"] == 1
    assert "no such user" in entry["detail"] and entry["expires"] > entry["created"]

    packetboat.send(account, "a@shop.test", ["Gone@sink.test", "picky@sink.test", "bob@sink.test"])
    assert blocked(packetboat, "Gone@sink.test") == "hard-bounce"
    wait_for(lambda: len(packetboat.events("soft_bounce")) + len(packetboat.events("bounce")) == 3, 10, "picky is tried again")
    assert list(entries(packetboat)) == ["gone@sink.test"]


def test_bounce_of_a_subaccount_blocks_only_there(packetboat, account, sink):
    for name in ("one", "two"):
        packetboat.tool("pbaccount", "add", f"shop/{name}")
    one, two = packetboat.add_key("shop/one"), packetboat.add_key("shop/two")
    sink.on("RCPT", "550 5.1.1 no such user", arg="gone@", times=1)
    packetboat.send(one, "a@shop.test", "gone@sink.test")
    wait_for(lambda: entries(packetboat), 10, "the entry")
    packetboat.send(two, "a@shop.test", "gone@sink.test")
    sink.wait_messages()
    packetboat.send(one, "a@shop.test", "gone@sink.test")
    assert blocked(packetboat, "gone@sink.test") == "hard-bounce"
    assert list(entries(packetboat, "shop/one")) == ["gone@sink.test"]
    assert entries(packetboat, "shop/two") == {}


@pytest.mark.parametrize("reason", ["custom", "spam", "unsub", "hard-bounce"])
def test_entry_by_hand_blocks_until_it_is_deleted(reason, packetboat, account, sink):
    packetboat.tool("pbsuppress", "add", "shop", "bob@sink.test", "--reason", reason, "--detail", "asked us, by phone")
    packetboat.send(account, "a@shop.test", "bob@sink.test")
    assert blocked(packetboat, "bob@sink.test") == reason
    assert sink.messages == []
    packetboat.tool("pbsuppress", "delete", "shop", "BOB@sink.test")
    packetboat.send(account, "a@shop.test", "bob@sink.test")
    sink.wait_messages()
    missing = packetboat.tool("pbsuppress", "delete", "shop", "bob@sink.test", check=False)
    assert missing.code == 67 and "not on the list" in missing.err


def test_allowed_address_gets_mail_whatever_happens(packetboat, account, sink):
    packetboat.tool("pbsuppress", "add", "shop", "boss@sink.test", "--reason", "allow")
    sink.on("RCPT", "550 5.1.1 no such user", times=1)
    packetboat.send(account, "a@shop.test", "boss@sink.test")
    packetboat.wait_event("bounce")
    again = packetboat.tool("pbsuppress", "add", "shop", "boss@sink.test")
    assert "stay allowed" in again.err
    packetboat.send(account, "a@shop.test", "boss@sink.test")
    sink.wait_messages()
    assert entries(packetboat)["boss@sink.test"]["status"] == "allowed"


@pytest.mark.both_users
def test_export_and_import_lose_nothing(packetboat, account):
    packetboat.tool("pbaccount", "add", "shop/news")
    packetboat.tool("pbsuppress", "add", "shop", "a@x.test", "b@x.test", "--detail", 'with "quotes", commas')
    packetboat.tool("pbsuppress", "add", "shop/news", "-", "--reason", "unsub", "--expires", "90d", input="c@x.test\nd@x.test\n")
    packetboat.tool("pbsuppress", "add", "shop", "e@x.test", "--reason", "allow")
    exported = packetboat.tool("pbsuppress", "export", "shop").out
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [r["address"] for r in rows] == ["a@x.test", "b@x.test", "e@x.test", "c@x.test", "d@x.test"]
    assert rows[0]["detail"] == 'with "quotes", commas' and rows[3]["subaccount"] == "news"

    packetboat.tool("pbsuppress", "delete", "shop", "a@x.test", "b@x.test", "e@x.test")
    packetboat.tool("pbsuppress", "delete", "shop/news", "c@x.test", "d@x.test")
    assert entries(packetboat) == {}
    packetboat.tool("pbsuppress", "import", "shop", "-", input=exported)
    assert packetboat.tool("pbsuppress", "export", "shop").out == exported


def test_rows_that_cannot_be_read_are_counted(packetboat, account):
    bad = packetboat.tool("pbsuppress", "import", "--json", "shop", check=False,
                          input="email,reason\nok@x.test,spam\nnobody,spam\nx@x.test,mood\n")
    assert bad.code == 65 and "number 3: no address" in bad.err
    assert (bad.json()["added"], bad.json()["refused"]) == (1, 2)
    assert list(entries(packetboat)) == ["ok@x.test"]
    assert packetboat.tool("pbsuppress", "add", "nobody", "a@x.test", check=False).code == 67
    assert packetboat.tool("pbsuppress", "add", "shop", "a@x.test", "--reason", "x", check=False).code == 65


@pytest.mark.deadline(300)
def test_long_lists_stream_while_mail_flows(packetboat, account, sink):
    count = 200_000
    listed = "".join(f"user{n:07}@big.test\n" for n in range(count))
    result = packetboat.tool("pbsuppress", "import", "--json", "shop", "-", input=listed, timeout=120)
    assert result.json()["added"] == count
    packetboat.send(account, "a@shop.test", ["user0123456@big.test", "bob@sink.test"])
    sink.wait_messages()
    assert blocked(packetboat, "user0123456@big.test") == "custom"
    exported = packetboat.tool("pbsuppress", "export", "shop", timeout=120).out
    assert exported.count("\n") == count + 1


@pytest.mark.both_users
def test_list_is_obeyed_at_once_by_the_next_accountd(packetboat, account, sink):
    """Killed, and stopped well: its filter comes from the file, with the entries that were added last."""
    def ready():
        pid = packetboat.pids("accountd")[0]
        return packetboat.wait_log(rf"accountd\[{pid}\]: suppressions: (\d+ read, )?their filter is ready", 30)[1]

    assert ready() == "0 read, "
    packetboat.tool("pbsuppress", "add", "shop", "killed@sink.test")
    before = packetboat.pids("accountd")
    packetboat.kill("accountd")
    wait_for(lambda: packetboat.pids("accountd") not in ([], before), 30, "the next accountd")
    assert ready() is None
    packetboat.tool("pbsuppress", "add", "shop", "stopped@sink.test")
    packetboat.restart()
    assert ready() is None
    packetboat.send(account, "a@shop.test", ["killed@sink.test", "stopped@sink.test", "bob@sink.test"])
    sink.wait_messages()
    wait_for(lambda: len(packetboat.events("blocked")) == 2, 15, "both are blocked")
    assert [r for m in sink.messages for r in m.recipients] == ["bob@sink.test"]
