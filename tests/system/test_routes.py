"""Fixed next hops: routes.cf and relayhost, with AUTH at real servers, and what must not be reached."""

import pytest

from lib.net import free_port
from lib.wait import wait_for

SENDER = "orders@shop.test"
USER, PASSWORD = "shop", "Sesam, öffne dich: 1"


@pytest.fixture
def new_boat(make_packetboat, keep, name_server):
    """new_boat(routes="...", passwords="..."): a started instance with an account, `boat.shop`."""
    def make(routes: str = "", passwords: str = "", **parameters):
        boat = make_packetboat(retry_schedule="1s", retry_jitter=0, **parameters)
        write(boat, routes, passwords)
        name_server.add(boat.HOSTNAME, "A", boat.address)
        keep.start(boat)
        boat.shop = boat.add_account("shop")
        boat.add_domain(boat.shop, "shop.test")
        return boat
    return make


def write(boat, routes: str = "", passwords: str = ""):
    """routes.cf and the password file, which only its owner may read."""
    (boat.directory / "routes.cf").write_text(routes)
    file = boat.directory / "sasl_passwd"
    file.write_text(passwords)
    file.chmod(0o600)
    boat.write_config(smtp_sasl_password_maps=file if passwords else None)


def reload(boat):
    done = boat.log_text().count("reload is complete")
    boat.tool("packetboat", "reload")
    wait_for(lambda: boat.log_text().count("reload is complete") > done, 30, "the reload")


@pytest.fixture
def new_relay(new_postfix):
    """Postfix that takes mail for far.test from who has logged in, inside TLS."""
    def make(mechanisms: str):
        return new_postfix("relay.test", sasl=(USER, PASSWORD, mechanisms), virtual_mailbox_domains="far.test")
    return make


# -- AUTH ------------------------------------------------------------------

@pytest.mark.root
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_postfix_gets_mail_from_who_has_logged_in(mechanism, new_relay, new_boat):
    relay = new_relay(mechanism)
    hop = f"[mx.relay.test]:{relay.port}"
    boat = new_boat(f"far.test smtp:{hop}\n", f"{hop} {USER}:{PASSWORD}\n")
    message_id = boat.send(boat.shop, SENDER, ["bob@far.test", "eve@far.test"])
    stored = relay.mail.wait(2)
    assert {m.recipient for m in stored} == {"bob@far.test", "eve@far.test"}
    assert "Authenticated sender: shop" in stored[0].header("Received")
    event = boat.wait_event("delivery", message_id=message_id)
    assert event["tls"]["result"] == "verified" and event["dest_host"] == "mx.relay.test"
    assert PASSWORD not in boat.log_text() and PASSWORD not in boat.tool("pblog", "--json").out


@pytest.mark.both_users
@pytest.mark.root
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_exim_as_relayhost_gets_mail_from_who_has_logged_in(mechanism, new_exim, new_boat):
    relay = new_exim("far.test", login=(USER, PASSWORD, mechanism))
    boat = new_boat("", f"mx.far.test {USER}:{PASSWORD}\n", relayhost=f"[mx.far.test]:{relay.port}")
    boat.send(boat.shop, SENDER, "bob@far.test")
    stored = relay.mail.wait(1)[0]
    assert "esmtpsa" in stored.header("Received")
    boat.wait_queue_empty()


@pytest.mark.root
def test_wrong_password_keeps_the_mail_until_it_is_mended(new_relay, new_boat):
    relay = new_relay("PLAIN LOGIN")
    hop = f"[mx.relay.test]:{relay.port}"
    boat = new_boat(f"far.test {hop}\n", f"{hop} {USER}:wrong\n")
    boat.send(boat.shop, SENDER, "bob@far.test")
    deferral = boat.wait_event("deferral")
    assert deferral["smtp"]["code"] == 535 and deferral["class_bounce"] == "config"
    write(boat, f"far.test {hop}\n", f"{hop} {USER}:{PASSWORD}\n")
    reload(boat)
    assert relay.mail.wait(1)[0].recipient == "bob@far.test"


def test_password_goes_to_nobody_without_tls_or_with_a_foreign_certificate(new_boat, new_sink, ca):
    clear, wrong = new_sink("clear.test", tls=False), new_sink("wrong.test", certificate=ca.wrong_name())
    for sink in (clear, wrong):
        sink.extensions.append("AUTH PLAIN LOGIN")
        sink.on("AUTH", "235 2.7.0 ok")
    boat = new_boat("".join(f"to-{s.name} [{s.name}]\n" for s in (clear, wrong)) + f"trusting [{wrong.name}] tls=encrypt\n",
                    "".join(f"{s.name} {USER}:{PASSWORD}\n" for s in (clear, wrong)))
    for sink in (clear, wrong):
        boat.send(boat.shop, SENDER, f"bob@to-{sink.name}")
        assert boat.wait_event("deferral", recipient=f"bob@to-{sink.name}")["class_bounce"] == "tls"
        assert not [c for s in sink.sessions for c in s.commands() if c.startswith("AUTH")]
        assert sink.messages == []
    boat.send(boat.shop, SENDER, "bob@trusting")
    message = wrong.wait_messages(1)[0]
    assert message.tls and any(c.startswith("AUTH PLAIN") for c in message.session.commands())


# -- TLS from the first byte -----------------------------------------------

@pytest.mark.both_users
@pytest.mark.root
def test_postfix_smtps_gets_mail_from_who_has_logged_in(new_postfix, new_boat):
    relay = new_postfix("relay.test", sasl=(USER, PASSWORD, "PLAIN"), virtual_mailbox_domains="far.test",
                        smtpd_tls_wrappermode="yes")
    hop = f"smtps:[mx.relay.test]:{relay.port}"
    boat = new_boat(f"far.test {hop} tls=verify\n", f"[mx.relay.test]:{relay.port} {USER}:{PASSWORD}\n")
    ids = [boat.send(boat.shop, SENDER, f"{who}@far.test") for who in ("bob", "eve")]
    assert {m.recipient for m in relay.mail.wait(2)} == {"bob@far.test", "eve@far.test"}
    for message_id in ids:
        tls = boat.wait_event("delivery", message_id=message_id)["tls"]
        assert (tls["source"], tls["policy"], tls["result"]) == ("smtps", "verify", "verified")
    told = {o["decision"]: o for o in boat.tool("pbexplain", "--json", "-a", "shop", "-f", SENDER, "-r", "bob@far.test").lines()}
    assert "smtps: of the route" in told["tls"]["by"] and told["verdict"]["outcome"] == "go"


@pytest.mark.root
def test_exim_tls_on_connect_as_relayhost(new_exim, new_boat):
    relay = new_exim("far.test", login=(USER, PASSWORD, "LOGIN"), smtps=True)
    boat = new_boat("", f"mx.far.test {USER}:{PASSWORD}\n", relayhost=f"smtps:[mx.far.test]:{relay.port}")
    boat.send(boat.shop, SENDER, "bob@far.test")
    assert "esmtpsa" in relay.mail.wait(1)[0].header("Received")
    assert boat.wait_event("delivery")["tls"]["source"] == "smtps"


def test_smtps_sends_nothing_to_a_server_without_it_or_with_a_foreign_certificate(new_boat, new_sink, ca):
    clear, wrong = new_sink("clear.test", tls=False), new_sink("wrong.test", certificate=ca.wrong_name())
    boat = new_boat(f"one.test smtps:[{clear.name}]:{clear.port}\n"
                    f"two.test smtps:[{wrong.name}]:{wrong.port} tls=verify\n", smtp_starttls_timeout="2s")
    for domain in ("one.test", "two.test"):
        message_id = boat.send(boat.shop, SENDER, f"bob@{domain}")
        deferral = boat.wait_event("deferral", message_id=message_id)
        assert deferral["tls"]["source"] == "smtps" and deferral["class_bounce"] == "tls", deferral
        assert deferral["tls"]["result"] != "verified"
    assert clear.messages == wrong.messages == []


# -- routes ----------------------------------------------------------------

@pytest.mark.both_users
def test_each_domain_takes_its_route_and_changes_count_after_a_reload(new_boat, new_sink):
    one, two, rest = new_sink("one.test"), new_sink("two.test"), new_sink("rest.test")
    boat = new_boat(f".below.test [{one.address}]:{one.port}\nby-mx.test smtp:two.test\nown.test smtp:\n"
                    "closed.test error:5.1.2 This domain is closed\n", relayhost=f"[{rest.name}]")
    own = new_sink("own.test")
    for domain in ("a.below.test", "by-mx.test", "own.test", "closed.test", "elsewhere.test", "b.elsewhere.test"):
        boat.send(boat.shop, SENDER, f"bob@{domain}")
    one.wait_messages(1), two.wait_messages(1), own.wait_messages(1), rest.wait_messages(2)
    assert one.messages[0].recipients == ["bob@a.below.test"]
    assert two.messages[0].recipients == ["bob@by-mx.test"]
    assert own.messages[0].recipients == ["bob@own.test"]
    assert {m.recipients[0] for m in rest.messages} == {"bob@elsewhere.test", "bob@b.elsewhere.test"}
    bounce = boat.wait_event("soft_bounce", recipient="bob@closed.test")
    assert bounce["smtp"]["text"] == "This domain is closed" and bounce["smtp"]["enh"] == "5.1.2"

    write(boat, f"* [{two.name}]\n")
    reload(boat)
    boat.send(boat.shop, SENDER, "eve@a.below.test")
    assert two.wait_messages(2)[1].recipients == ["eve@a.below.test"]


@pytest.mark.both_users
def test_mistakes_stop_the_start_and_the_reload_with_file_and_line(new_boat, make_packetboat, new_sink):
    sink = new_sink()
    boat = new_boat("far.test [mx.sink.test]\n")
    for routes, passwords, words in [
            ("# one\nfar.test smpt:[mx.sink.test]\n", "", "routes.cf:2: smpt:[mx.sink.test]: no such word; the nearest is smtp:"),
            ("far.test [mx.sink.test] tsl=may\n", "", "routes.cf:1: tsl is no option; the nearest is tls=LEVEL"),
            ("far.test [mx.sink.test]\n", "[mx.skin.test] a:b\n", "sasl_passwd:1: neither relayhost nor routes.cf has this next hop")]:
        write(boat, routes, passwords)
        for verb in ("check", "reload"):
            result = boat.tool("packetboat", verb, check=False)
            assert result.code == 78 and words in result.err, result
    write(boat, "far.test [mx.sink.test]\n", "[mx.sink.test] a:b\n")
    (boat.directory / "sasl_passwd").chmod(0o644)
    result = boat.tool("packetboat", "check", check=False)
    assert result.code == 78 and "others may use it; chmod 600 it" in result.err
    boat.send(boat.shop, SENDER, "bob@far.test")  # the old one works on
    assert sink.wait_messages(1)[0].recipients == ["bob@far.test"]


# -- what must not be reached ----------------------------------------------

def test_public_policy_refuses_loopback_by_mx_but_not_by_route(new_boat, new_sink):
    sink = new_sink()
    boat = new_boat(f"fixed.test [{sink.name}]\n", smtp_address_policy="public")
    boat.send(boat.shop, SENDER, "bob@sink.test")
    boat.send(boat.shop, SENDER, "bob@fixed.test")
    bounce = boat.wait_event("soft_bounce", recipient="bob@sink.test")
    assert bounce["smtp"]["enh"] == "5.4.4" and "smtp_address_policy" in bounce["smtp"]["text"]
    assert sink.wait_messages(1)[0].recipients == ["bob@fixed.test"]
    assert sink.connections == 1


def test_mx_that_is_ourselves_is_a_loop_by_address_by_name_and_by_greeting(make_packetboat, keep, name_server, new_sink, addresses):
    boat = make_packetboat(retry_schedule="1s")
    # Another MX listener, on the port that all MX hosts share.
    boat.write_config(smtpd_listen=f"{boat.parameters['smtpd_listen']}, {boat.address}:{boat.parameters['smtp_port']}/mx")
    name_server.add_mail_host("address.test", ("other-name.test", boat.address))
    name_server.add_mail_host("name.test", (boat.HOSTNAME, addresses.next()))
    impostor = new_sink("greeting.test")
    impostor.name = boat.HOSTNAME
    better, worse = new_sink("better.test"), new_sink("worse.test")
    name_server.add("mixed.test", "MX", f"10 {better.name}.", f"20 {boat.HOSTNAME}.", f"30 {worse.name}.")
    keep.start(boat)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    for domain in ("address.test", "name.test", "greeting.test", "mixed.test"):
        boat.send(shop, SENDER, f"bob@{domain}")
    for domain in ("address.test", "name.test", "greeting.test"):
        bounce = boat.wait_event("soft_bounce", recipient=f"bob@{domain}")
        assert bounce["smtp"]["enh"] == "5.4.6" and "loops back to myself" in bounce["smtp"]["text"]
    assert better.wait_messages(1)[0].recipients == ["bob@mixed.test"]
    assert worse.connections == 0 and impostor.messages == []
