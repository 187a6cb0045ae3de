"""Clients that people use submit mail, and are refused as documented."""

import re
import smtplib
import socket

import pytest

from lib import clients
from lib.clients import Mail
from lib.dkimcheck import verified
from lib.packetboat import QUEUED, Account, make_message, submit

MAIL = Mail("orders@shop.test", "bob@sink.test")

GOOD = {
    "swaks-plain": lambda b, a, m: clients.swaks(b, a, m, "PLAIN"),
    "swaks-login": lambda b, a, m: clients.swaks(b, a, m, "LOGIN"),
    "swaks-tls-at-once": lambda b, a, m: clients.swaks(b, a, m, "PLAIN", "--tls-on-connect", b.submissions_port),
    "python": clients.python,
    "python-tls-at-once": clients.python_tls_at_once,
    "nodemailer": clients.nodemailer,
    "nodemailer-tls-at-once": lambda b, a, m: clients.nodemailer(b, a, m, at_once=True),
    "msmtp-plain": lambda b, a, m: clients.msmtp(b, a, m, "plain"),
    "msmtp-login": lambda b, a, m: clients.msmtp(b, a, m, "login"),
    "msmtp-tls-at-once": lambda b, a, m: clients.msmtp(b, a, m, at_once=True),
    "curl": clients.curl,
    "curl-tls-at-once": lambda b, a, m: clients.curl(b, a, m, at_once=True),
}


@pytest.mark.parametrize("client", GOOD)
def test_client_submits_and_the_mail_arrives_signed(client, packetboat, account, sink, name_server):
    sent = GOOD[client](packetboat, account, MAIL)
    assert sent.code == 0, sent.text
    reply = re.search(r"250 2\.0\.0 Thanks! Queued as: [0-9a-f-]{36}(?=\s)", sent.text + "\n")
    assert reply, sent.text

    message = sink.wait_messages()[0]
    assert message.recipients == [MAIL.recipient]
    assert message.tls
    assert [s["d"] for s in verified(message.data, name_server)][:1] == ["shop.test"]
    packetboat.wait_event("delivery", message_id=QUEUED.search(reply[0])[1])


@pytest.mark.root
def test_postfix_submits_with_sasl(packetboat, account, sink, new_postfix_client):
    postfix = new_postfix_client((packetboat.address, packetboat.submission_port), account.username, account.password)
    postfix.send(MAIL.sender, [MAIL.recipient], MAIL.message)
    line = postfix.wait_log(r"status=sent \(250 2\.0\.0 Thanks! Queued as: [0-9a-f-]{36}\)")
    assert sink.wait_messages()[0].recipients == [MAIL.recipient]
    assert line


# -- what is offered -------------------------------------------------------

def extensions(smtp: smtplib.SMTP) -> dict[str, str]:
    code, _ = smtp.ehlo()
    assert code == 250
    return smtp.esmtp_features


def test_auth_is_offered_inside_tls_only(packetboat):
    with packetboat.connect() as smtp:
        offered = extensions(smtp)
        assert "starttls" in offered and "auth" not in offered
        smtp.starttls(context=packetboat.tls_context())
        offered = extensions(smtp)
        assert "starttls" not in offered
        assert {"PLAIN", "LOGIN"} <= set(offered["auth"].split())
        assert {"pipelining", "8bitmime", "enhancedstatuscodes", "size"} <= set(offered)


def test_tls_at_once_port_offers_auth_and_no_starttls(packetboat):
    with smtplib.SMTP_SSL(packetboat.address, packetboat.submissions_port, timeout=10,
                          context=packetboat.tls_context()) as smtp:
        offered = extensions(smtp)
        assert "auth" in offered and "starttls" not in offered


# -- refusals --------------------------------------------------------------

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_wrong_password_is_refused_with_535(mechanism, packetboat, account):
    wrong = account._replace(password="not-" + account.password)
    sent = clients.swaks(packetboat, wrong, MAIL, mechanism)
    assert sent.code != 0
    assert "535 5.7.8" in sent.text, sent.text
    assert packetboat.queue_json() == []


def test_unknown_user_and_wrong_password_look_alike(packetboat, account):
    replies = []
    for name in (account.username, "nobody-has-this-name"):
        sent = clients.swaks(packetboat, Account(name, name, "wrong"), MAIL)
        replies.append(re.search(r"535 .*", sent.text)[0])
    assert replies[0] == replies[1]


def test_revoked_key_is_refused(packetboat, account):
    listed = packetboat.tool("pbkey", "list", "--json", account.name).lines()
    packetboat.tool("pbkey", "revoke", account.name, listed[0]["id"])
    assert "535 5.7.8" in clients.swaks(packetboat, account, MAIL).text


def test_auth_before_tls_is_refused_with_538(packetboat, account):
    with packetboat.connect() as smtp:
        smtp.ehlo()
        code, text = smtp.docmd("AUTH", "PLAIN AGEAYg==")
        assert (code, text[:6]) == (538, b"5.7.11")
        code, text = smtp.docmd("AUTH", "LOGIN")
        assert (code, text[:6]) == (538, b"5.7.11")


def test_mail_without_auth_is_refused_with_530(packetboat, account):
    with packetboat.connect() as smtp:
        smtp.ehlo()
        code, text = smtp.mail(MAIL.sender)
        assert (code, text[:5]) == (530, b"5.7.0")
        smtp.starttls(context=packetboat.tls_context())
        smtp.ehlo()
        code, text = smtp.mail(MAIL.sender)
        assert (code, text[:5]) == (530, b"5.7.0")


def test_swaks_without_tls_or_auth_is_refused(packetboat, account):
    sent = clients.swaks(packetboat, None, MAIL, tls=None)
    assert sent.code != 0 and "530 5.7.0" in sent.text, sent.text


def test_unverified_domain_is_refused_as_unsigned(packetboat, account):
    with packetboat.login(account) as smtp:
        code, text = submit(smtp, "me@elsewhere.test", [MAIL.recipient],
                            make_message("me@elsewhere.test", [MAIL.recipient]))
    assert code == 550, text
    assert text.startswith("5.7.1 ") and "unsigned" in text
    assert packetboat.queue_json() == []


def test_other_tenants_domain_is_refused(packetboat, account):
    """Verified by somebody is not verified by this account."""
    stranger = packetboat.add_account("stranger")
    with packetboat.login(stranger) as smtp:
        code, text = submit(smtp, MAIL.sender, [MAIL.recipient], MAIL.message)
    assert code == 550 and "unsigned" in text


def test_submission_port_does_not_speak_tls_at_once(packetboat):
    """A client with the wrong port setting gets an answer, not a hang."""
    with socket.create_connection((packetboat.address, packetboat.submission_port), timeout=10) as s:
        assert s.recv(100).startswith(b"220 ")
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n")
        assert s.recv(100).startswith(b"5")
