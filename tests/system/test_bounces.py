"""What comes back to the return path becomes an event of the message it is about."""

import email.utils
import smtplib

import pytest

from lib.opensmtpd import OpenSmtpdReceiver

SENDER = "orders@shop.test"


@pytest.fixture
def shop(packetboat):
    account = packetboat.add_account("shop")
    packetboat.add_domain(account, "shop.test")
    return account


@pytest.fixture
def returning(new_postfix, packetboat):
    """Postfix that accepts mail for anybody and finds out later who is not there."""
    return new_postfix("later.test", smtpd_reject_unlisted_recipient="no", virtual_mailbox_maps="inline:{ ada@later.test=ada }",
                       transport_maps=f"inline:{{ bounces.shop.test=smtp:[{packetboat.address}]:{packetboat.mx_port} }}")


@pytest.mark.both_users
@pytest.mark.root
def test_report_of_a_real_server_bounces_the_message(packetboat, shop, returning):
    """Delivered first, then refused by the server's own report: a late bounce of that recipient."""
    message_id = packetboat.send(shop, SENDER, ["ada@later.test", "nobody@later.test"])
    bounce = packetboat.wait_event("bounce", message_id=message_id, deadline=40)
    assert bounce["recipient"] == "nobody@later.test"
    assert bounce["details"]["smtp"]["enh"] == "5.1.1"
    assert bounce["details"]["hard"]
    assert len(packetboat.events("delivery", message_id=message_id)) == 2
    packetboat.wait_queue_empty()


@pytest.mark.root
def test_report_is_posted_to_the_webhook_of_the_account(packetboat, shop, returning, new_webhook):
    hook = new_webhook()
    packetboat.tool("pbhook", "add", "shop", hook.url)
    message_id = packetboat.send(shop, SENDER, "nobody@later.test")
    event = hook.wait_event("bounce", 40)
    assert event["message_id"] == message_id
    assert event["recipient"] == "nobody@later.test"
    assert event["details"]["account"] == "shop"


@pytest.mark.root
def test_report_of_exim_bounces_the_message(packetboat, shop, new_exim):
    new_exim("later.test", returns=("bounces.shop.test", packetboat.address, packetboat.mx_port))
    message_id = packetboat.send(shop, SENDER, ["ada@later.test", "nobody@later.test"])
    bounce = packetboat.wait_event("bounce", message_id=message_id, deadline=60)
    assert bounce["recipient"] == "nobody@later.test"
    assert bounce["details"]["hard"]
    assert "No such person" in bounce["details"]["smtp"]["text"]
    assert len(packetboat.events("delivery", message_id=message_id)) == 2
    packetboat.wait_queue_empty()


@pytest.mark.root
def test_report_of_opensmtpd_bounces_the_message(packetboat, shop, new_receiver):
    new_receiver(OpenSmtpdReceiver, "later.test", returns=("bounces.shop.test", packetboat.address, packetboat.mx_port))
    message_id = packetboat.send(shop, SENDER, ["ada@later.test", "nobody@later.test"])
    report = packetboat.wait_log(r"report about=(\S+), to=<nobody@later.test>, dsn=5.*status=(bounce|soft_bounce)", 60)
    assert report.group(1) == message_id
    assert packetboat.wait_event(report.group(2), message_id=message_id)["recipient"] == "nobody@later.test"
    assert len(packetboat.events("delivery", message_id=message_id)) == 2
    packetboat.wait_queue_empty()


@pytest.mark.both_users
def test_report_as_qmail_writes_it_bounces_the_message(packetboat, shop, sink):
    """The form of QSBMF: words, then a copy of the message as the server got it."""
    message_id = packetboat.send(shop, SENDER, "nobody@sink.test")
    message = sink.wait_messages()[0]
    notice = ("Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.sink.test\r\n"
              f"To: {message.mail_from}\r\nSubject: failure notice\r\nDate: {email.utils.formatdate()}\r\n\r\n"
              "Hi. This is the qmail-send program at mx.sink.test.\r\n"
              "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
              "This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
              "<nobody@sink.test>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n"
              "--- Below this line is a copy of the message.\r\n\r\n"
              f"Return-Path: <{message.mail_from}>\r\n").encode() + message.data
    with smtplib.SMTP(packetboat.address, packetboat.mx_port, local_hostname="mx.sink.test", timeout=20) as smtp:
        smtp.sendmail("", [message.mail_from], notice)
    bounce = packetboat.wait_event("bounce", message_id=message_id)
    assert bounce["recipient"] == "nobody@sink.test"
    assert bounce["details"]["smtp"]["enh"] == "5.1.1"
    assert bounce["details"]["hard"]


def mx_rcpt(boat, recipient: str) -> tuple[int, str]:
    with smtplib.SMTP(boat.address, boat.mx_port, local_hostname="mx.elsewhere.test", timeout=20) as smtp:
        smtp.ehlo()
        smtp.mail("")
        code, text = smtp.rcpt(recipient)
        return code, text.decode()


def return_path_of(boat, account, sink) -> str:
    boat.send(account, SENDER, "bob@sink.test")
    return sink.wait_messages()[0].mail_from


@pytest.mark.both_users
def test_forged_return_path_is_refused_at_rcpt(packetboat, shop, sink):
    address = return_path_of(packetboat, shop, sink)
    token = address.split("@")[0]
    for forged in (token[:-1] + ("a" if token[-1] != "a" else "b"), "bounces+" + "a" * 52, "bounces+x"):
        code, text = mx_rcpt(packetboat, f"{forged}@bounces.shop.test")
        assert 500 <= code < 600, (forged, code, text)
    assert mx_rcpt(packetboat, address)[0] == 250


def test_mx_listener_relays_nothing_and_takes_no_login(packetboat):
    code, text = mx_rcpt(packetboat, "somebody@elsewhere.test")
    assert code in (550, 554) and text.startswith("5.7.1"), (code, text)
    with smtplib.SMTP(packetboat.address, packetboat.mx_port, local_hostname="c.test", timeout=20) as smtp:
        smtp.starttls(context=packetboat.tls_context())
        smtp.ehlo()
        assert not smtp.has_extn("auth")


@pytest.mark.both_users
def test_complaint_in_arf_is_an_event(packetboat, shop, sink):
    """A feedback report that comes to the return path (RFC 5965)."""
    address = return_path_of(packetboat, shop, sink)
    report = (
        "From: feedback@sink.test\r\nTo: <%s>\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: t/1\r\nVersion: 1\r\n"
        "Original-Rcpt-To: bob@sink.test\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: orders@shop.test\r\nSubject: a test\r\n--b--\r\n") % address
    with smtplib.SMTP(packetboat.address, packetboat.mx_port, local_hostname="mx.sink.test", timeout=20) as smtp:
        smtp.sendmail("", [address], report)
    event = packetboat.wait_event("complaint")
    assert event["recipient"] == "bob@sink.test"
