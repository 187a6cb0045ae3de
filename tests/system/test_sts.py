"""MTA-STS (RFC 8461): policies fetched from real web servers, and what they do to deliveries."""

import hashlib
import os
import pathlib
import re
import signal
import ssl
import time

import pytest

from lib.ca import Certificate
from lib.dns import TTL
from lib.policy import policy_text
from lib.process import children, run
from lib.wait import wait_for

SENDER = "orders@shop.test"
HOST = "mx.sink.test"


@pytest.fixture
def boat_options(sts_port) -> dict:
    return {"mta_sts_port": sts_port, "mta_sts_allow_networks": "127.0.0.0/8", "mta_sts_fetch_timeout": "5s",
            "mta_sts_retry_time": "1s", "mta_sts_retry_time_limit": "2s", "dns_negative_time": "1s", "retry_schedule": "1s", "retry_jitter": 0,
            "smtp_connection_idle_time": 0}


@pytest.fixture
def new_boat(new_packetboat, boat_options):
    def make(**options):
        return new_packetboat(**(boat_options | options))
    return make


def submit(boat, recipient="bob@sink.test"):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    boat.shop = account
    return boat.send(account, SENDER, recipient)


def deferral(boat, message_id):
    return boat.wait_event("deferral", message_id=message_id)["details"]


def delivery(boat, message_id):
    return boat.wait_event("delivery", message_id=message_id)["details"]


def policies(boat) -> dict:
    return {p["domain"]: p for p in boat.tool("pbtls", "--json", "list", "-a").lines() if "domain" in p}


# -- enforce ---------------------------------------------------------------

@pytest.mark.both_users
def test_enforced_policy_delivers_verified_and_is_shown(new_boat, sink, new_policy):
    server = new_policy("sink.test", policy_text("*.sink.test"))
    boat = new_boat()
    details = delivery(boat, submit(boat))
    assert (details["tls"]["policy"], details["tls"]["source"], details["tls"]["result"]) == ("sts", "sts", "verified")
    assert details["mta_sts"] == "enforce id=1"
    assert server.requests() == 1

    assert policies(boat)["sink.test"]["mx"] == ["*.sink.test"]
    assert "enforce   sink.test, MTA-STS: *.sink.test" in boat.tool("pbtls", "list").out
    why = boat.tool("pbtls", "why", "sink.test")
    assert "mode enforce" in why.out and "id 1" in why.out and why.err == ""
    assert boat.tool("pbtls", "why", "other.test", check=False).code == 68


@pytest.mark.both_users
def test_certificates_that_are_not_right_defer(new_boat, new_sink, new_policy, ca, tmp_path):
    key, cert = tmp_path / "key", tmp_path / "cert"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
        "-out", cert, "-subj", "/CN=mx.self.test", "-addext", "subjectAltName=DNS:mx.self.test")
    receivers = {"wrong.test": ca.wrong_name(), "expired.test": ca.expired("mx.expired.test"),
                 "self.test": type(ca.wrong_name())(cert, key)}
    sinks = {domain: new_sink(domain, certificate=c) for domain, c in receivers.items()}
    for domain in sinks:
        new_policy(domain, policy_text(f"mx.{domain}"))
    boat = new_boat()
    first = submit(boat, "bob@wrong.test")
    ids = {"wrong.test": first} | {d: boat.send(boat.shop, SENDER, f"bob@{d}") for d in ("expired.test", "self.test")}
    for domain, sink in sinks.items():
        details = deferral(boat, ids[domain])
        assert details["smtp"]["enh"] == "4.7.5", domain
        assert "TLS required (sts)" in details["smtp"]["text"]
        assert details["tls"]["policy"] == "sts"
        assert sink.messages == []


def test_stripped_starttls_defers_until_it_is_back(new_boat, new_sink, new_policy, ca):
    sink = new_sink(tls=False)
    new_policy("sink.test", policy_text(HOST))
    boat = new_boat()
    message_id = submit(boat)
    details = deferral(boat, message_id)
    assert details["smtp"]["enh"] == "4.7.4"
    assert details["mta_sts"].startswith("enforce id=1")
    assert sink.messages == []


def test_only_hosts_that_the_policy_names_are_used(new_boat, new_sink, new_policy, name_server):
    """The evil host is preferred by the MX records, and would do everything right but the name."""
    evil = new_sink("evil.test")
    sink = new_sink("sink.test")
    name_server.remove("sink.test", "MX")
    name_server.add("sink.test", "MX", "5 mx.evil.test.", "10 mx.sink.test.")
    name_server.add("half.test", "MX", "5 mx.evil.test.")
    new_policy("sink.test", policy_text(HOST))
    new_policy("half.test", policy_text("*.half.test"))
    boat = new_boat()
    message_id = submit(boat)
    assert delivery(boat, message_id)["dest_host"] == HOST
    sink.wait_messages(1)
    details = deferral(boat, boat.send(boat.shop, SENDER, "bob@half.test"))
    assert details["smtp"]["enh"] == "4.7.0"
    assert "does not name its host mx.evil.test" in details["smtp"]["text"]
    assert evil.connections == 0


def test_domains_of_one_site_keep_their_own_policies(new_boat, new_sink, new_policy, name_server):
    """A policy holds for its domain's mail alone, and its failure does not stop the others."""
    sink = new_sink("sink.test", tls=False)
    name_server.add("free.test", "MX", f"10 {HOST}.")
    new_policy("sink.test", policy_text(HOST))
    boat = new_boat(smtp_connection_idle_time="10s")
    held = submit(boat)
    deferral(boat, held)
    free = boat.send(boat.shop, SENDER, "bob@free.test")
    assert delivery(boat, free)["tls"]["policy"] == "may"
    boat.send(boat.shop, SENDER, "bob@sink.test")
    for _ in range(3):
        delivery(boat, boat.send(boat.shop, SENDER, "bob@free.test"))
    assert {m.recipients[0] for m in sink.messages} == {"bob@free.test"}


def test_exception_in_the_table_is_one_from_the_policy(make_packetboat, keep, boat_options, name_server, new_sink, new_policy):
    sink = new_sink(tls=False)
    new_policy("sink.test", policy_text(HOST))
    boat = make_packetboat(**boat_options)
    table = boat.directory / "tls_policy"
    table.write_text("sink.test may\n")
    boat.write_config(smtp_tls_policy=table)
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    message_id = submit(boat)
    sink.wait_messages()
    assert delivery(boat, message_id)["tls"]["source"] == "table"


# -- testing and none ------------------------------------------------------

def test_testing_mode_delivers_and_notes_the_failure(new_boat, new_sink, new_policy, ca):
    clear, wrong, other = new_sink("clear.test", tls=False), new_sink("wrong.test", certificate=ca.wrong_name()), new_sink("other.test")
    new_policy("clear.test", policy_text("mx.clear.test", mode="testing"))
    new_policy("wrong.test", policy_text("mx.wrong.test", mode="testing"))
    new_policy("other.test", policy_text("mail.other.test", mode="testing"))
    boat = new_boat()
    clear_id = submit(boat, "bob@clear.test")
    wrong_id, other_id = (boat.send(boat.shop, SENDER, f"bob@{d}") for d in ("wrong.test", "other.test"))
    assert delivery(boat, clear_id)["mta_sts"] == "testing id=1: no STARTTLS"
    assert "mismatch" in delivery(boat, wrong_id)["mta_sts"]
    assert delivery(boat, other_id)["mta_sts"] == "testing id=1: the policy does not name the host"
    boat.wait_log("mta-sts: clear.test: testing id=1: no STARTTLS")


# -- the cache -------------------------------------------------------------

@pytest.mark.both_users
def test_policy_outlives_a_restart_and_its_server(new_boat, new_sink, new_policy, ca):
    sink = new_sink()
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat()
    delivery(boat, submit(boat))
    server.stop()
    sink.certificate = None
    boat.restart()
    message_id = boat.send(boat.shop, SENDER, "bob@sink.test")
    assert deferral(boat, message_id)["tls"]["policy"] == "sts"
    assert policies(boat)["sink.test"]["valid"]
    assert len(sink.messages) == 1


def test_changed_id_fetches_anew_and_a_failure_keeps_what_is_known(new_boat, new_sink, new_policy, name_server):
    sink = new_sink(tls=False)
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat()
    message_id = submit(boat)
    assert deferral(boat, message_id)["tls"]["policy"] == "sts"

    server.write("this is no policy")
    name_server.remove("_mta-sts.sink.test", "TXT")
    name_server.add("_mta-sts.sink.test", "TXT", "v=STSv1; id=2;")
    boat.wait_log("sink.test: policy not fetched, the known one stays: a line has no colon")
    assert policies(boat)["sink.test"]["id"] == "1"
    assert sink.messages == []

    server.write(policy_text(mode="none"))
    sink.wait_messages(deadline=30)
    assert delivery(boat, message_id)["tls"]["policy"] == "may"
    assert policies(boat)["sink.test"]["mode"] == "none"


def test_removed_record_does_not_remove_the_policy(new_boat, new_sink, new_policy, name_server):
    sink = new_sink(tls=False)
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat()
    deferral(boat, submit(boat))
    name_server.remove("_mta-sts.sink.test", "TXT")
    server.stop()
    boat.restart()
    message_id = boat.send(boat.shop, SENDER, "bob@sink.test")
    assert deferral(boat, message_id)["tls"]["policy"] == "sts"
    assert sink.messages == []


def test_refresh_fetches_at_once(new_boat, new_sink, new_policy):
    new_sink(tls=False)
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat()
    assert "mode enforce" in boat.tool("pbtls", "refresh", "sink.test").out
    server.write(policy_text(HOST, mode="testing"))
    assert "mode testing" in boat.tool("pbtls", "refresh", "sink.test").out
    server.stop()
    failed = boat.tool("pbtls", "refresh", "sink.test", check=False)
    assert failed.code == 75 and "policy not fetched" in failed.err and "mode testing" in failed.out
    assert boat.tool("pbtls", "refresh", "nothing.test", check=False).code == 68


def test_broken_policy_is_asked_for_once_by_many_messages_also_after_a_restart(new_boat, new_sink, new_policy, name_server):
    """RFC 8461 section 3.3; only a changed id is tried at once, and once."""
    sink = new_sink(tls=False)
    server = new_policy("sink.test", "this is no policy")
    boat = new_boat(mta_sts_retry_time="10m", mta_sts_retry_time_limit="1h")
    submit(boat)

    def send(n: int):
        before = len(sink.messages)
        for i in range(n):
            boat.send(boat.shop, SENDER, f"r{i}@sink.test")
        sink.wait_messages(before + n)
    sink.wait_messages(1)
    send(4)
    time.sleep(TTL + 0.5)  # deliver asks again, resolvd does not
    send(5)
    boat.restart()
    send(5)
    assert server.requests() == 1
    why = boat.tool("pbtls", "why", "sink.test").out
    assert "no MTA-STS policy" in why and "not fetched (id 1, failures 1): a line has no colon" in why
    assert "not again before" in why
    told = next(o for o in boat.tool("pbexplain", "--json", "-a", "shop", "-f", SENDER, "-r", "bob@sink.test").lines()
                if o["decision"] == "mta-sts")
    assert told["mta_sts_error"] == "a line has no colon" and told["expires"] > time.time() + 300

    name_server.remove("_mta-sts.sink.test", "TXT")
    name_server.add("_mta-sts.sink.test", "TXT", "v=STSv1; id=2;")

    def tried() -> bool:
        send(1)
        return server.requests() > 1
    wait_for(tried, 30, "the fetch for the new id")
    time.sleep(TTL + 0.5)
    send(3)
    assert server.requests() == 2
    assert policies(boat)["sink.test"]["failures"] == 2


# -- what is no policy -----------------------------------------------------

BAD = {
    "oversized": ("larger than mta_sts_policy_size", {"text": policy_text("mx.sink.test") + "x: y\r\n" * 20000}),
    "redirect": ("answered with 302", {"location": "return 302 https://$host/other;"}),
    "missing": ("answered with 404", {"location": "return 404;"}),
    "slow": ("timed out|Timeout|timeout", {"location": "limit_rate 10;", "text": policy_text("mx.sink.test") * 50}),
    "html": ("media type is text/html", {"media_type": "text/html"}),
    "malformed": ("no max_age", {"text": "version: STSv1\nmode: enforce\nmx: mx.sink.test\n"}),
    "certificate": ("[Cc]ertificate|subject name", {"wrong": True}),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_policy_is_none(what, new_boat, new_sink, new_policy, ca):
    pattern, how = BAD[what]
    sink = new_sink(tls=False)
    new_policy("sink.test", how.get("text", policy_text(HOST)), media_type=how.get("media_type", "text/plain"),
               location=how.get("location", ""), certificate=ca.wrong_name() if "wrong" in how else None)
    boat = new_boat(mta_sts_fetch_timeout="2s" if what == "slow" else "10s", mta_sts_retry_time="1m")
    message_id = submit(boat)
    sink.wait_messages()
    assert delivery(boat, message_id)["tls"]["policy"] == "may"
    boat.wait_log(f"mta-sts: sink.test: policy not fetched: .*({pattern})")


def test_private_address_is_not_connected_to(new_boat, new_sink, new_policy):
    sink = new_sink(tls=False)
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat(mta_sts_allow_networks="")
    submit(boat)
    sink.wait_messages()
    boat.wait_log("no public address")
    assert server.requests() == 0


def test_switched_off_nothing_is_asked(new_boat, new_sink, new_policy):
    sink = new_sink(tls=False)
    server = new_policy("sink.test", policy_text(HOST))
    boat = new_boat(smtp_mta_sts="no")
    submit(boat)
    sink.wait_messages()
    assert server.requests() == 0


# -- beside the other rungs ------------------------------------------------

@pytest.mark.root
def test_postfix_and_users_of_their_own(new_packetboat, boat_options, new_postfix, new_policy):
    """As installed by root: the fetching child has no more than its user."""
    receiver = new_postfix("postfix.test")
    new_policy("postfix.test", policy_text("mx.postfix.test"))
    boat = new_packetboat(mode="root", **boat_options)
    message_id = submit(boat, "bob@postfix.test")
    assert receiver.mail.wait(1)[0].recipient == "bob@postfix.test"
    assert delivery(boat, message_id)["tls"]["policy"] == "sts"


@pytest.mark.root
def test_session_of_a_bad_certificate_is_not_resumed_where_a_good_one_is_needed(new_boat, new_postfix, new_policy, ca,
                                                                                 new_directory):
    """The server has a right certificate by now; a resumed session would not show it."""
    place = new_directory("certificate")
    now = Certificate(place / "cert.pem", place / "key.pem")

    def install(certificate):
        for new, path in zip(certificate, now):
            path.with_suffix(".new").write_bytes(new.read_bytes())
            path.with_suffix(".new").rename(path)
    install(ca.wrong_name())
    receiver = new_postfix("postfix.test", certificate=now,
                           smtpd_tls_session_cache_database="btree:${data_directory}/sessions")
    boat = new_boat()
    first = submit(boat, "bob@postfix.test")
    assert delivery(boat, first)["tls"]["result"] == "encrypted"

    install(ca.server("mx.postfix.test"))
    new_policy("postfix.test", policy_text("mx.postfix.test"))
    wait_for(lambda: boat.tool("pbtls", "refresh", "postfix.test", check=False).code == 0, 20, "the policy")
    time.sleep(TTL + 0.5)  # deliver believes the plan of the first message so long
    second = boat.send(boat.shop, SENDER, "bob@postfix.test")
    assert delivery(boat, second)["tls"]["policy"] == "sts"
    assert boat.events("deferral") == []
    receiver.mail.wait(2)


@pytest.mark.root
def test_child_that_fetches_has_a_pipe_and_the_network_only(new_packetboat, boat_options, sink, new_policy):
    new_policy("sink.test", policy_text(HOST) * 50, location="limit_rate 10;")
    boat = new_packetboat(mode="root", **boat_options | {"mta_sts_fetch_timeout": "30s"})
    resolvd = boat.pids("resolvd")[0]
    message_id = submit(boat)

    def look():
        for child in children(resolvd):
            found = [os.readlink(link) for link in pathlib.Path(f"/proc/{child}/fd").iterdir()]
            if any(name.startswith("socket:") for name in found) and len(found) < 10:
                return child, found
        return None
    child, descriptors = wait_for(look, 20, "the child that fetches")
    status = pathlib.Path(f"/proc/{child}/status").read_text()
    assert re.search(r"^Seccomp:\s2$", status, re.M) and re.search(r"^NoNewPrivs:\s1$", status, re.M)
    assert re.search(r"^Uid:\s(?!0\s)", status, re.M) and re.search(r"^CapEff:\s0+$", status, re.M)
    # Its result's pipe; libcurl has its connection and a pair to wake itself.
    assert sum(name.startswith("pipe:") for name in descriptors) == 1, descriptors
    assert all(name.startswith(("pipe:", "socket:", "anon_inode:")) for name in descriptors), descriptors
    assert len(descriptors) <= 5, descriptors
    os.kill(child, signal.SIGKILL)
    assert delivery(boat, message_id)["tls"]["policy"] == "may"
    boat.wait_log("ended without a result")


def tlsa(certificate) -> str:
    """3 0 1: the digest of the certificate itself."""
    pem = certificate.cert.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return "3 0 1 " + hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


class TestDane:
    @pytest.fixture
    def name_server(self, new_name_server):
        return new_name_server(signed=("secure.test",))

    @pytest.fixture
    def dane_boat(self, new_boat, name_server):
        anchor = name_server.trust_anchor("secure.test").split(";")[0].strip()
        return lambda: new_boat(smtp_tls_level="dane", dns_dnssec_trust_anchor=anchor)

    def test_dane_goes_before_the_policy(self, dane_boat, name_server, new_sink, new_policy, ca, smtp_port):
        """A certificate that the policy would refuse and TLSA records accept, and the other way round."""
        good, bad = ca.wrong_name(), ca.server("mx.secure.test")
        sink = new_sink("secure.test", certificate=good)
        name_server.add(f"_{smtp_port}._tcp.mx.secure.test", "TLSA", tlsa(good))
        new_policy("secure.test", policy_text("mx.secure.test"))
        boat = dane_boat()
        details = delivery(boat, submit(boat, "bob@secure.test"))
        assert (details["tls"]["policy"], details["tls"]["result"]) == ("dane", "verified")
        sink.certificate = bad
        details = deferral(boat, boat.send(boat.shop, SENDER, "bob@secure.test"))
        assert (details["tls"]["policy"], details["smtp"]["enh"]) == ("dane", "4.7.5")

    def test_records_at_the_end_of_an_alias_count_first(self, dane_boat, name_server, new_sink, addresses, ca, smtp_port):
        """RFC 7672 section 2.2.2."""
        sink = new_sink("plain.test", host="real.secure.test")
        name_server.add("mail.secure.test", "CNAME", "real.secure.test.")
        name_server.add("secure.test", "MX", "10 mail.secure.test.")
        name_server.add(f"_{smtp_port}._tcp.mail.secure.test", "TLSA", tlsa(ca.wrong_name()))
        name_server.add(f"_{smtp_port}._tcp.real.secure.test", "TLSA", tlsa(sink.certificate))
        boat = dane_boat()
        message_id = submit(boat, "bob@secure.test")
        tls = delivery(boat, message_id)["tls"]
        assert (tls["policy"], tls["result"]) == ("dane", "verified")

        name_server.remove(f"_{smtp_port}._tcp.real.secure.test", "TLSA")
        boat.restart()
        details = deferral(boat, boat.send(boat.shop, SENDER, "bob@secure.test"))
        assert (details["tls"]["policy"], details["smtp"]["enh"]) == ("dane", "4.7.5")
