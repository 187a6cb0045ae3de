"""Clients that stop half-way, flood, dawdle or do not listen: each has its stated outcome, and others are served."""

import contextlib
import pathlib
import re
import select
import socket
import subprocess
import time

import pytest

from lib.packetboat import QUEUED
from lib.process import find_program
from lib.wait import wait_for

SENDER = "orders@shop.test"
TIMEOUT = 10  # smtpd's patience, seconds


@pytest.fixture
def boat(new_packetboat):
    """Takes mail of 127/8 for the account shop."""
    made = new_packetboat(mynetworks="127.0.0.0/8", mynetworks_account="shop", smtpd_timeout=f"{TIMEOUT}s",
                          smtpd_junk_command_limit=100000)
    made.shop = made.add_account("shop")
    made.add_domain(made.shop, "shop.test")
    return made


def memory(boat) -> int:
    """Of smtpd, KB."""
    text = pathlib.Path(f"/proc/{boat.pids('smtpd')[0]}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", text, re.MULTILINE)[1])


def connections_to(boat, source: str, count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    return [stack.enter_context(socket.create_connection((boat.address, boat.submission_port), 20, (source, 0)))
            for _ in range(count)]


def is_ended(client: socket.socket) -> bool:
    """Has the server closed? What it said before is read away."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


# -- half a connection -----------------------------------------------------

SESSION = (b"EHLO client.test\r\nMAIL FROM:<orders@shop.test>\r\nRCPT TO:<bob@sink.test>\r\nDATA\r\n"
           b"From: orders@shop.test\r\nSubject: half\r\n\r\nHello.\r\n.\r\n")
NETCAT, SOCAT = (lambda a, p: ["nc", "-N", a, str(p)]), (lambda a, p: ["socat", "-t", "30", "-", f"TCP:{a}:{p}"])


@pytest.mark.parametrize("last", [b"QUIT\r\n", b""], ids=["quit", "no-quit"])
@pytest.mark.parametrize("client", [NETCAT, SOCAT], ids=["nc", "socat"])
def test_client_that_closes_its_half_behind_a_whole_session_gets_all_replies(client, last, boat, sink):
    command = client(boat.address, boat.submission_port)
    command[0] = find_program(command[0])
    said = subprocess.run(command, input=SESSION + last, stdout=subprocess.PIPE, timeout=30, check=True).stdout
    replies = said.decode().split("\r\n")
    assert [r[:4] for r in replies if r[3:4] == " "] == ["220 ", "250 ", "250 ", "250 ", "354 ", "250 "] + ["221 "] * bool(last)
    assert any(QUEUED.search(reply) for reply in replies), replies
    assert sink.wait_messages(1)[0].recipients == ["bob@sink.test"]


def test_closed_half_keeps_no_session(boat, sink):
    with contextlib.ExitStack() as stack:
        clients = connections_to(boat, "127.0.0.1", 20, stack)
        for n, client in enumerate(clients):
            client.sendall(SESSION[:len(SESSION) * n // 20])
            client.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        wait_for(lambda: all(map(is_ended, clients)), TIMEOUT, "the end of all sessions")
        assert time.monotonic() - began < TIMEOUT / 2
    assert boat.events("accepted") == []


# -- replies that nobody reads ---------------------------------------------

def push(client: socket.socket, text: bytes, patience: float) -> int:
    """Sends until nothing more is taken for some seconds; how many bytes were."""
    client.setblocking(False)
    sent = 0
    while sent < len(text) and select.select([], [client], [], patience)[1]:
        sent += client.send(text[sent:sent + 65536])
    return sent


def test_replies_that_are_not_read_take_no_memory_and_stop_the_commands(boat):
    command, count = b"HELP\r\n", 100000  # so many may be asked for (boat)
    with contextlib.ExitStack() as stack:
        deaf, = connections_to(boat, "127.0.0.1", 1, stack)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = memory(boat)
        sent = push(deaf, command * count, 1)
        assert memory(boat) - before < 2048, sent
        # It is heard again as soon as it listens, nothing is lost ...
        deaf.settimeout(TIMEOUT)
        heard = b""
        while heard.count(b"\n") < 5000:
            heard += deaf.recv(65536)
        assert heard.startswith(b"220 ") and {line[:4] for line in heard.split(b"\r\n")[1:-1]} == {b"214 "}
        # ... and it has no more time than others.
        wait_for(lambda: "timeout after command" in boat.log_text(), 3 * TIMEOUT, "the end of its patience")


# -- many ------------------------------------------------------------------

def send_some(boat, account, count: int, deadline: float):
    """A good client's mail, each within the time."""
    for _ in range(count):
        began = time.monotonic()
        boat.send(account, SENDER, "bob@sink.test")
        assert time.monotonic() - began < deadline


def test_idle_connections_hold_up_nobody_and_a_crowd_of_them_thins_out(new_packetboat, sink):
    limit = 2000
    boat = new_packetboat(smtpd_connection_limit=limit, smtpd_stress_timeout="3s", smtpd_timeout="90s")
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    before = memory(boat)
    with contextlib.ExitStack() as stack:
        early = [c for n in range(10) for c in connections_to(boat, f"127.99.0.{n + 1}", limit * 3 // 40, stack)]
        send_some(boat, shop, 5, 10)
        assert memory(boat) - before < 10 * len(early), "KB each"
        late = [c for n in range(3) for c in connections_to(boat, f"127.99.1.{n + 1}", 160, stack)]
        send_some(boat, shop, 5, 10)
        wait_for(lambda: sum(map(is_ended, late)) >= 470, 30, "the end of those in the crowd")
        assert not any(map(is_ended, early[:1000]))
        send_some(boat, shop, 5, 10)
    sink.wait_messages(15)


def test_flood_from_one_address_is_turned_away_and_others_are_served(new_packetboat, sink):
    boat = new_packetboat(smtpd_client_connection_count_limit=50)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    with contextlib.ExitStack() as stack:
        flood = connections_to(boat, "127.99.0.1", 300, stack)
        greetings = [c.recv(200)[:9] for c in flood]
        assert greetings.count(b"421 4.7.0") == 250 and greetings[:50] == [b"220 mail."] * 50
        send_some(boat, shop, 3, 10)
    sink.wait_messages(3)


def test_dawdlers_are_left_in_time_and_others_are_served(new_packetboat, sink):
    boat = new_packetboat(smtpd_timeout="6s", smtpd_client_connection_count_limit=0)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    text = b"EHLO " + b"x" * 200
    with contextlib.ExitStack() as stack:
        slow = connections_to(boat, "127.99.0.1", 300, stack)
        began, served = time.monotonic(), 0
        left = set(slow)
        for byte in text:
            for client in list(left):
                with contextlib.suppress(ConnectionError):
                    client.sendall(bytes([byte]))
                if is_ended(client):
                    left.discard(client)
            if served < 3:
                send_some(boat, shop, 1, 10)
                served += 1
            if not left:
                break
            select.select([], [], [], 0.2)
        assert not left and served == 3
        # A byte now and then buys no time: there is one deadline for the command.
        assert time.monotonic() - began < 30
    sink.wait_messages(3)
