"""Delivery status notifications (RFC 3461), asked for by a real client of Packetboat: Postfix."""

import email
import email.message

import pytest

from lib.packetboat import Account, Packetboat
from lib.postfix import PostfixClient
from lib.sink import SmtpSink

SENDER = "orders@shop.test"
TEXT = b"From: Shop <orders@shop.test>\nTo: bob@sink.test\nSubject: your order\n\nThank you.\n"


class Report:
    """What a host got with the null sender."""

    def __init__(self, message):
        assert message.mail_from == ""
        self.recipients = message.recipients
        self.mail = email.message_from_bytes(message.data)
        assert self.mail.get_content_type() == "multipart/report"
        words, status, returned = self.mail.get_payload()
        self.words: str = words.get_payload()
        self.general: email.message.Message = status.get_payload()[0]
        self.told: list[email.message.Message] = status.get_payload()[1:]
        self.returned = returned.get_content_type()


def reports(home: SmtpSink, count: int = 1) -> list[Report]:
    return [Report(m) for m in home.wait_messages(count, 60)]


def plain_shop(boat: Packetboat) -> Account:
    """Its senders stay, and get the reports."""
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    boat.tool("pbaccount", "set", "shop", "sender=plain")
    return shop


@pytest.fixture
def home(new_sink) -> SmtpSink:
    """The mail host of the senders."""
    return new_sink("shop.test")


@pytest.fixture
def silent(new_sink) -> SmtpSink:
    """A host that does not know DSN."""
    return new_sink(extensions=["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"])


@pytest.fixture
def shop(packetboat) -> Account:
    return plain_shop(packetboat)


@pytest.fixture
def client(packetboat, shop, new_postfix_client) -> PostfixClient:
    return new_postfix_client((packetboat.address, packetboat.submission_port), shop.username, shop.password)


@pytest.mark.root
def test_success_is_told_for_a_server_without_dsn(packetboat, client, home, silent):
    client.send(SENDER, ["bob@sink.test"], TEXT, "-N", "success,failure", "-V", "order+7", "-R", "full")
    report = reports(home)[0]
    assert report.recipients == [SENDER]
    assert report.mail["Subject"] == "Successful Mail Delivery Report"
    assert report.general["Original-Envelope-Id"] == "order+7"
    assert [t["Action"] for t in report.told] == ["relayed"]
    assert report.told[0]["Original-Recipient"] == "rfc822; bob@sink.test"
    assert report.told[0]["Final-Recipient"] == "rfc822; bob@sink.test"
    assert report.told[0]["Status"].startswith("2.")
    assert report.told[0]["Remote-MTA"] == "dns; mx.sink.test"
    assert report.returned == "text/rfc822-headers", "RET is for failures"
    commands = silent.sessions[0].commands()
    assert not any(word in c for c in commands for word in ("NOTIFY", "ORCPT", "ENVID", "RET=")), commands
    packetboat.wait_log(r"sender delivery status notification: to=<orders@shop.test>")
    packetboat.wait_queue_empty()


@pytest.mark.root
def test_success_is_told_by_a_server_with_dsn(packetboat, client, home, new_postfix):
    """Each parameter reaches the next Postfix, which reports by itself; nobody else does."""
    receiver = new_postfix(transport_maps=f"inline:{{ shop.test=smtp:[{home.address}]:{home.port} }}",
                           virtual_mailbox_domains="postfix.test")
    client.send(SENDER, ["bob@postfix.test"], TEXT, "-N", "success", "-V", "order+7", "-R", "hdrs")
    report = reports(home)[0]
    assert report.general["Reporting-MTA"] == f"dns; {receiver.hostname}"
    assert report.general["Original-Envelope-Id"] == "order+7"
    assert report.told[0]["Action"] == "delivered"
    assert report.told[0]["Original-Recipient"].replace(" ", "") == "rfc822;bob@postfix.test"
    packetboat.wait_queue_empty()
    assert len(home.messages) == 1


@pytest.mark.root
def test_never_means_never_and_others_hear_of_the_failure(packetboat, client, home, sink):
    sink.on("RCPT", "550 5.1.1 No such user here")
    client.send(SENDER, ["never@sink.test"], TEXT, "-N", "never")
    packetboat.wait_event("bounce", recipient="never@sink.test")
    client.send(SENDER, ["success@sink.test"], TEXT, "-N", "success")
    packetboat.wait_event("bounce", recipient="success@sink.test")
    client.send(SENDER, ["failure@sink.test"], TEXT, "-N", "failure", "-R", "full")
    report = reports(home)[0]
    assert [t["Final-Recipient"] for t in report.told] == ["rfc822; failure@sink.test"]
    assert report.told[0]["Action"] == "failed"
    assert report.returned == "message/rfc822"
    packetboat.wait_queue_empty()
    assert len(home.messages) == 1


def test_delay_is_told_once_then_the_mail_arrives(new_packetboat, home, sink):
    boat = new_packetboat(delay_warning_time="3s", retry_schedule="2s")
    shop = plain_shop(boat)
    sink.on("RCPT", "451 4.7.1 Greylisted, come back later")
    boat.send(shop, SENDER, "bob@sink.test", mail_options=("RET=FULL", "ENVID=QQ314"))
    report = reports(home)[0]
    assert report.mail["Subject"] == "Delayed Mail (still being retried)"
    assert report.general["Original-Envelope-Id"] == "QQ314"
    told = report.told[0]
    assert (told["Action"], told["Status"]) == ("delayed", "4.7.1")
    assert "Greylisted" in told["Diagnostic-Code"] and told["Diagnostic-Code"].startswith("smtp;")
    assert told["Will-Retry-Until"]
    assert report.returned == "text/rfc822-headers"
    boat.wait_log("sender delay notification: to=<orders@shop.test>")
    boat.restart()
    sink.normal()
    boat.tool("pbqueue", "retry", "ALL")
    assert sink.wait_messages(1, 60)[0].mail_from == SENDER
    boat.wait_queue_empty()
    assert len(home.messages) == 1


def test_a_report_that_cannot_be_delivered_is_not_reported(packetboat, shop, home, sink):
    sink.on("RCPT", "550 5.1.1 No such user here")
    home.on("RCPT", "550 5.1.1 Nor here")
    packetboat.send(shop, SENDER, "bob@sink.test")
    packetboat.wait_event("bounce", recipient="bob@sink.test")
    packetboat.wait_log(r"to=<orders@shop.test>.*status=bounced")
    packetboat.wait_queue_empty()
    notifications = packetboat.log_text().count("sender non-delivery notification: to=")
    assert notifications == 1


def test_a_suppressed_recipient_is_reported_as_a_failure(packetboat, shop, home, sink):
    packetboat.tool("pbsuppress", "add", "shop", "bob@sink.test")
    packetboat.send(shop, SENDER, ["bob@sink.test", "eve@sink.test"])
    report = reports(home)[0]
    assert [t["Final-Recipient"] for t in report.told] == ["rfc822; bob@sink.test"]
    assert (report.told[0]["Action"], report.told[0]["Status"]) == ("failed", "5.7.1")
    assert sink.wait_messages()[0].recipients == ["eve@sink.test"]


@pytest.mark.root
def test_success_told_to_a_return_path_condemns_nobody(new_packetboat, new_postfix):
    """An account with events: the report comes to the return path, and says nothing bad."""
    boat = new_packetboat()
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    new_postfix(transport_maps=f"inline:{{ bounces.shop.test=smtp:[{boat.address}]:{boat.mx_port} }}")
    with boat.login(shop) as smtp:
        smtp.sendmail(SENDER, ["bob@postfix.test"], TEXT.replace(b"\n", b"\r\n"), rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    boat.wait_event("delivery")
    boat.wait_log(r"nothing to do \(delivered\)", 40)
    assert boat.events("bounce") == [] and boat.events("soft_bounce") == []
