"""pblog submissions: what clients asked for, and what they were told."""

import base64
import smtplib

import pytest

from lib.packetboat import queued_id, submit
from lib.wait import wait_for

MESSAGE = b"From: orders@shop.test\r\nSubject: order\r\n\r\nHello.\r\n"


def submissions(boat, *conditions):
    return boat.tool("pblog", "--json", "submissions", *conditions, check=False).lines()


@pytest.fixture
def mixed(packetboat, account, sink):
    """One submission accepted, and one of each refusal. Returns the id, and the replies."""
    replies = {}
    with packetboat.login(account) as smtp:
        smtp.ehlo("till.shop.test")
        code, text = submit(smtp, "orders@shop.test", ["bob@sink.test"], MESSAGE)
        assert code == 250
        replies["RCPT"] = (smtp.mail("orders@shop.test"), smtp.rcpt("nobody@-no-domain-"))[1]
        smtp.rset()
        replies["END-OF-MESSAGE"] = submit(smtp, "orders@shop.test", ["bob@sink.test"], MESSAGE.replace(b"shop.test", b"other.test"))
    with packetboat.connect() as smtp:
        smtp.starttls(context=packetboat.tls_context())
        smtp.ehlo()
        replies["AUTH"] = smtp.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0shop\0wrong").decode())
        replies["MAIL"] = smtp.mail("stranger@shop.test")
    return queued_id(text), replies


def text_of(reply):
    return reply[1].decode() if isinstance(reply[1], bytes) else reply[1]


def test_accepted_and_refused_submissions_are_found_with_their_replies(packetboat, account, mixed):
    boat, (message, replies) = packetboat, mixed
    key = boat.tool("pbkey", "list", "--json", "shop").lines()[0]["id"]
    wait_for(lambda: len(submissions(boat)) == 5, 20, "five submissions")
    # What is refused is in the journal at once, what is accepted when it is queued.
    refused, [accepted] = (submissions(boat, "--verdict", v) for v in ("refused", "accepted"))
    assert accepted["kind"] == "accepted" and accepted["message_id"] == message
    assert (accepted["key_id"], accepted["submit"]["helo"]) == (key, "till.shop.test")
    stages = {e["stage"]: e for e in refused}
    assert set(stages) == {"RCPT", "END-OF-MESSAGE", "AUTH", "MAIL"}
    for stage, event in stages.items():
        assert event["kind"] == "refused" and event["method"] == "smtp/send"
        assert event["smtp"]["code"] == replies[stage][0]
        assert event["smtp"]["text"] == f"{replies[stage][0]} {text_of(replies[stage])}"
        assert event["submit"]["client_ip"] == accepted["submit"]["client_ip"]
        assert event["submit"].get("call_ms", 0) < 20000
    assert stages["END-OF-MESSAGE"]["key_id"] == stages["RCPT"]["key_id"] == key
    assert stages["END-OF-MESSAGE"]["account"] == "shop"
    assert stages["AUTH"]["submit"]["auth_user"] == "shop" and "key_id" not in stages["AUTH"]
    assert "account" not in stages["MAIL"]

    # Each filter, and its opposite.
    assert len(submissions(boat, "--verdict", "refused")) == 4
    assert [e["kind"] for e in submissions(boat, "--verdict", "accepted")] == ["accepted"]
    assert len(submissions(boat, "--account", "shop")) == len(submissions(boat, "--key", str(key))) == 3
    assert submissions(boat, "--account", "other") == []
    assert len(submissions(boat, "--helo", "TILL.")) == 3
    assert [e["stage"] for e in submissions(boat, "--reply", "authentication failed")] == ["AUTH"]
    assert len(submissions(boat, "--from", "orders@shop.test")) == 3
    assert len(submissions(boat, "--client-ip", accepted["submit"]["client_ip"])) == 5
    assert submissions(boat, "--client-ip", "192.0.2.1") == []

    [line] = boat.tool("pblog", "submissions", "--verdict", "accepted").out.splitlines()
    assert f"accepted smtp/send: account=shop, key={key}, client=" in line
    assert f"reply=250 2.0.0 Thanks! Queued as: {message}" in line
    lines = boat.tool("pblog", "--verdict", "refused", "submissions").out.splitlines()
    assert len(lines) == 4 and all("refused smtp/send: " in line and ", ms=" in line for line in lines)
    # They are no events of tenants, and nobody else shows them.
    assert boat.events("refused") == []


def test_mistakes_are_named(packetboat):
    for words, error in ((["submissions", "--verdict", "maybe"], "a verdict is accepted or refused"),
                         (["submissions", "--kind", "bounce"], "submissions have no --kind: use --verdict"),
                         (["--verdict", "refused"], "--verdict is for submissions")):
        r = packetboat.tool("pblog", *words, check=False)
        assert r.code == 64 and error in r.err, r


def test_a_flood_of_refusals_is_counted_and_not_written(new_packetboat):
    boat = new_packetboat(submission_log_client_limit="5", smtpd_hard_error_limit="1000")
    with boat.connect() as smtp:
        smtp.starttls(context=boat.tls_context())
        smtp.ehlo()
        for _ in range(40):
            assert smtp.mail("stranger@shop.test")[0] == 530
    wait_for(lambda: len(submissions(boat)) == 5, 20, "five events")
    # Another client is not hidden by it, and its event tells how many are missing.
    with smtplib.SMTP(boat.address, boat.submission_port, timeout=20, source_address=("127.99.1.1", 0)) as smtp:
        smtp.starttls(context=boat.tls_context())
        smtp.ehlo()
        smtp.mail("other@shop.test")
    wait_for(lambda: len(submissions(boat)) == 6, 20, "the other client's")
    last = submissions(boat)[-1]
    assert last["omitted"] == 35 and last["submit"]["client_ip"] == "127.99.1.1"
