"""Servers that stall, flood, lie and break off, and networks that lose: each has its stated outcome."""

import asyncio
import dataclasses
import pathlib
import re
import time

import pytest

from lib.hostile import Villains, context
from lib.net import free_port
from lib.netns import OwnNetwork
from lib.packetboat import make_message
from lib.proxy import TcpProxy
from lib.sink import SmtpSink
from lib.wait import wait_for

SENDER = "orders@shop.test"

# Each wait of the client, seconds.
WAIT = 5
WAITS = {name: f"{WAIT}s" for name in (
    "smtp_connect_timeout", "smtp_greeting_timeout", "smtp_helo_timeout", "smtp_starttls_timeout", "smtp_mail_timeout",
    "smtp_rcpt_timeout", "smtp_data_init_timeout", "smtp_data_xfer_timeout", "smtp_data_done_timeout")}
# More than the sockets on both ends hold.
BIG = "line\r\n" * 2000000
# No dialogue here has more than so many steps that are waited for.
STEPS = 6


# -- the villains ----------------------------------------------------------

@dataclasses.dataclass
class Case:
    """What a server does, and what must come of one message to it."""
    play: object
    kind: str = "deferral"
    reason: str = ""  # class_bounce
    text: str = ""  # a pattern of the reply or of what is said instead
    connections: int = 1
    tls: str = ""  # its line in smtp_tls_policy
    body: str = "Hello.\r\n"
    check: object = None  # of (event, villain)


CASES: dict[str, Case] = {}


def case(**expected):
    """Registers a villain under its function's name."""
    def register(play):
        CASES[play.__name__.replace("_", "-")] = Case(play, **expected)
        return play
    return register


def also(name: str, play, **expected):
    CASES[name] = Case(play, **expected)


# Floods.

@case(reason="protocol", text="broke the protocol while receiving the initial")
async def banner_without_end(talk):
    while True:
        await talk.say("220-" + "x" * 200 + "\r\n")


@case(reason="protocol", text="broke the protocol while receiving the initial")
async def banner_line_without_end(talk):
    while True:
        await talk.say("220-" + "x" * 60000)


@case(reason="protocol", text="broke the protocol while performing the EHLO")
async def ehlo_of_10000_lines(talk):
    await talk.say("220 villain\r\n")
    await talk.hear()
    await talk.say("250-X-CAPABILITY\r\n" * 10000 + "250 END\r\n")
    await talk.silence()


@case(reason="protocol", text="broke the protocol while sending end of data")
async def reply_to_the_dot_without_end(talk):
    await talk.greet()
    await talk.take()
    while True:
        await talk.say("250-" + "y" * 300 + "\r\n")


# Drips and silence.

@case(reason="timeout", text="timed out while receiving the initial")
async def banner_byte_by_byte(talk):
    for byte in b"220 " + b"z" * 500:
        await talk.say(bytes([byte]))
        await asyncio.sleep(0.1)


@case(reason="timeout", text="timed out while sending RCPT TO")
async def reply_to_rcpt_byte_by_byte(talk):
    await talk.greet("8BITMIME")
    await talk.until("RCPT")
    for byte in b"250-" + b"z" * 500:
        await talk.say(bytes([byte]))
        await asyncio.sleep(0.1)


def silent_at(step: str):
    async def play(talk):
        if step == "CONNECT":
            await talk.silence()
        await talk.say("220 villain\r\n")
        if step == "EHLO":
            await talk.silence()
        await talk.hello("8BITMIME")
        if step == "EOD":
            await talk.take()
        else:
            await talk.until(step)
        await talk.silence()
    return play


for step, words in (("CONNECT", "receiving the initial"), ("EHLO", "performing the EHLO"), ("MAIL", "sending MAIL FROM"),
                    ("RCPT", "sending RCPT TO"), ("DATA", "sending DATA"), ("EOD", "sending end of data")):
    also(f"silent-at-{step.lower()}", silent_at(step), reason="timeout", text=f"timed out while {words}")


@case(reason="timeout", text="timed out while sending message body", body=BIG)
async def content_is_not_read(talk):
    await talk.greet()
    await talk.until("DATA")
    await talk.say("354 go on\r\n")
    talk.writer.transport.pause_reading()
    await asyncio.sleep(2 * WAIT)
    talk.writer.transport.resume_reading()
    await talk.silence()


# What is no reply.

@case(reason="protocol", text="broke the protocol")
async def nul_in_a_reply(talk):
    await talk.greet("8BITMIME")
    await talk.until("MAIL")
    await talk.say(b"250 2.1.0 o\0k\r\n")
    await talk.silence()


@case(kind="delivery", text="taken")
async def eight_bits_in_replies(talk):
    await talk.say(b"220 v\xe4\xff villain\r\n")
    await talk.hello()
    await talk.take()
    await talk.say(b"250 2.0.0 taken \xc3\x28 \xff\x1b[31m\r\n")
    await talk.silence()


@case(reason="protocol", text="broke the protocol")
async def replies_before_commands(talk):
    await talk.say("220 villain\r\n250-villain\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n")
    await talk.silence()


@case(reason="protocol", text="broke the protocol")
async def reply_of_letters(talk):
    await talk.say("HTTP/1.1 400 Bad Request\r\n\r\n")
    await talk.silence()


@case(reason="protocol", text="broke the protocol")
async def data_is_answered_250(talk):
    await talk.greet("8BITMIME")
    await talk.until("DATA")
    await talk.say("250 2.0.0 ok\r\n")
    await talk.silence()


# Going away.

def closing_at(step: str):
    async def play(talk):
        if step == "CONNECT":
            await talk.say("421 4.3.2 villain closes\r\n")
            return
        await talk.say("220 villain\r\n")
        if step == "EHLO":
            await talk.hear()
        elif step == "STARTTLS":
            await talk.hello("STARTTLS")
            await talk.until("STARTTLS")
        else:
            await talk.hello("8BITMIME")
            if step == "EOD":
                await talk.take()
            else:
                await talk.until(step)
        await talk.say("421 4.3.2 villain closes\r\n")
    return play


for step in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"):
    also(f"421-at-{step.lower()}", closing_at(step), text="421 4.3.2 villain closes",
         check=lambda event, villain: event["smtp"]["code"] == 421)
also("421-at-starttls", closing_at("STARTTLS"), reason="tls", text="421 4.3.2 villain closes", tls="encrypt")


@case(reason="connection", text="lost connection .* while sending end of data -- message may be sent more than once")
async def reset_after_the_dot(talk):
    await talk.greet()
    await talk.take()
    talk.reset()


@case(reason="connection", text="lost connection .* while sending message body", body=BIG)
async def reset_inside_the_content(talk):
    await talk.greet()
    await talk.until("DATA")
    await talk.say("354 go on\r\n")
    await talk.reader.readexactly(100000)
    talk.reset()


@case(kind="delivery", text="taken")
async def closed_behind_the_last_reply(talk):
    await talk.greet()
    await talk.take()
    await talk.say("250 2.0.0 taken\r\n")
    talk.reset()


# TLS.

def never_in_clear(event, villain):
    return b"MAIL" not in villain.heard and villain.contents == []


@case(reason="tls", text="TLS required .* not offered", tls="encrypt", check=never_in_clear)
async def starttls_stripped(talk):
    await talk.greet("PIPELINING", "XXXXXXXA")
    await talk.finish()


async def no_handshake(talk):
    await talk.say("220 villain\r\n")
    await talk.hello("STARTTLS")
    if (await talk.hear()).upper() == "STARTTLS":
        await talk.say("220 go ahead\r\n")
        await talk.reader.read(1)  # the handshake has begun: this is no injected reply
        await talk.say("this is no handshake at all" * 10)
        await talk.silence()
    await talk.say("250 2.1.0 ok\r\n")
    await talk.finish()


also("starttls-broken-may", no_handshake, kind="delivery", connections=2,
     check=lambda event, villain: event["tls"]["result"] == "failed" and event["tls"]["fallback"])
also("starttls-broken-encrypt", no_handshake, reason="tls", tls="encrypt", check=never_in_clear)


@case(reason="timeout", text="STARTTLS|TLS", tls="encrypt", check=never_in_clear)
async def handshake_stalls(talk):
    await talk.greet("STARTTLS")
    await talk.until("STARTTLS")
    await talk.say("220 go ahead\r\n")
    await talk.silence()


@case(reason="", text="protocol|TLS", tls="encrypt", check=never_in_clear)
async def text_injected_before_the_handshake(talk):
    await talk.greet("STARTTLS")
    await talk.until("STARTTLS")
    await talk.say("220 go ahead\r\n250 villain\r\n250 ok\r\n")
    await talk.silence()


def secured(certificate, old: bool = False):
    made = context(certificate, old)

    async def play(talk):
        await talk.greet("STARTTLS", "PIPELINING")
        await talk.until("STARTTLS")
        await talk.say("220 go ahead\r\n")
        await talk.tls(made)
        await talk.hello()
        await talk.finish()
    return play


def changing(certificate):
    """Another server behind the handshake than before it: only what it says inside counts."""
    made = context(certificate)

    async def play(talk):
        await talk.greet("STARTTLS", "PIPELINING", "SIZE 10", "SMTPUTF8")
        await talk.until("STARTTLS")
        await talk.say("220 go ahead\r\n")
        await talk.tls(made)
        await talk.hello("8BITMIME")
        for verb in ("MAIL", "RCPT", "DATA"):
            line = await talk.hear()
            assert line.startswith(verb) and not talk.reader._buffer, (line, talk.reader._buffer)
            assert "SIZE" not in line, line
            await talk.say("354 go on\r\n" if verb == "DATA" else "250 2.1.0 ok\r\n")
        await talk.content()
        await talk.say("250 2.0.0 taken\r\n")
        await talk.silence()
    return play


def tls_cases(ca) -> dict[str, Case]:
    return {
        "certificate-expired": Case(secured(ca.expired("mx.certificate-expired.test")), reason="tls", tls="verify", check=never_in_clear),
        "certificate-wrong-name": Case(secured(ca.wrong_name()), reason="tls", tls="verify", check=never_in_clear),
        "tls-downgraded": Case(secured(ca.server("mx.tls-downgraded.test"), old=True), reason="tls", tls="encrypt", check=never_in_clear),
        "ehlo-changes": Case(changing(ca.server("mx.ehlo-changes.test")), kind="delivery", tls="encrypt", text="taken"),
    }


# Lies about capabilities.

@case(reason="timeout", text="timed out")
async def pipelining_is_a_lie(talk):
    await talk.greet("PIPELINING")
    await talk.reader.read(65536)  # all but the first command is thrown away
    await talk.say("250 2.1.0 ok\r\n")
    await talk.silence()


@case(kind="soft_bounce", reason="too_large", text="larger than the server takes")
async def size_of_ten(talk):
    await talk.greet("SIZE 10")
    await talk.finish()


@case(kind="delivery", text="taken")
async def size_of_a_googol(talk):
    await talk.greet("SIZE 1" + "0" * 100, "LIMITS RCPTMAX=0 MAILMAX=-1", "AUTH", "=", " ", "PIPELINING")
    await talk.take()
    await talk.say("250 2.0.0 taken\r\n")
    await talk.silence()


@case(kind="delivery", connections=2, check=lambda event, villain: event["tls"]["result"] == "failed")
async def starttls_is_a_lie(talk):
    await talk.say("220 villain\r\n")
    await talk.hello("STARTTLS")
    if (await talk.hear()).upper() == "STARTTLS":
        await talk.say("502 5.5.1 what is that\r\n")
        await talk.silence()
    await talk.say("250 2.1.0 ok\r\n")
    await talk.finish()


# -- one message to each ---------------------------------------------------

def status(pid: int, name: str) -> int:
    """A line of /proc/PID/status, in KB."""
    return int(re.search(rf"^{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def submit_to(boat, account, recipients, body: str = "Hello.\r\n") -> str:
    return boat.send(account, SENDER, recipients, make_message(SENDER, ["you"], body=body))


def mismatches(name: str, case: Case, events: list[dict], villain) -> list[str]:
    """What is not as it should be, in words."""
    if not events:
        return [f"{name}: no event"]
    event, wrong = events[0], []
    text = event.get("smtp", {}).get("text", "")
    for what, is_good in {
            "kind": event["kind"] == case.kind,
            "reason": not case.reason or event.get("class_bounce") == case.reason,
            "text": re.search(case.text, text) is not None,
            "attempts": len(events) == 1,
            "connections": villain.opened == case.connections,
            "deadline": villain.longest <= WAIT * STEPS,
            "dialogue": not villain.failure,
            "check": case.check is None or case.check(event, villain)}.items():
        if not is_good:
            wrong.append(f"{name}: {what}: {event['kind']} {event.get('class_bounce')} {text!r} tls={event.get('tls')}, "
                         f"{len(events)} events, {villain.opened} connections, {villain.longest:.1f} s, {villain.failure}")
    return wrong


@pytest.mark.deadline(180)
def test_each_hostile_server_gets_its_outcome_in_time_and_no_memory(make_packetboat, keep, name_server, addresses, smtp_port, ca):
    boat = make_packetboat(retry_schedule="1h", message_size_limit="20M", **WAITS)
    cases = CASES | tls_cases(ca)
    villains, played, policy = Villains(), {}, ""
    for name, each in cases.items():
        address = addresses.next()
        host = f"mx.{name}.test"
        name_server.zones[""] += [f"{name}.test. 60 IN MX 10 {host}.", f"{host}. 60 IN A {address}"]
        played[name] = villains.add(address, smtp_port, each.play)
        policy += f"{name}.test {each.tls}\n" if each.tls else ""
    name_server.reload()
    (boat.directory / "tls_policy").write_text(policy)
    boat.write_config(smtp_tls_policy=boat.directory / "tls_policy")
    keep.start(villains)
    keep.start(boat)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    deliver = boat.pids("deliver")[0]
    before = status(deliver, "VmRSS")

    bodies: dict[str, list[str]] = {}
    for name, each in cases.items():
        bodies.setdefault(each.body, []).append(f"bob@{name}.test")
    for body, recipients in bodies.items():
        submit_to(boat, shop, recipients, body)

    def outcomes() -> dict[str, list[dict]]:
        found = {name: [] for name in cases}
        for event in boat.events():
            name = event.get("recipient", "").removeprefix("bob@").removesuffix(".test")
            if name in found and event["kind"] in ("delivery", "deferral", "bounce", "soft_bounce"):
                found[name].append(event)
        return found
    wait_for(lambda: all(outcomes().values()), 60, "an outcome for each")
    # What deliver closes in good manners may take the time of QUIT.
    wait_for(lambda: villains.open_now == 0, WAIT * STEPS, "the end of all connections")
    final = outcomes()
    wrong = [line for name, each in cases.items() for line in mismatches(name, each, final[name], played[name])]
    assert not wrong, "\n".join(wrong)
    # Replies without end and contents of megabytes leave nothing behind.
    assert status(deliver, "VmHWM") - before < 48 * 1024, (before, status(deliver, "VmHWM"))
    assert boat.pids("deliver") == [deliver]


# -- many at once ----------------------------------------------------------

def test_500_tarpits_hold_up_nobody_else(new_packetboat, keep, name_server, addresses, smtp_port, new_sink):
    async def tarpit(talk):
        for byte in b"220-" + b"z" * 100:
            await talk.say(bytes([byte]))
            await asyncio.sleep(1)
    villains, address, sites, mails = Villains(), addresses.next(), 260, 60
    pit = villains.add(address, smtp_port, tarpit)
    for n in range(sites):
        name_server.zones[""] += [f"t{n}.test. 60 IN MX 10 mx.t{n}.test.", f"mx.t{n}.test. 60 IN A {address}"]
    good = [new_sink(f"good{n}.test") for n in range(3)]  # reloads the zones, too
    keep.start(villains)
    boat = new_packetboat(smtp_greeting_timeout="90s", drain_time="60s")
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    deliver = boat.pids("deliver")[0]
    before = status(deliver, "VmRSS")
    submit_to(boat, shop, [f"{who}@t{n}.test" for n in range(sites) for who in ("ann", "bob")])
    wait_for(lambda: pit.open_now >= 500, 30, "500 tarpits")

    began = time.monotonic()
    for n in range(mails):
        boat.send(shop, SENDER, [f"bob{n}@good{k}.test" for k in range(3)])
    for sink in good:
        sink.wait_messages(mails)
    took = time.monotonic() - began
    assert pit.open_now >= 500, "the tarpits let go too early for this test"
    # No wait of a tarpit's kind has come between: those are a minute long.
    assert took < 40, took
    assert status(deliver, "VmHWM") - before < 500 * 48 + 16 * 1024
    # Nor do they hold up the end (drain_time).
    began = time.monotonic()
    boat.stop()
    assert time.monotonic() - began < 20


# -- the network -----------------------------------------------------------

@pytest.fixture
def own_network():
    """Faults of a network that nobody else is in. Asked for first, so that all servers are inside."""
    network = OwnNetwork().enter()
    yield network
    network.leave()


def send_and_count(boat, sink, shop, tag: str, count: int, body: str = "Hello.\r\n", deadline: float = 60) -> int:
    """Sends messages and waits until all are there and the queue is empty; returns how many came, duplicates included."""
    before = len(sink.received)
    for n in range(count):
        submit_to(boat, shop, f"{tag}{n}@sink.test", body)
    wait_for(lambda: all(sink.to(f"{tag}{n}@sink.test") for n in range(count)), deadline, f"{count} messages through {tag}")
    boat.wait_queue_empty(deadline)
    return len(sink.received) - before


def uncertain(boat) -> int:
    return sum("may be sent more than once" in e["smtp"]["text"] for e in boat.events("deferral"))


@pytest.mark.root
@pytest.mark.deadline(180)
def test_faults_of_the_network_lose_nothing_and_explain_each_duplicate(own_network, make_packetboat, keep, name_server, ca, addresses, smtp_port):
    address = addresses.next()
    sink = keep.start(SmtpSink(addresses.next(), free_port(), "mx.sink.test", ca.server("mx.sink.test")))
    proxy = keep.start(TcpProxy(address, smtp_port, (sink.address, sink.port)))
    name_server.add_mail_host("sink.test", ("mx.sink.test", address))
    boat = make_packetboat(retry_schedule="1s", retry_jitter=0, smtp_connection_reuse_limit=2, **WAITS)
    name_server.add(boat.HOSTNAME, "A", boat.address)
    keep.start(boat)
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    came = 0

    own_network.rule(f"tcp dport {smtp_port} numgen random mod 100 < 15 counter drop")
    own_network.rule(f"tcp sport {smtp_port} numgen random mod 100 < 15 counter drop")
    came += send_and_count(boat, sink, shop, "loss", 8)
    assert own_network.hits() > 0
    own_network.no_rules()

    own_network.rule(f"tcp dport {smtp_port} tcp flags psh numgen random mod 100 < 15 counter reject with tcp reset")
    came += send_and_count(boat, sink, shop, "reset", 8)
    assert own_network.hits() > 0
    own_network.no_rules()

    own_network.limit("2mbit")
    came += send_and_count(boat, sink, shop, "narrow", 1, "x" * 70 + "\r\n" + "line\r\n" * 50000)
    own_network.no_limit()

    proxy.delay, proxy.piece = 0.03, 200
    came += send_and_count(boat, sink, shop, "far", 5)
    proxy.kills = [0, 30, 300, 900, 1500, 2500]
    came += send_and_count(boat, sink, shop, "killed", 4)

    total = 8 + 8 + 1 + 5 + 4
    assert len(boat.events("delivery")) == total
    # A duplicate is what became uncertain (RFC 1047), and nothing else is sent twice.
    assert total <= came <= total + uncertain(boat)
