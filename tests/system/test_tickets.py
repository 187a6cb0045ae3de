"""TLS session tickets: good with every smtpd process, and not for ever."""

import re
import socket

import pytest

from lib.wait import wait_for


def handshake(boat, context, session=None) -> tuple[bool, object]:
    """Whether it was a resumed one, and the session to resume next."""
    with socket.create_connection((boat.address, boat.submissions_port), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=boat.HOSTNAME, session=session) as tls:
            assert tls.recv(512).startswith(b"220")
            tls.sendall(b"QUIT\r\n")
            tls.recv(512)
            return tls.session_reused, tls.session


def test_every_process_takes_the_tickets_of_all(make_packetboat, keep):
    boat = keep.start(make_packetboat(smtpd_processes=4, log_level="debug"))
    context = boat.tls_context()
    reused, session = handshake(boat, context)
    assert not reused
    for _ in range(100):
        assert handshake(boat, context, session)[0]
    assert len(set(re.findall(r"smtpd\[(\d+)\]: connect from", boat.log_text()))) > 1


@pytest.mark.both_users
def test_tickets_outlive_a_reload(make_packetboat, keep):
    """New processes have the keys of the old ones."""
    boat = keep.start(make_packetboat(smtpd_processes=2))
    context = boat.tls_context()
    session = handshake(boat, context)[1]
    boat.tool("packetboat", "reload")
    wait_for(lambda: "reload is complete" in boat.log_text(), 60, "the reload")
    for _ in range(10):
        assert handshake(boat, context, session)[0]


def test_a_ticket_ends_with_its_time(make_packetboat, keep):
    boat = keep.start(make_packetboat(smtpd_tls_ticket_time="2s"))
    context = boat.tls_context()
    session = handshake(boat, context)[1]
    wait_for(lambda: not handshake(boat, context, session)[0], 30, "the end of the ticket")
    # The next key works as well.
    wait_for(lambda: handshake(boat, context, handshake(boat, context)[1])[0], 30, "a ticket of the next key")


def test_no_tickets_when_they_are_not_wanted(make_packetboat, keep):
    boat = keep.start(make_packetboat(smtpd_tls_ticket_time=0))
    context = boat.tls_context()
    session = handshake(boat, context)[1]
    assert not handshake(boat, context, session)[0]
