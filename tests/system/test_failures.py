"""What goes wrong outside becomes the right event; what is set up wrongly is told clearly."""

import os
import re
import signal
import socket
import stat

import pytest

from lib.process import descendants
from lib.sink import DROP
from lib.wait import wait_for

SENDER = "orders@shop.test"


@pytest.fixture
def boat(new_packetboat):
    """Tries again after a second, exactly."""
    return new_packetboat(retry_schedule="1s", retry_jitter=0)


@pytest.fixture
def shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


# -- outside ---------------------------------------------------------------

@pytest.mark.root
@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_450_defers_and_the_mail_is_delivered_later(kind, request, boat, shop):
    receiver = request.getfixturevalue(kind)
    recipient = f"bob@{receiver.domains[0]}"
    receiver.answer_rcpt(bob="450 4.2.0 mailbox is busy")
    message_id = boat.send(shop, SENDER, recipient)

    event = boat.wait_event("deferral", message_id=message_id)
    assert event["details"]["smtp"]["code"] in (450, 451)
    assert "busy" in event["details"]["smtp"]["text"]
    queued = boat.queue_json()[0]
    assert queued["recipients"][0]["address"] == recipient
    assert "busy" in queued["recipients"][0]["delay_reason"]
    assert receiver.mail.messages() == []

    receiver.answer_rcpt()
    assert receiver.mail.wait(1)[0].recipient == recipient
    assert boat.wait_event("delivery", message_id=message_id)["details"]["attempt"] >= 2
    boat.wait_queue_empty()


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
@pytest.mark.parametrize("action", ["421 4.3.2 shutting down", "451 4.3.0 not now", "drop"], ids=["421", "451", "drop"])
def test_passing_trouble_at_each_step_defers_and_then_delivers_once(step, action, boat, shop, sink):
    # EHLO's 4xx leads to HELO, which must not succeed either
    for each in [step] + ["HELO"] * (step == "EHLO"):
        sink.on(each, DROP if action == "drop" else action, times=1)
    message_id = boat.send(shop, SENDER, "bob@sink.test")
    sink.wait_messages()
    boat.wait_event("delivery", message_id=message_id)
    boat.wait_queue_empty()
    assert len(sink.messages) == 1
    assert len(boat.events("delivery", message_id=message_id)) == 1


@pytest.mark.root
@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_550_is_a_bounce_event_and_final(kind, request, boat, shop):
    receiver = request.getfixturevalue(kind)
    domain = receiver.domains[0]
    receiver.answer_rcpt(eve="550 5.1.1 nobody here")
    message_id = boat.send(shop, SENDER, [f"ann@{domain}", f"eve@{domain}"])

    event = boat.wait_event("bounce", message_id=message_id)
    assert event["recipient"] == f"eve@{domain}"
    assert event["details"]["smtp"]["code"] == 550
    assert event["details"]["smtp"]["enh"] == "5.1.1"
    assert receiver.mail.wait(1)[0].recipient == f"ann@{domain}"
    boat.wait_queue_empty()
    assert [e["recipient"] for e in boat.events("delivery", message_id=message_id)] == [f"ann@{domain}"]


def test_unknown_domain_bounces(boat, shop):
    message_id = boat.send(shop, SENDER, "bob@no-such-domain.test")
    event = boat.wait_event("bounce", message_id=message_id)
    assert event["details"]["smtp"]["enh"].startswith("5.")
    boat.wait_queue_empty()


def test_null_mx_bounces(boat, shop, name_server):
    """RFC 7505: the domain says that it takes no mail."""
    name_server.add("nomail.test", "MX", "0 .")
    message_id = boat.send(shop, SENDER, "bob@nomail.test")
    event = boat.wait_event("bounce", message_id=message_id)
    assert event["details"]["smtp"]["enh"] == "5.1.10"
    boat.wait_queue_empty()


def test_refused_connection_defers(boat, shop, name_server, addresses):
    name_server.add_mail_host("down.test", ("mx.down.test", addresses.next()))
    message_id = boat.send(shop, SENDER, "bob@down.test")
    event = boat.wait_event("deferral", message_id=message_id)
    assert event["details"]["dest_host"] == "mx.down.test"
    assert "refused" in event["details"]["smtp"]["text"].lower()
    assert boat.queue_json()[0]["recipients"][0]["address"] == "bob@down.test"


def test_silent_name_server_defers_and_does_not_bounce(new_packetboat, name_server, new_sink):
    """No answer is not "no such domain"."""
    sink = new_sink("silent.test")
    boat = new_packetboat(retry_schedule="1s", dns_timeout="1s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    nsd = [name_server.server.pid, *(pid for pid, _ in descendants(name_server.server.pid))]
    for pid in nsd:  # the questions are answered by a child
        os.kill(pid, signal.SIGSTOP)
    try:
        message_id = boat.send(account, SENDER, "bob@silent.test")
        boat.wait_event("deferral", message_id=message_id)
        assert boat.events("bounce", message_id=message_id) == []
    finally:
        for pid in nsd:
            os.kill(pid, signal.SIGCONT)
    sink.wait_messages()


def test_broken_tls_falls_back_to_clear_text_once(boat, shop, new_sink, ca):
    """Opportunistic TLS: better in clear than not at all, and the event says so."""
    sink = new_sink("old.test")
    sink.on("STARTTLS", "454 4.7.0 TLS not available")
    message_id = boat.send(shop, SENDER, "bob@old.test")
    assert not sink.wait_messages()[0].tls
    assert boat.wait_event("delivery", message_id=message_id)["details"]["tls"]["fallback"]


@pytest.mark.parametrize("certificate", ["expired", "wrong_name"])
def test_bad_certificate_does_not_stop_opportunistic_tls(certificate, boat, shop, new_sink, ca):
    made = ca.expired("mx.cert.test") if certificate == "expired" else ca.wrong_name()
    sink = new_sink("cert.test", certificate=made)
    message_id = boat.send(shop, SENDER, "bob@cert.test")
    assert sink.wait_messages()[0].tls
    assert not boat.wait_event("delivery", message_id=message_id)["details"]["tls"].get("verified")


# -- inside ----------------------------------------------------------------

def test_wrong_line_is_told_with_file_and_line(make_packetboat):
    boat = make_packetboat()
    boat.write_config(extra="myhostnam = mail.test\n")
    path = boat.directory / "packetboat.cf"
    line = len(path.read_text().splitlines())
    result = boat.tool("packetboat", "check", check=False)
    assert result.code != 0
    assert re.search(rf"packetboat\.cf:{line}\b|packetboat\.cf, line {line}\b", result.err), result.err
    assert "myhostname" in result.err


@pytest.mark.parametrize("line", ["smtp_port = 70000", "retry_schedule = soon", "smtp_tls_level = perhaps",
                                  "smtpd_listen = 127.0.0.1:99999/submission", "just words"])
def test_bad_value_stops_the_start(line, make_packetboat):
    boat = make_packetboat()
    boat.write_config(extra=line + "\n")
    boat.expect_error(".")
    assert boat.tool("packetboat", "check", check=False).code != 0
    boat.start_unchecked()
    assert boat.server.process.wait(20) != 0
    assert "packetboat.cf" in boat.log_text()


def test_good_configuration_passes_the_check(make_packetboat):
    result = make_packetboat().tool("packetboat", "check", check=False)
    assert (result.code, result.err) == (0, "")


def fails_to_start(boat) -> str:
    """Starts, expects the end within a deadline, and returns what was said."""
    boat.expect_error(".")
    boat.start_unchecked()
    assert boat.server.process.wait(30) != 0
    return boat.log_text()


def test_unreadable_key_stops_the_start_with_its_name(make_packetboat):
    boat = make_packetboat()
    (boat.directory / "key.pem").chmod(0)
    assert str(boat.directory / "key.pem") in fails_to_start(boat)


def test_key_that_everybody_may_read_stops_the_start(make_packetboat):
    boat = make_packetboat()
    (boat.directory / "key.pem").chmod(0o644)
    result = boat.tool("packetboat", "check", check=False)
    assert result.code == 78 and str(boat.directory / "key.pem") in result.err
    assert "everybody may read" in fails_to_start(boat)


def test_key_of_another_certificate_stops_the_start(make_packetboat, ca):
    boat = make_packetboat()
    (boat.directory / "key.pem").write_text(ca.server("unrelated.test").key.read_text())
    assert "key.pem" in fails_to_start(boat)


def test_missing_spool_is_made_or_told(make_packetboat):
    """The first start after an installation works without a set-up step."""
    boat = make_packetboat()
    for name in ("spool", "state", "run"):
        (boat.directory / name).rmdir()
    boat.start()
    for name in ("spool", "state"):
        assert not (boat.directory / name).stat().st_mode & stat.S_IRWXO


def test_taken_port_stops_the_start_with_its_number(make_packetboat):
    boat = make_packetboat()
    with socket.socket() as taken:
        taken.bind((boat.address, boat.submission_port))
        taken.listen()
        text = fails_to_start(boat)
    assert str(boat.submission_port) in text
    assert "in use" in text.lower()


def test_unknown_account_is_told_with_its_name(packetboat):
    for command in (["pbkey", "add", "nobody-here"], ["pbaccount", "show", "nobody-here"],
                    ["pbdomain", "add", "nobody-here", "shop.test"]):
        result = packetboat.tool(*command, check=False)
        assert result.code != 0, command
        assert "nobody-here" in result.err, (command, result)
        assert result.err.count("\n") == 1


def test_expired_certificate_warns_and_serves(make_packetboat, ca, keep):
    boat = make_packetboat(certificate=ca.expired("mail.packetboat.test"))
    keep.start(boat)
    boat.wait_log(r"(?i)warn.*expired")
    with boat.connect() as smtp:
        assert "starttls" in (smtp.ehlo()[1].decode().lower())


def test_tools_say_that_the_suite_is_down(make_packetboat):
    result = make_packetboat().tool("pbqueue", "-p", check=False)
    assert result.code != 0 and "down" in result.err
    assert make_packetboat().tool("packetboat", "status", check=False).code != 0


def test_second_start_is_refused_and_the_first_lives(packetboat):
    result = packetboat.tool("packetboat", "start", check=False)
    assert result.code != 0
    assert "running" in result.err
    assert packetboat.ready()


def test_start_leaves_nobody_at_the_callers_pipes(make_packetboat):
    """tool() reads the output to its end, which comes when the last process has closed it."""
    boat = make_packetboat()
    result = boat.tool("packetboat", "start")
    try:
        assert (result.out, result.err) == ("", "")
        assert boat.ready()
    finally:
        boat.tool("packetboat", "stop")


def test_stop_ends_all_processes(packetboat):
    pids = [p for daemon in packetboat.DAEMONS for p in packetboat.pids(daemon)]
    assert len(pids) >= len(packetboat.DAEMONS)
    server = packetboat.server
    packetboat.tool("packetboat", "stop")
    wait_for(lambda: not server.running(), 30, "end of master")
    assert server.process.returncode == 0
