"""pbexplain: what it says is what a mail sent at the same moment finds."""

import ipaddress
import re

import pytest

from lib.packetboat import make_message, submit
from lib.policy import policy_text
from lib.wait import wait_for

SENDER = "orders@shop.test"
BOB = "bob@sink.test"


def explain(boat, *args, sender=SENDER, recipient=BOB) -> dict[str, list[dict]]:
    """The decisions by name; the verdict among them."""
    lines = boat.tool("pbexplain", "--json", "-f", sender, "-r", recipient, *args).lines()
    assert [line["decision"] for line in lines][-1] == "verdict"
    found: dict[str, list[dict]] = {}
    for line in lines:
        found.setdefault(line["decision"], []).append(line)
    return found


def verdict(found) -> tuple[str, str | None]:
    """The outcome and the decision that it is from."""
    return found["verdict"][0]["outcome"], found["verdict"][0].get("by")


def shop_of(boat, **settings):
    account = boat.add_account("shop", **settings)
    boat.add_domain(account, "shop.test")
    return account


def refused(boat, account, sender=SENDER, recipient=BOB) -> str:
    """What a client hears at the end of its mail."""
    with boat.login(account) as smtp:
        code, text = submit(smtp, sender, [recipient], make_message(sender, [recipient]))
    assert code // 100 == 5, (code, text)
    return f"{code} {text}"


# -- the whole -------------------------------------------------------------

@pytest.mark.both_users
def test_a_mail_that_would_go_is_explained_and_not_sent(packetboat, account, sink):
    found = explain(packetboat)
    assert verdict(found) == ("go", None)
    assert set(found) >= {"account", "domain", "suppression", "quota", "class", "return-path", "pool", "dkim", "queue", "route",
                          "site", "limits", "source", "tls-proof", "host", "tls", "verdict"}
    assert all(line["outcome"] == "go" and line["text"] for lines in found.values() for line in lines)
    host = found["host"][0]
    assert (host["order"], host["host"], host["address"], host["port"]) == (1, "mx.sink.test", sink.address, sink.port)
    assert found["site"][0]["site"] == "mx.sink.test"
    assert packetboat.queue_json() == [] and sink.connections == 0
    text = packetboat.tool("pbexplain", "-f", SENDER, "-r", BOB).out
    assert re.search(r"^tls +go +mx\.sink\.test: TLS when it is offered, else in clear\n +by smtp_tls_level = ", text, re.M)
    assert re.search(r"^verdict +go +it would be sent now\n\Z", text, re.M)


def test_mistakes_have_one_line_and_a_code(packetboat, account):
    for code, text, args in ((64, "to whom", ("-f", SENDER)), (65, "no address", ("-f", "orders", "-r", BOB)),
                             (67, "there is no account nobody", ("-f", SENDER, "-r", BOB, "-a", "nobody")),
                             (67, "there is no key 999", ("-f", SENDER, "-r", BOB, "-k", "999")),
                             (64, "no account has the sender's domain", ("-f", "a@other.test", "-r", BOB))):
        result = packetboat.tool("pbexplain", *args, check=False)
        assert result.code == code and text in result.err and result.out == "", args
    packetboat.stop()
    result = packetboat.tool("pbexplain", "-f", SENDER, "-r", BOB, check=False)
    assert result.code == 69 and "the mail system is down" in result.err


# -- rights ----------------------------------------------------------------

def test_a_paused_account_waits_and_a_revoked_key_is_refused(packetboat, account, sink):
    key = str(packetboat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"])
    packetboat.tool("pbaccount", "pause", "shop")
    found = explain(packetboat, "-a", "shop", "-k", key)
    assert verdict(found) == ("wait", "account") and found["key"][0]["key"] == int(key)
    packetboat.tool("pbaccount", "resume", "shop")
    packetboat.tool("pbkey", "revoke", "shop", key)
    found = explain(packetboat, "-k", key)
    assert verdict(found) == ("refuse", "key")
    assert "550 5.7.1 The API key was revoked" in found["key"][0]["text"] and "route" not in found


def test_a_key_says_from_whom_it_may_send_and_whether_it_tests(packetboat, account):
    packetboat.add_key("shop", "--from", "shop.test", "--test")
    key = str(packetboat.tool("pbkey", "list", "--json", "shop").lines()[-1]["id"])
    found = explain(packetboat, "-k", key)
    assert verdict(found) == ("stop", "key") and found["key"][0]["test"]
    found = explain(packetboat, "-k", key, "-F", "a@other.test")
    assert verdict(found) == ("refuse", "key") and "may only send from shop.test" in found["key"][0]["text"]


@pytest.mark.both_users
def test_an_unverified_domain_is_refused_with_the_words_of_the_server(packetboat, sink):
    account = packetboat.add_account("shop")
    packetboat.tool("pbdomain", "add", "shop", "shop.test")
    found = explain(packetboat, "-a", "shop")
    assert verdict(found) == ("refuse", "domain")
    assert found["domain"][0]["text"] == refused(packetboat, account)
    packetboat.tool("pbaccount", "set", "shop", "unsigned=allow")
    found = explain(packetboat, "-a", "shop")
    assert verdict(found)[0] == "go" and not found["domain"][0]["verified"]
    assert "unsigned=allow" in found["domain"][0]["by"] and found["dkim"][0]["text"] == "unsigned"


def test_the_selectors_are_those_of_the_signatures(packetboat, account, sink):
    dkim = explain(packetboat)["dkim"][0]
    packetboat.send(account, SENDER, BOB)
    header = sink.wait_messages(1)[0].headers.decode()
    signed = set(re.findall(r"\bs=([\w.-]+);", header))
    assert dkim["domain"] == "shop.test" and {s["selector"] for s in dkim["selectors"]} == signed


# -- what accountd keeps ---------------------------------------------------

def test_a_suppressed_recipient_stops_with_reason_and_expiry(packetboat, account, sink):
    sink.on("RCPT", "550 5.1.1 no such user", arg="gone@")
    packetboat.send(account, SENDER, "gone@sink.test")
    wait_for(lambda: packetboat.tool("pbsuppress", "list", "--json", "shop").lines(), 20, "the entry")
    found = explain(packetboat, recipient="Gone@sink.test")
    entry = found["suppression"][0]
    assert verdict(found) == ("stop", "suppression")
    assert entry["reason"] == "hard-bounce" and "no such user" in entry["detail"] and entry["expires"] in entry["text"]
    packetboat.tool("pbaccount", "add", "shop/eu")
    assert explain(packetboat, "-a", "shop/eu", recipient="gone@sink.test")["suppression"][0]["outcome"] == "stop"
    packetboat.tool("pbsuppress", "delete", "shop", "gone@sink.test")
    assert explain(packetboat, recipient="gone@sink.test")["suppression"][0]["text"] == "the recipient is on no list"


def test_a_quota_says_who_moved_it_and_what_is_used(packetboat, account, sink):
    assert explain(packetboat)["quota"][0]["moved_by"] == "reputation"
    packetboat.tool("pbaccount", "set", "shop", "quota=1")
    packetboat.send(account, SENDER, BOB)
    sink.wait_messages(1)
    found = wait_for(lambda: (f := explain(packetboat)) and verdict(f)[0] == "wait" and f, 20, "the used quota")
    limit, used = found["quota"]
    assert verdict(found) == ("wait", "quota")
    assert (limit["moved_by"], limit["limit"], used["used"], used["limit"]) == ("hand", 1, 1, 1)


def test_class_and_return_path_follow_the_settings(packetboat, account):
    found = explain(packetboat)
    assert found["class"][0]["class"] == "standard"
    assert found["return-path"][0]["domain"] == "bounces.shop.test"
    packetboat.tool("pbaccount", "set", "shop", "class=digest", "sender=plain")
    found = explain(packetboat)
    assert found["class"][0]["class"] == "digest"
    assert found["return-path"][0]["sender"] == SENDER and "sender=plain" in found["return-path"][0]["by"]


# -- route, site, limits ---------------------------------------------------

@pytest.mark.both_users
def test_routes_and_relayhost_name_their_lines(make_packetboat, keep, name_server, sink):
    boat = make_packetboat(relayhost=f"[mx.sink.test]:{sink.port}")
    (boat.directory / "routes.cf").write_text("# first\nown.test smtp:\nno.test error:5.7.1 not there\n")
    boat.give_away()
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop_of(boat)
    found = explain(boat, recipient="bob@far.test")
    assert found["route"][0]["by"] == f"relayhost = [mx.sink.test]:{sink.port}"
    assert found["host"][0]["address"] == sink.address and verdict(found)[0] == "go"
    assert explain(boat, recipient="bob@own.test")["route"][0]["by"] == "routes.cf line 2"
    found = explain(boat, recipient="bob@no.test")
    assert verdict(found) == ("stop", "route")
    assert found["route"][0]["by"] == "routes.cf line 3" and "not there" in found["route"][0]["text"]


def test_a_domain_without_mail_stops_with_the_reason_of_its_bounce(packetboat, account, name_server, sink):
    found = explain(packetboat, recipient="bob@nothere.test")
    assert verdict(found) == ("stop", "site")
    event = packetboat.send(account, SENDER, "bob@nothere.test")
    bounce = packetboat.wait_event("bounce", message_id=event)
    assert found["site"][0]["text"].split(": ", 1)[1] in bounce["smtp"]["text"]


def test_a_suspension_names_its_rule_and_reply(make_packetboat, keep, name_server, new_sink):
    boat = make_packetboat()
    (boat.directory / "shaping.cf").write_text("[default]\nconnections = 7\nreply = /too fast/ suspend for 10m\n"
                                              "[domain dest.test]\nmessages = 50/1m\n")
    boat.give_away()
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = shop_of(boat)
    new_sink("dest.test").on("MAIL", "421 4.7.0 you are too fast")
    found = explain(boat, recipient="bob@dest.test")
    assert "shaping" not in found and found["limits"][0]["site"] == "connections=7 messages=50/1m"
    assert "shaping.cf:4 domain dest.test" in found["limits"][0]["by"]
    boat.send(shop, SENDER, "bob@dest.test")
    found = wait_for(lambda: (f := explain(boat, recipient="bob@dest.test")).get("shaping") and f, 30, "the suspension")
    effect = found["shaping"][0]
    assert verdict(found)[0] == "wait" and effect["effect"] == "suspended"
    assert "shaping.cf:3" in effect["by"] and "too fast" in effect["reply"] and "until 20" in effect["text"]
    boat.tool("pbqueue", "resume", "mx.dest.test")
    boat.tool("pbqueue", "suspend", "mx.dest.test")
    found = explain(boat, recipient="bob@dest.test")
    assert verdict(found)[0] == "wait" and "uid" in found["shaping"][0]["by"]
    assert "until it is resumed" in found["shaping"][0]["text"]


# -- source ----------------------------------------------------------------

def test_the_pool_shows_its_addresses_and_why_one_rests(new_packetboat, name_server, addresses, sink):
    boat = new_packetboat(source_check_interval="1s", source_check_retry="1s", source_name_wait="0s")
    good, bad = addresses.next(), addresses.next()
    for address in (good, bad):
        name_server.add("out.test", "A", address)
    name_server.add(ipaddress.ip_address(good).reverse_pointer, "PTR", "out.test.")
    for address in (good, bad):
        boat.tool("pbip", "add", address, "out.test", "pool=shop", "warmup=5,10" if address == good else "warmup=off")
    wait_for(lambda: boat.tool("pbip", "show", "--json", good).json()["state"] == "good", 30, "the address is good")
    shop_of(boat, pool="shop")
    found = explain(boat)
    assert found["pool"][0]["pool"] == "shop"
    assert [a["address"] for a in found["pool"][0]["out_of_service"]] == [bad]
    assert [(s["address"], s["name"]) for s in found["source"]] == [(good, "out.test")]
    assert "0 of 5 recipients today" in found["source"][0]["text"] and found["host"][0]["source_address"] == good
    name_server.remove(ipaddress.ip_address(good).reverse_pointer, "PTR")
    wait_for(lambda: boat.tool("pbip", "show", "--json", good).json()["state"] == "bad", 30, "the address is bad")
    found = wait_for(lambda: (f := explain(boat)) and verdict(f)[0] == "wait" and f, 20, "nobody sends")
    assert "no source address of the pool shop is in service" in found["source"][0]["text"]


# -- TLS -------------------------------------------------------------------

def live_tls(boat, account, sink, recipient) -> tuple[str, str]:
    """What a delivery says of the same decision."""
    message_id = boat.send(account, SENDER, recipient)
    tls = boat.wait_event("delivery", message_id=message_id)["details"]["tls"]
    return tls["policy"], tls["source"]


def test_default_and_table_are_told_as_deliveries_tell_them(make_packetboat, keep, name_server, new_sink):
    boat = make_packetboat()
    (boat.directory / "tls_policy").write_text("table.test encrypt\n")
    boat.write_config(smtp_tls_policy=boat.directory / "tls_policy")
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = shop_of(boat)
    for domain, by in (("plain.test", "smtp_tls_level = "), ("table.test", "smtp_tls_policy = ")):
        sink = new_sink(domain)
        tls = explain(boat, recipient=f"bob@{domain}")["tls"][0]
        assert (tls["policy"], tls["source"]) == live_tls(boat, shop, sink, f"bob@{domain}")
        assert tls["by"].startswith(by)


@pytest.mark.both_users
def test_a_policy_of_mta_sts_is_named_with_its_id(new_packetboat, sts_port, new_policy, sink):
    new_policy("sink.test", policy_text("*.sink.test"))
    boat = new_packetboat(mta_sts_port=sts_port, mta_sts_allow_networks="127.0.0.0/8", mta_sts_fetch_timeout="5s",
                          mta_sts_retry_time="1s")
    shop = shop_of(boat)
    live = live_tls(boat, shop, sink, BOB)
    tls = explain(boat)["tls"][0]
    assert (tls["policy"], tls["source"]) == live == ("sts", "sts")
    assert tls["mta_sts"] == "enforce" and "MTA-STS policy 1 of sink.test" in tls["by"]


@pytest.mark.both_users
def test_proof_and_pin_are_told(new_packetboat, sink):
    boat = new_packetboat(smtp_tls_learn_successes=2, smtp_tls_learn_days=1, smtp_connection_reuse_limit=1)
    shop = shop_of(boat)
    live_tls(boat, shop, sink, BOB)
    proof = explain(boat)["tls-proof"][0]
    assert (proof["required"], proof["successes"]) == (False, 1) and "1 of 2 deliveries" in proof["text"]
    live_tls(boat, shop, sink, BOB)
    boat.wait_log("site mx.sink.test has proven its TLS")
    found = explain(boat)
    assert found["tls-proof"][0]["required"]
    assert (found["tls"][0]["policy"], found["tls"][0]["source"]) == ("learned", "learned")
    assert found["tls"][0]["by"] == "proof of its TLS: pbtls why 'mx.sink.test'"


class TestDane:
    @pytest.fixture
    def name_server(self, new_name_server):
        return new_name_server(signed=("secure.test",))

    @pytest.mark.both_users
    def test_tlsa_records_decide(self, new_packetboat, name_server, new_sink, ca, smtp_port):
        anchor = name_server.trust_anchor("secure.test").split(";")[0].strip()
        boat = new_packetboat(smtp_tls_level="dane", dns_dnssec_trust_anchor=anchor, dns_negative_time="1s")
        boat.wait_log("answers under secure.test are validated")
        shop_of(boat)
        new_sink("secure.test")
        name_server.add(f"_{smtp_port}._tcp.mx.secure.test", "TLSA", "3 0 1 " + "ab" * 32)
        tls = explain(boat, recipient="bob@secure.test")["tls"][0]
        assert (tls["policy"], tls["source"], tls["tlsa"]) == ("dane", "dane", "usable")
        assert tls["by"].startswith("DANE: 1 validated TLSA records of ")
