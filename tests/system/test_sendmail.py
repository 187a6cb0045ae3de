"""sendmail(1) as programs call it: by itself, from cron, s-nail, and with a key."""

import os
import shutil
import subprocess

import pytest

from lib.packetboat import Packetboat, queued_id

TEXT = "Subject: hello\n\nfirst\n..\nlast\n"


@pytest.fixture
def sink(new_sink):
    return new_sink(tls=False)


@pytest.fixture
def boat(new_packetboat, sink) -> Packetboat:
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay")
    boat.add_account("relay", unsigned="allow")
    return boat


def sendmail(boat: Packetboat, *args: str, text: str = TEXT):
    return boat.tool("sendmail", *args, input=text, check=False)


def test_a_message_is_sent_to_whom_the_command_line_names(boat, sink):
    result = sendmail(boat, "-v", "-f", "app@shop.test", "-F", "The Shop", "bob@sink.test", "<eve@sink.test>")
    assert (result.code, result.err) == (0, "")
    message_id = queued_id(result.out)
    messages = sink.wait_messages(2)
    assert sorted(r for m in messages for r in m.recipients) == ["bob@sink.test", "eve@sink.test"]
    assert b'\r\nFrom: "The Shop" <app@shop.test>\r\n' in messages[0].data
    assert messages[0].data.endswith(b"\r\n\r\nfirst\r\n..\r\nlast\r\n")
    assert boat.wait_event("delivery", message_id=message_id, recipient="eve@sink.test")["from"] == "app@shop.test"


def test_a_dot_ends_the_message_unless_told_otherwise(boat, sink):
    text = "From: a@shop.test\n\nfirst\n.\nlast\n"
    assert sendmail(boat, "bob@sink.test", text=text).code == 0
    assert sink.wait_messages()[0].data.endswith(b"\r\n\r\nfirst\r\n")
    assert sendmail(boat, "-oi", "bob@sink.test", text=text).code == 0
    assert sink.wait_messages(2)[1].data.endswith(b"\r\n\r\nfirst\r\n.\r\nlast\r\n")


def test_as_cron_calls_it(boat, sink):
    """Bare names get this host's, and Bcc is not for the readers."""
    text = ("From: root (Cron Daemon)\nTo: root\nBcc: bob@sink.test\n"
            "Subject: Cron <root@host> true\n\noutput\n")
    result = sendmail(boat, "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root", text=text)
    assert (result.code, result.err) == (0, "")
    message = sink.to("bob@sink.test")[0] if sink.wait_messages() else None
    assert f"From: root@{boat.HOSTNAME} (Cron Daemon)\r\nTo: root@{boat.HOSTNAME}\r\n".encode() in message.data
    assert b"Bcc" not in message.data


def test_a_delivery_status_notification_is_asked_for(boat, sink):
    result = sendmail(boat, "-v", "-f", "app@shop.test", "-N", "failure,delay", "-R", "hdrs", "-V", "order-7",
                      "bob@sink.test")
    assert (result.code, result.err) == (0, "")
    envelope = boat.tool("pbcat", "--json", "-e", queued_id(result.out)).lines()[0]["envelope"]
    assert envelope["env_id"] == "order-7" and envelope["ret"] == "headers"
    assert boat.wait_event("delivery")["notify"] == ["failure", "delay"]


def test_smtp_on_standard_input(boat, sink):
    dialogue = ("EHLO me\r\nMAIL FROM:<a@shop.test>\r\nRCPT TO:<bob@sink.test>\r\nDATA\r\n"
                "From: a@shop.test\r\n\r\nx\r\n.\r\nQUIT\r\n")
    result = sendmail(boat, "-bs", text=dialogue)
    assert result.code == 0 and "Queued as: " in result.out and "\n221 " in result.out
    assert sink.wait_messages()[0].recipients == ["bob@sink.test"]


def test_the_queue_is_listed_and_flushed(boat, sink):
    sink.on("RCPT", "450 4.2.0 later", times=1)
    message_id = queued_id(sendmail(boat, "-v", "-f", "app@shop.test", "bob@sink.test").out)
    boat.wait_event("deferral", message_id=message_id)
    assert message_id in sendmail(boat, "-bp").out
    assert sendmail(boat, "-q").code == 0
    boat.wait_event("delivery", message_id=message_id)


def test_another_program_sends_through_it(boat, sink):
    """s-nail gives the recipients on the command line and the message with a header."""
    wrapper = boat.directory / "sendmail"
    wrapper.write_text(f'#!/bin/sh\nexec {boat.program("sendmail")} -c {boat.directory} "$@"\n')
    wrapper.chmod(0o755)
    subprocess.run([shutil.which("s-nail"), "-:/", "-S", "v15-compat", "-S", f"mta={wrapper}", "-S", "from=app@shop.test",
                    "-S", "sendwait", "-s", "from s-nail", "-b", "eve@sink.test", "bob@sink.test"],
                   input="a body\n", text=True, check=True, timeout=30, env=os.environ | {"HOME": str(boat.directory)})
    assert sorted(m.recipients[0] for m in sink.wait_messages(2)) == ["bob@sink.test", "eve@sink.test"]
    assert b"\r\nSubject: from s-nail\r\n" in sink.messages[0].data


def test_a_key_is_sent_inside_tls_to_this_host_only(new_packetboat, sink):
    boat = new_packetboat()
    shop = boat.add_account("shop", unsigned="allow")
    key = boat.directory / "sendmail.key"
    key.write_text(f"username: {shop.username}\npassword: {shop.password}\n")
    key.chmod(0o644)
    assert sendmail(boat, "-f", "app@shop.test", "bob@sink.test").code == 69, "AUTH is required"
    boat.write_config(sendmail_key_file=key)
    assert sendmail(boat, "-f", "app@shop.test", "bob@sink.test").code == 0
    assert sink.wait_messages()[0].recipients == ["bob@sink.test"]

    boat.write_config(sendmail_server=f"{boat.address}:{boat.submission_port}")
    result = sendmail(boat, "-f", "app@shop.test", "bob@sink.test")
    assert result.code == 76 and "TLS: " in result.err, "no public authority vouches for it"
    boat.write_config(sendmail_server="")
    key.write_text(f"username: {shop.username}\npassword: {shop.password[::-1]}\n")
    assert sendmail(boat, "-f", "app@shop.test", "bob@sink.test").code == 77
    key.write_text("nothing\n")
    result = sendmail(boat, "-f", "app@shop.test", "bob@sink.test")
    assert result.code == 78 and str(key) in result.err


@pytest.mark.parametrize("args, text, code, line", [
    ((), TEXT, 64, "recipients"),
    (("-Nsometimes", "bob@sink.test"), TEXT, 64, "-N sometimes"),
    (("-R", "half", "bob@sink.test"), TEXT, 64, "half"),
    (("-bz",), TEXT, 64, "-bz"),
    (("-t",), TEXT, 65, "no recipients"),
    (("-t",), "To: <bob@sink.test\n\n", 65, "To"),
    (("bob@sink.test",), "Subject: x\n\n" + "x" * 70000, 65, "message_size_limit"),
    (("not an address",), TEXT, 69, "not an address"),
])
def test_a_mistake_is_one_line_and_a_status(new_packetboat, sink, args, text, code, line):
    boat = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="relay", message_size_limit="64K")
    boat.add_account("relay", unsigned="allow")
    result = sendmail(boat, *args, text=text)
    assert result.code == code
    assert line in result.err.splitlines()[0]
    assert sink.messages == []


def test_without_a_server_a_later_try_may_help(boat, sink):
    boat.stop()
    result = sendmail(boat, "bob@sink.test")
    assert result.code == 75 and "refused" in result.err
