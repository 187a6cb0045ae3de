"""Delivery to real servers, found by MX, and the facts that come of it."""

import pytest

from lib.dkimcheck import signatures, verified
from lib.packetboat import make_message


@pytest.mark.root
@pytest.mark.parametrize("kind", ["postfix", "exim", "haraka"])
def test_real_server_gets_the_mail_inside_tls_and_signed(kind, request, packetboat, account, name_server):
    receiver = request.getfixturevalue(kind)
    recipient = f"bob@{receiver.domains[0]}"
    message_id = packetboat.send(account, "orders@shop.test", recipient, subject="your order")

    stored = receiver.mail.wait(1)[0]
    assert stored.recipient == recipient
    assert stored.header("Subject") == "your order"
    assert stored.return_path.startswith("bounces+") and "@" in stored.return_path
    assert stored.header("Message-ID") and stored.header("Date")
    assert "TLS" in stored.header("Received")
    good = verified(stored.wire, name_server)
    assert good and len(good) == len(signatures(stored.wire))
    assert {s["d"] for s in good} == {"shop.test"}

    event = packetboat.wait_event("delivery", message_id=message_id)
    assert event["recipient"] == recipient
    packetboat.wait_queue_empty()


@pytest.mark.root
def test_opensmtpd_whose_tls_is_broken_gets_the_mail_in_clear_after_one_try(packetboat, account, opensmtpd, name_server):
    message_id = packetboat.send(account, "orders@shop.test", "bob@opensmtpd.test", subject="your order")
    stored = opensmtpd.mail.wait(1)[0]
    assert stored.recipient == "bob@opensmtpd.test" and stored.header("Subject") == "your order"
    assert verified(stored.wire, name_server)
    tls = packetboat.wait_event("delivery", message_id=message_id)["tls"]
    assert tls["result"] == "failed" and tls["fallback"]
    packetboat.wait_queue_empty()


@pytest.mark.root
def test_one_message_to_many_recipients_at_both(packetboat, account, postfix, exim):
    recipients = [f"{name}@{domain}" for name in ("ann", "bob", "eve") for domain in ("postfix.test", "exim.test")]
    message_id = packetboat.send(account, "orders@shop.test", recipients)
    got = [m.recipient for m in postfix.mail.wait(3) + exim.mail.wait(3)]
    assert sorted(got) == sorted(recipients)
    packetboat.wait_queue_empty()
    assert sorted(e["recipient"] for e in packetboat.events("delivery", message_id=message_id)) == sorted(recipients)


def test_second_mx_is_used_when_the_first_is_down(packetboat, account, new_sink, name_server, addresses):
    name_server.add_mail_host("two.test", ("dead.two.test", addresses.next()))
    alive = new_sink("alive.test")
    name_server.add("two.test", "MX", f"20 {alive.name}.")
    packetboat.send(account, "orders@shop.test", "bob@two.test")
    assert alive.wait_messages()[0].recipients == ["bob@two.test"]


def test_domain_without_mx_gets_mail_at_its_address(packetboat, account, new_sink, name_server):
    host = new_sink("other.test")
    name_server.add("bare.test", "A", host.address)
    packetboat.send(account, "orders@shop.test", "bob@bare.test")
    assert host.wait_messages()[0].recipients == ["bob@bare.test"]


@pytest.mark.parametrize("body", [
    b"",
    b"one line\r\n",
    b".\r\n..\r\n.dot\r\n",
    b"x" * 998 + b"\r\n",
    b"trailing space \r\n\r\n\r\n",
    "Grüße, 漢字\r\n".encode(),
    b"line of a big message\r\n" * 20000,
], ids=["empty", "one-line", "dots", "long-line", "blank-lines", "utf-8", "big"])
def test_body_arrives_byte_for_byte_and_its_signature_verifies(body, packetboat, account, sink, name_server):
    head = make_message("orders@shop.test", ["bob@sink.test"], body="")
    packetboat.send(account, "orders@shop.test", "bob@sink.test", head + body)
    message = sink.wait_messages()[0]
    assert message.data.partition(b"\r\n\r\n")[2] == body
    good = verified(message.data, name_server)
    assert good and len(good) == len(signatures(message.data))


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
def test_delivery_event_comes_by_webhook_with_all_facts(tls, packetboat, account, new_sink, new_webhook):
    sink, hook = new_sink(tls=tls), new_webhook()
    packetboat.tool("pbhook", "add", account.name, hook.url)
    message_id = packetboat.send(account, "orders@shop.test", "bob@sink.test")

    event = hook.wait_event("delivery", message_id=message_id)
    assert event["recipient"] == "bob@sink.test"
    details = event["details"]
    assert details["smtp"]["code"] == 250
    assert "stored 1" in details["smtp"]["text"]
    assert details["dest_ip"] == sink.address and details["dest_host"] == sink.name
    assert details["source_ip"]
    assert details["attempt"] == 1
    assert details["size"] == len(sink.messages[0].data)
    if tls:
        assert details["tls"]["proto"].startswith("TLSv1.") and details["tls"]["cipher"]
    else:
        assert not details["tls"].get("proto")
    post = next(p for p in hook.posts if event in p.events())
    assert post.headers["content-type"].startswith("application/json")


@pytest.mark.both_users
def test_webhook_over_https_checks_the_certificate(packetboat, account, sink, new_webhook, ca):
    good, bad = new_webhook(tls=True), new_webhook(tls=True, certificate=ca.wrong_name())
    for hook in (good, bad):
        packetboat.tool("pbhook", "add", account.name, hook.url)
    packetboat.send(account, "orders@shop.test", "bob@sink.test")
    good.wait_event("delivery")
    assert bad.posts == []


def test_webhook_that_was_down_gets_the_event_later(new_packetboat, sink, new_webhook):
    boat = new_packetboat(webhook_retry_schedule="1s")
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    hook = new_webhook()
    hook.answers = [503, None]
    boat.tool("pbhook", "add", account.name, hook.url)
    message_id = boat.send(account, "orders@shop.test", "bob@sink.test")
    hook.wait_event("delivery", message_id=message_id)
    assert len(hook.posts) >= 3


def test_trace_shows_the_steps_of_a_message(packetboat, account, sink):
    message_id = packetboat.send(account, "orders@shop.test", "bob@sink.test")
    packetboat.wait_event("delivery", message_id=message_id)
    trace = packetboat.tool("pblog", "trace", message_id).out
    assert trace.index("accepted") < trace.index("delivery")
    assert "bob@sink.test" in trace and sink.name in trace


def test_queue_is_empty_after_delivery(packetboat, account, sink):
    assert packetboat.queue_text().strip() == "Mail queue is empty"
    packetboat.send(account, "orders@shop.test", "bob@sink.test")
    sink.wait_messages()
    packetboat.wait_queue_empty()
    assert packetboat.queue_text().strip() == "Mail queue is empty"
