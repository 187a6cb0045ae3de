"""What bouncer writes and sends on: notifications to senders, mail for postmaster."""

import email
import smtplib

import pytest

SENDER = "orders@shop.test"


@pytest.fixture
def boat(new_packetboat):
    return new_packetboat(mx_forward_to="boss@sink.test")


@pytest.fixture
def shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


def to_mx(boat, recipient: str, text: str, sender: str = ""):
    with smtplib.SMTP(boat.address, boat.mx_port, local_hostname="mx.elsewhere.test", timeout=20) as smtp:
        smtp.sendmail(sender, [recipient], text.replace("\n", "\r\n"))


def returned(sink):
    """The first notification that a host got."""
    return next(m for m in sink.wait_messages() if m.mail_from == "")


@pytest.mark.both_users
def test_sender_hears_what_failed(boat, shop, sink, new_sink):
    """RFC 3461: an account that keeps its envelope sender gets the report there."""
    boat.tool("pbaccount", "set", "shop", "sender=plain")
    home = new_sink("shop.test")
    sink.on("RCPT", "550 5.1.1 No such user here")
    boat.send(shop, SENDER, "nobody@sink.test", mail_options=("ENVID=QQ314", "RET=HDRS"))

    message = returned(home)
    assert message.recipients == [SENDER]
    report = email.message_from_bytes(message.data)
    assert report.get_content_type() == "multipart/report"
    words, status, header = report.get_payload()
    assert "nobody@sink.test" in words.get_payload()
    assert header.get_content_type() == "text/rfc822-headers"
    general, recipient = status.get_payload()
    assert general["Original-Envelope-Id"] == "QQ314"
    assert recipient["Final-Recipient"] == "rfc822; nobody@sink.test"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert "No such user here" in recipient["Diagnostic-Code"]
    boat.wait_queue_empty()


def bounce_back(boat, shop, sink, sender: str = SENDER) -> str:
    """A message is delivered, and its report comes back; returns the report's text."""
    boat.send(shop, sender, "bob@sink.test")
    path = next(m.mail_from for m in sink.wait_messages() if m.mail_from)
    report = "From: MAILER-DAEMON@sink.test\nSubject: failure notice\n\n<bob@sink.test>:\n550 5.1.1 User unknown\n.\n"
    to_mx(boat, path, report)
    return report


@pytest.mark.both_users
def test_bounces_are_forwarded_where_the_account_wants_them(boat, shop, sink, new_sink):
    """As they came, with the null sender; a subaccount may want none."""
    home = new_sink("home.test")
    boat.tool("pbaccount", "set", "shop", "forward_bounces=returns@home.test")
    report = bounce_back(boat, shop, sink)
    message = home.wait_messages()[0]
    assert message.mail_from == "" and message.recipients == ["returns@home.test"]
    assert message.data.endswith(report.replace("\n", "\r\n").encode())
    assert b"X-Packetboat-Forwarded: " in message.headers
    boat.wait_event("bounce", recipient="bob@sink.test")

    # The event is told all the same; what is forwarded is not forwarded again.
    to_mx(boat, next(m.mail_from for m in sink.wait_messages() if m.mail_from), "X-Packetboat-Forwarded: x\n" + report)
    boat.wait_log("not forwarded: it goes round in circles")
    boat.wait_queue_empty()
    assert len(home.wait_messages()) == 1


def test_forwarding_of_bounces_is_off_by_default_and_for_a_subaccount_that_says_so(boat, shop, sink):
    bounce_back(boat, shop, sink)
    boat.wait_event("bounce", recipient="bob@sink.test")
    boat.wait_queue_empty()
    assert not [m for m in sink.wait_messages() if m.mail_from == ""]
    wrong = boat.tool("pbaccount", "set", "shop", "forward_bounces=nobody", check=False)
    assert wrong.code == 65 and "forward_bounces: a mail address is needed, or none" in wrong.err


def test_complaints_come_to_an_address_for_feedback_loops(boat, shop, sink):
    """RFC 5965, with the return path as the provider saw it."""
    boat.send(shop, SENDER, "bob@sink.test")
    path = sink.wait_messages()[0].mail_from
    arf = (f"From: fbl@elsewhere.test\nSubject: complaint\nMIME-Version: 1.0\n"
           f"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
           f"--b\nContent-Type: text/plain\n\nA complaint.\n"
           f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\n\n"
           f"--b\nContent-Type: message/rfc822\n\nReturn-Path: <{path}>\nSubject: hello\n\nhi\n--b--\n")
    to_mx(boat, "fbl@bounce.packetboat.test", arf, "fbl@elsewhere.test")
    assert boat.wait_event("complaint")["recipient"] == "bob@sink.test"
    to_mx(boat, "fbl@bounce.packetboat.test", arf.replace(path, "x" + path), "fbl@elsewhere.test")
    boat.wait_log("complaint type=abuse.*ignored")


@pytest.mark.both_users
def test_mail_for_postmaster_is_forwarded_as_it_came(boat, sink):
    text = "From: a@elsewhere.test\nSubject: help\n\n.a dot\nand more\n"
    to_mx(boat, "postmaster@bounce.packetboat.test", text, "a@elsewhere.test")
    message = sink.wait_messages()[0]
    assert message.mail_from == ""
    assert message.recipients == ["boss@sink.test"]
    assert message.data.endswith(text.replace("\n", "\r\n").encode())
    assert b"X-Packetboat-Forwarded: mail.packetboat.test\r\n" in message.data


def test_forwarded_mail_is_not_forwarded_again(boat, sink):
    to_mx(boat, "postmaster@bounce.packetboat.test",
          "X-Packetboat-Forwarded: other.test\nSubject: round\n\nx\n")
    boat.wait_log("not forwarded: it goes round in circles")
    assert sink.messages == []


def test_complaint_to_abuse_is_tied_to_its_message_by_the_token(boat, shop, sink):
    message_id = boat.send(shop, SENDER, "bob@sink.test")
    path = sink.wait_messages()[0].mail_from
    report = ("From: fbl@sink.test\nSubject: complaint\nMIME-Version: 1.0\n"
              "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
              "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: t/1\nVersion: 1\n"
              f"Original-Mail-From: <{path}>\n\n--b--\n")
    to_mx(boat, "abuse@bounce.packetboat.test", report, "fbl@sink.test")
    assert boat.wait_event("complaint", message_id=message_id)
    forged = report.replace(path, path[:-30] + "a" + path[-29:])
    to_mx(boat, "abuse@bounce.packetboat.test", forged, "fbl@sink.test")
    boat.wait_log("complaint type=abuse.*ignored: not a return path of ours")
    assert len(boat.events("complaint")) == 1


def test_answering_machine_is_no_bounce(boat, shop, sink):
    message_id = boat.send(shop, SENDER, "bob@sink.test")
    path = sink.wait_messages()[0].mail_from
    to_mx(boat, path, "From: bob@sink.test\nSubject: Automatic reply: a test\nAuto-Submitted: auto-replied\n\n"
          "I am out of the office. No such user is here.\n")
    assert boat.wait_event("auto_reply", message_id=message_id)
    assert boat.events("bounce") == [] and boat.events("soft_bounce") == []


def test_delay_warning_changes_nothing(boat, shop, sink):
    boat.send(shop, SENDER, "bob@sink.test")
    path = sink.wait_messages()[0].mail_from
    to_mx(boat, path, "From: MAILER-DAEMON@sink.test\nSubject: Delayed Mail (still being retried)\nMIME-Version: 1.0\n"
          "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
          "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n\n"
          "Final-Recipient: rfc822; bob@sink.test\nAction: delayed\nStatus: 4.4.1\n\n--b--\n")
    boat.wait_log(r"nothing to do \(delayed\)")
    assert boat.events("bounce") == [] and boat.events("soft_bounce") == []
