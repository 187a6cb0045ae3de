"""The TLS ladder, against real peers: what each rung asks for, and that nothing falls below it."""

import hashlib
import ssl
import time

import pytest

SENDER = "orders@shop.test"


def add_shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


def submit(boat, recipient):
    return boat.send(add_shop(boat), SENDER, recipient)


def tlsa(certificate) -> str:
    """3 0 1: the digest of the certificate itself."""
    pem = certificate.cert.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return "3 0 1 " + hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


# -- opportunistic ---------------------------------------------------------

def test_broken_handshake_is_retried_in_clear_and_remembered(new_packetboat, new_sink):
    def break_off():
        raise ConnectionError("no handshake today")
    boat, sink = new_packetboat(smtp_connection_reuse_limit=1, smtp_tls_broken_time="5s"), new_sink()
    works, sink._tls_context = sink._tls_context, break_off
    shop = add_shop(boat)
    first = boat.send(shop, SENDER, "bob@sink.test")
    sink.wait_messages(1)
    tls = boat.wait_event("delivery", message_id=first)["details"]["tls"]
    assert tls["result"] == "failed" and tls["fallback"]
    assert sink.connections == 2

    boat.send(shop, SENDER, "bob@sink.test")
    sink.wait_messages(2)
    assert sink.connections == 3
    assert "STARTTLS" not in sink.sessions[2].commands()

    sink._tls_context = works
    time.sleep(5)
    third = boat.send(shop, SENDER, "bob@sink.test")
    sink.wait_messages(3)
    assert boat.wait_event("delivery", message_id=third)["details"]["tls"]["result"] == "verified"


# -- the table -------------------------------------------------------------

@pytest.mark.both_users
def test_table_raises_and_lowers_the_level_and_is_read_again(make_packetboat, keep, name_server, new_sink, ca):
    clear, wrong, plain = (new_sink(d, **o) for d, o in [
        ("clear.test", {"tls": False}), ("wrong.test", {"certificate": ca.wrong_name()}), ("plain.test", {})])
    boat = make_packetboat(retry_schedule="1s", retry_jitter=0)
    table = boat.directory / "tls_policy"
    table.write_text("clear.test encrypt\nwrong.test verify\nplain.test none\n")
    boat.write_config(smtp_tls_policy=table)
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = add_shop(boat)
    ids = {d: boat.send(shop, SENDER, f"bob@{d}") for d in ("clear.test", "wrong.test", "plain.test")}

    plain.wait_messages()
    tls = boat.wait_event("delivery", message_id=ids["plain.test"])["details"]["tls"]
    assert (tls["policy"], tls["source"], tls["result"]) == ("none", "table", "none")
    for domain, enh, level in (("clear.test", "4.7.4", "encrypt"), ("wrong.test", "4.7.5", "verify")):
        details = boat.wait_event("deferral", message_id=ids[domain])["details"]
        assert details["smtp"]["enh"] == enh
        assert (details["tls"]["policy"], details["tls"]["source"]) == (level, "table")
    assert clear.messages == [] and wrong.messages == []

    table.write_text("")
    boat.tool("packetboat", "reload")
    clear.wait_messages()
    wrong.wait_messages()


# -- REQUIRETLS (RFC 8689) -------------------------------------------------

@pytest.mark.both_users
def test_mail_that_requires_tls_goes_to_verified_hosts_that_promise_it_for_the_next_hop(new_packetboat, name_server, new_sink, ca):
    able, wrong, unable, any_host = (new_sink("able.secure.test"), new_sink("wrong.secure.test", certificate=ca.wrong_name()),
                                     new_sink("unable.secure.test"), new_sink("plain.test"))
    for sink in (able, wrong, any_host):
        sink.extensions.append("REQUIRETLS")
    boat = new_packetboat(dns_dnssec_trust_anchor=anchor(name_server), retry_schedule="1s", retry_jitter=0)
    boat.send(add_shop(boat), SENDER, [f"bob@{d}.test" for d in ("able.secure", "wrong.secure", "unable.secure", "plain")],
              mail_options=("REQUIRETLS",))
    assert "REQUIRETLS" in able.wait_messages(1)[0].mail_args.split()
    tls = boat.wait_event("delivery", recipient="bob@able.secure.test")["tls"]
    assert (tls["policy"], tls["source"], tls["result"]) == ("encrypt", "requiretls", "verified")
    assert boat.wait_event("deferral", recipient="bob@wrong.secure.test")["smtp"]["enh"] == "4.7.5"
    for domain, text in (("unable.secure.test", "does not offer it"), ("plain.test", "neither DNSSEC nor MTA-STS")):
        smtp = boat.wait_event("soft_bounce", recipient=f"bob@{domain}")["smtp"]
        assert smtp["enh"] == "5.7.30" and text in smtp["text"], smtp
    assert wrong.messages == unable.messages == any_host.messages == []


@pytest.mark.both_users
def test_reports_about_mail_that_requires_tls_require_it_and_have_its_header_only(new_packetboat, new_sink):
    """RFC 8689 section 5: they go where it is not offered, too."""
    boat, home = new_packetboat(smtp_connection_reuse_limit=1), new_sink("shop.test")
    new_sink("unable.test")
    shop = add_shop(boat)
    boat.tool("pbaccount", "set", "shop", "sender=plain")
    for n in (1, 2):
        boat.send(shop, SENDER, f"bob{n}@unable.test", mail_options=("REQUIRETLS", "RET=FULL"))
        report = home.wait_messages(n)[-1]
        assert (report.mail_from, "REQUIRETLS" in report.mail_args.split()) == ("", n == 2)
        assert b"5.7.30" in report.data and b"text/rfc822-headers" in report.data and b"Hello." not in report.data
        home.extensions.append("REQUIRETLS")


# -- learned ---------------------------------------------------------------

@pytest.fixture
def learning_boat(new_packetboat):
    return new_packetboat(smtp_tls_learn_successes=2, smtp_tls_learn_days=1, smtp_connection_reuse_limit=1,
                          retry_schedule="1s", retry_jitter=0)


def learn(boat, sink):
    """Two deliveries over TLS; the site is learned then."""
    shop = add_shop(boat)
    for n in (1, 2):
        boat.send(shop, SENDER, "bob@sink.test")
        sink.wait_messages(n)
    boat.wait_queue_empty()
    boat.wait_log("site mx.sink.test has proven its TLS")
    return shop


@pytest.mark.both_users
def test_learned_site_without_starttls_gets_nothing_until_it_is_pardoned(learning_boat, new_sink):
    boat, sink = learning_boat, new_sink()
    shop = learn(boat, sink)
    sites = boat.tool("pbtls", "--json", "list").lines()
    assert [(s["site"], s["state"]) for s in sites] == [("mx.sink.test", "learned")]

    sink.certificate = None
    message_id = boat.send(shop, SENDER, "bob@sink.test")
    details = boat.wait_event("deferral", message_id=message_id)["details"]
    assert details["smtp"]["enh"] == "4.7.4"
    assert "TLS required (learned)" in details["smtp"]["text"]
    assert (details["tls"]["policy"], details["tls"]["source"]) == ("learned", "learned")
    alert = boat.wait_event("alert", name="tls_violation")["details"]
    assert "mx.sink.test" in alert["text"]
    boat.wait_log("mail waits, for TLS has always worked there")

    boat.restart()
    boat.wait_log("status=deferred .TLS required .learned.")
    assert len(sink.messages) == 2
    assert "mail waits" in boat.tool("pbtls", "why", "mx.sink.test").out
    assert boat.tool("pbtls", "export").out == "mx.sink.test encrypt\n"

    boat.tool("pbtls", "pardon", "mx.sink.test")
    sink.wait_messages(3)
    assert boat.wait_event("delivery", message_id=message_id)["details"]["tls"]["policy"] == "may"
    assert boat.tool("pbtls", "--json", "list").lines() == []


def test_pinned_site_requires_tls_at_once(learning_boat, new_sink):
    boat, sink = learning_boat, new_sink("clear.test", tls=False)
    boat.tool("pbtls", "pin", "mx.clear.test")
    message_id = submit(boat, "bob@clear.test")
    assert boat.wait_event("deferral", message_id=message_id)["details"]["tls"]["policy"] == "learned"
    assert sink.messages == []


# -- DANE ------------------------------------------------------------------

@pytest.fixture
def name_server(new_name_server):
    """One zone is signed; the rest of the world is not."""
    return new_name_server(signed=("secure.test",))


def anchor(name_server) -> str:
    return name_server.trust_anchor("secure.test").split(";")[0].strip()


@pytest.fixture
def dane_boat(new_packetboat, name_server):
    boat = new_packetboat(smtp_tls_level="dane", dns_dnssec_trust_anchor=anchor(name_server), dns_negative_time="1s",
                          smtp_tls_CAfile=None, retry_schedule="1s", retry_jitter=0)
    boat.wait_log("answers under secure.test are validated")
    return boat


@pytest.mark.both_users
@pytest.mark.root
def test_matching_tlsa_record_delivers_verified_without_an_authority(dane_boat, name_server, new_postfix, smtp_port):
    receiver = new_postfix("secure.test")
    name_server.add(f"_{smtp_port}._tcp.mx.secure.test", "TLSA", tlsa(receiver.certificate))
    message_id = submit(dane_boat, "bob@secure.test")
    assert receiver.mail.wait(1)[0].recipient == "bob@secure.test"
    tls = dane_boat.wait_event("delivery", message_id=message_id)["details"]["tls"]
    assert (tls["policy"], tls["source"], tls["result"]) == ("dane", "dane", "verified")


@pytest.mark.root
def test_wrong_tlsa_record_defers_until_it_is_right(dane_boat, name_server, new_postfix, ca, smtp_port):
    receiver = new_postfix("secure.test")
    name = f"_{smtp_port}._tcp.mx.secure.test"
    name_server.add(name, "TLSA", tlsa(ca.wrong_name()))
    message_id = submit(dane_boat, "bob@secure.test")
    details = dane_boat.wait_event("deferral", message_id=message_id)["details"]
    assert details["smtp"]["enh"] == "4.7.5"
    assert details["tls"]["policy"] == "dane"
    assert receiver.mail.messages() == []

    name_server.remove(name, "TLSA")
    name_server.add(name, "TLSA", tlsa(receiver.certificate))
    receiver.mail.wait(1)
    assert dane_boat.wait_event("delivery", message_id=message_id)["details"]["tls"]["result"] == "verified"


@pytest.mark.both_users
def test_host_with_tlsa_records_and_without_starttls_gets_nothing(dane_boat, name_server, new_sink, ca, smtp_port):
    sink = new_sink("secure.test", tls=False)
    name_server.add(f"_{smtp_port}._tcp.mx.secure.test", "TLSA", tlsa(ca.server("mx.secure.test")))
    message_id = submit(dane_boat, "bob@secure.test")
    details = dane_boat.wait_event("deferral", message_id=message_id)["details"]
    assert details["smtp"]["enh"] == "4.7.4"
    assert details["tls"]["policy"] == "dane"
    assert sink.messages == []


def test_unsigned_zone_is_delivered_as_with_may(dane_boat, name_server, new_sink, ca, smtp_port):
    sink = new_sink("plain.test")
    name_server.add(f"_{smtp_port}._tcp.mx.plain.test", "TLSA", tlsa(ca.wrong_name()))
    message_id = submit(dane_boat, "bob@plain.test")
    sink.wait_messages()
    assert dane_boat.wait_event("delivery", message_id=message_id)["details"]["tls"]["policy"] == "may"


@pytest.mark.both_users
def test_bogus_tlsa_answer_defers(new_packetboat, name_server, new_sink, ca, smtp_port):
    """The zone's data no longer fit its signatures: the host is left alone."""
    sink = new_sink("secure.test", tls=False)
    boat = new_packetboat(smtp_tls_level="dane", dns_dnssec_trust_anchor=anchor(name_server), retry_schedule="1s",
                          retry_jitter=0)
    name = f"_{smtp_port}._tcp.mx.secure.test"
    name_server.add(name, "TLSA", tlsa(ca.server("mx.secure.test")))
    shop = add_shop(boat)
    name_server.falsify(name, "TLSA", tlsa(ca.wrong_name()))
    message_id = boat.send(shop, SENDER, "bob@secure.test")
    details = boat.wait_event("deferral", message_id=message_id)["details"]
    assert details["smtp"]["enh"] == "4.7.5"
    assert "TLSA" in details["smtp"]["text"]
    assert sink.messages == []


def test_dane_without_a_trust_anchor_is_warned_of(new_packetboat):
    boat = new_packetboat(smtp_tls_level="dane")
    boat.wait_log("dns_dnssec_trust_anchor is empty")


def test_dane_with_servers_that_strip_signatures_is_warned_of(new_packetboat, name_server):
    boat = new_packetboat(smtp_tls_level="dane",
                          dns_dnssec_trust_anchor="plain.test. IN DS 12345 13 2 " + "ab" * 32)
    boat.wait_log("about plain.test cannot be validated")
