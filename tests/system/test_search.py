"""pblog over a journal of several files."""

import re

import pytest

from lib.wait import wait_for

EVENTS = 300  # of a message each: more than two journal files


@pytest.fixture
def boat(new_packetboat, sink):
    """One message to rare@ among many to bob@."""
    boat = new_packetboat(journal_file_size="64K")
    boat.shop = boat.add_account("shop")
    boat.add_domain(boat.shop, "shop.test")
    boat.rare = boat.send(boat.shop, "a@shop.test", "rare@sink.test", subject="Seventh heaven")
    with boat.login(boat.shop) as client:
        for _ in range(EVENTS):
            client.sendmail("b@shop.test", ["bob@sink.test"], b"From: b@shop.test\r\nSubject: order\r\n\r\nhello\r\n")
    boat.wait_queue_empty(60)
    return boat


def search(boat, *conditions) -> tuple[int, dict]:
    r = boat.tool("pblog", "--count", "--stats", *conditions, check=False)
    assert r.code in (0, 1), r.err
    return int(r.out), {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", r.err)}


def indexes(boat):
    return sorted((boat.directory / "spool/jrn").glob("*.idx"))


def test_search_opens_only_the_files_that_it_needs(boat):
    wait_for(lambda: len(indexes(boat)) >= 2, 30, "two indexes")
    # accepted, delivery
    assert search(boat, "--to", "RARE@sink.test")[0] == 2
    found, stats = search(boat, "--id", boat.rare)
    assert found == 2 and stats["indexed"] >= 2 and stats["opened"] < stats["files"]
    assert search(boat, "--to", "nobody@sink.test")[0] == 0
    # The index of the message's file is damaged, then lost.
    before = search(boat, "--to", "bob@sink.test")
    assert before[0] == 2 * EVENTS
    for path in indexes(boat):
        path.write_bytes(path.read_bytes()[:100])
    assert search(boat, "--id", boat.rare)[0] == 2
    assert search(boat, "--to", "bob@sink.test")[0] == before[0]
    for path in indexes(boat):
        path.unlink()
    boat.restart()
    wait_for(lambda: len(indexes(boat)) >= 2, 30, "the indexes are made again")
    assert search(boat, "--id", boat.rare)[0] == 2


def test_each_condition_finds_the_message_and_its_opposite_does_not(boat):
    event = boat.tool("pblog", "--json", "--id", boat.rare, "--kind", "delivery").json()
    key = boat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"]
    client = boat.tool("pblog", "--json", "--id", boat.rare, "--kind", "accepted").json()["submit"]["client_ip"]
    reply = event["smtp"]["text"].split()[0]
    for good, bad in ((("--from", "a@shop.test"), ("--from", "c@shop.test")),
                      (("--subject", "SEVENTH"), ("--subject", "eighth")),
                      (("--account", "shop"), ("--account", "shed")),
                      (("--key", str(key)), ("--key", "999999")),
                      (("--domain", "sink.test"), ("--domain", "nk.test")),
                      (("--kind", "delivery"), ("--kind", "complaint")),
                      (("--reply", reply), ("--reply", "no such words")),
                      (("--source-ip", event["source_ip"]), ("--source-ip", "192.0.2.77")),
                      (("--dest-ip", event["dest_ip"]), ("--dest-ip", "192.0.2.77")),
                      (("--client-ip", client), ("--client-ip", "192.0.2.77")),
                      (("--since", "1h"), ("--until", "1h"))):
        assert search(boat, "--to", "rare@sink.test", *good)[0] >= 1, good
        assert search(boat, "--to", "rare@sink.test", *bad)[0] == 0, bad
