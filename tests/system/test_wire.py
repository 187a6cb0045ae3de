"""A network that reorders, doubles, loses, forges and swallows packets between the suite and others."""

import contextlib
import random
import socket

import pytest

from lib.dns import NameServer
from lib.net import free_port
from lib.packetboat import Packetboat, make_message
from lib.postfix import PostfixReceiver
from lib.process import run
from lib.sink import SmtpSink
from lib.wait import wait_for
from lib.wire import BACK, OUT, TCP, UDP, Plan, Wire, udp

pytestmark = pytest.mark.root

SENDER = "orders@shop.test"
NEAR, (FAR, FAR_POSTFIX, THIEF) = Wire.NEAR[0], Wire.FAR
BIG = "x" * 70 + "\r\n" + "line\r\n" * 40000
FINAL_DOT = b"\r\n.\r\n"
WAIT = 8
WAITS = {f"smtp_{name}_timeout": f"{WAIT}s" for name in (
    "connect", "greeting", "helo", "starttls", "mail", "rcpt", "data_init", "data_xfer", "data_done")}
# Many kinds of trouble for each packet; TCP gets through all of it.
ROUGH = Plan(delay=0.04, doubled=0.1, lost=0.02)


@pytest.fixture
def wire():
    """Asked for first, so that all other servers are on its near host."""
    made = Wire(seed=7).enter()
    yield made
    made.leave()


@pytest.fixture
def far_sink(wire, keep, name_server, ca, smtp_port):
    """far_sink(tls=False): the MX of sink.test, on the far host."""
    def make(tls: bool = True) -> SmtpSink:
        with wire.far():
            sink = keep.start(SmtpSink(FAR, smtp_port, "mx.sink.test", ca.server("mx.sink.test") if tls else None))
        name_server.add_mail_host("sink.test", ("mx.sink.test", FAR))
        return sink
    return make


@pytest.fixture
def boat(wire, make_packetboat, keep, name_server, ca):
    """The suite on the near host, which hosts on the far one may use."""
    made = make_packetboat(certificate=ca.server(Packetboat.HOSTNAME, NEAR), retry_schedule="1s", retry_jitter=0,
                           smtpd_timeout=f"{WAIT}s", smtpd_data_timeout=f"{WAIT}s", mynetworks="198.18.1.0/24",
                           mynetworks_account="shop", smtp_connection_reuse_limit=3, **WAITS)
    made.write_config(smtpd_listen=made.parameters["smtpd_listen"].replace(made.address, NEAR))
    made.address = NEAR
    name_server.add(made.HOSTNAME, "A", made.address)
    return keep.start(made)


@pytest.fixture
def shop(boat):
    account = boat.add_account("shop")
    boat.add_domain(account, "shop.test")
    return account


def submit(boat, account, recipient: str, body: str = "Hello.\r\n") -> str:
    return boat.send(account, SENDER, recipient, make_message(SENDER, [recipient], body=body))


def all_delivered(boat, count: int, deadline: float):
    wait_for(lambda: len(boat.events("delivery")) >= count, deadline, f"{count} deliveries")
    boat.wait_queue_empty(deadline)
    assert len(boat.events("delivery")) == count


def repeats_allowed(boat) -> int:
    """Only what became uncertain may come again (RFC 1047)."""
    return sum("may be sent more than once" in e["smtp"]["text"] for e in boat.events("deferral"))


def sessions_here(address: str, port: int) -> list[str]:
    """Connections between this host and that port that a process still holds."""
    return run("ss", "-Htnp", "state", "established", f"( dport = :{port} or sport = :{port} )", "dst", address).stdout.splitlines()


def client_session(boat) -> socket.socket:
    """From the far host; the caller is there."""
    return socket.create_connection((NEAR, boat.submission_port), timeout=2 * WAIT)


# -- reordering ------------------------------------------------------------

@pytest.mark.deadline(150)
def test_reordered_and_doubled_packets_cost_no_mail_and_repeat_none(wire, keep, new_directory, name_server, ca, smtp_port,
                                                                   far_sink, boat, shop):
    sink = far_sink()
    with wire.far():
        postfix = keep.start(PostfixReceiver(new_directory("postfix"), FAR_POSTFIX, smtp_port, ["postfix.test"],
                                             ca.server("mx.postfix.test"), "mx.postfix.test"))
    name_server.add_mail_host("postfix.test", ("mx.postfix.test", FAR_POSTFIX))
    wire.plan = ROUGH
    recipients = [f"r{n}@{domain}.test" for domain in ("sink", "postfix") for n in range(8)]
    for n, recipient in enumerate(recipients):
        submit(boat, shop, recipient, BIG if n % 4 == 0 else "Hello.\r\n")
    all_delivered(boat, len(recipients), 90)
    assert sorted(e["recipient"] for e in boat.events("delivery")) == sorted(recipients)
    came = len(sink.received) + len(postfix.mail.messages())
    assert len(recipients) <= came <= len(recipients) + repeats_allowed(boat)
    assert {r for m in sink.messages for r in m.recipients} == set(recipients[:8])
    # No session outlives its mail by more than a wait.
    wait_for(lambda: sink.open_now == 0 and not sessions_here(FAR_POSTFIX, smtp_port), 3 * WAIT, "the end of all sessions")
    # The network was what it is said to be.
    counts = wire.counts
    assert counts.overtaken > 100 and counts.doubled > 50 and counts.lost > 5, counts


@pytest.mark.deadline(150)
def test_submission_through_reordered_packets_is_taken_once(wire, boat, shop, new_sink):
    sink = new_sink("near.test")
    wire.plan = ROUGH
    ids = []
    for n in range(6):
        recipient = f"r{n}@near.test"
        with wire.far():
            ids.append(submit(boat, shop, recipient, BIG if n % 3 == 0 else "Hello.\r\n"))
    all_delivered(boat, 6, 30)
    assert sorted(m.recipients[0] for m in sink.received) == [f"r{n}@near.test" for n in range(6)]
    bodies = {m.recipients[0]: m.data.partition(b"\r\n\r\n")[2] for m in sink.received}
    assert bodies["r0@near.test"] == bodies["r3@near.test"] == BIG.encode()
    assert len(set(ids)) == 6 == len(boat.events("accepted"))
    assert wire.counts.overtaken > 100 and wire.counts.doubled > 30, wire.counts


# -- one way is silent -----------------------------------------------------

class Silence:
    """Nothing passes these ways any more, once a packet of the way `trigger` has had the text."""

    def __init__(self, silent: tuple[str, ...], trigger: str, text: bytes):
        self.silent, self.trigger, self.text = silent, trigger, text
        self.began = False

    def __call__(self, way, packet):
        is_silent = self.began and way in self.silent
        self.began = self.began or (packet.protocol == TCP and way == self.trigger and self.text in packet.payload)
        return [] if is_silent else None


def test_acknowledgements_lost_behind_the_final_dot_make_one_named_repeat(wire, boat, shop, far_sink):
    sink = far_sink(tls=False)
    wire.rule = Silence((BACK,), OUT, FINAL_DOT)
    submit(boat, shop, "bob@sink.test")
    wait_for(lambda: repeats_allowed(boat) == 1, 3 * WAIT, "the loss is noticed")
    assert len(sink.received) == 1 and wire.rule.began
    assert boat.events("deferral")[0]["class_bounce"] == "timeout"
    wire.rule = None
    all_delivered(boat, 1, 4 * WAIT)
    assert len(sink.received) == 2
    assert repeats_allowed(boat) == 1 == len(boat.events("deferral"))


def test_a_reply_that_came_is_a_delivery_though_nothing_more_passes(wire, boat, shop, far_sink):
    sink = far_sink(tls=False)
    wire.rule = Silence((OUT,), BACK, b"250 2.0.0 stored")
    submit(boat, shop, "bob@sink.test")
    all_delivered(boat, 1, WAIT)
    wait_for(lambda: not sessions_here(FAR, sink.port), 4 * WAIT, "the end of the session")
    assert len(sink.received) == 1 and boat.events("deferral") == []
    # Of the peer's session nobody can say anything; the next mail takes a new one.
    wire.rule = None
    submit(boat, shop, "ann@sink.test")
    all_delivered(boat, 2, 4 * WAIT)
    assert [m.recipients for m in sink.received] == [["bob@sink.test"], ["ann@sink.test"]]


def submit_in_clear(wire, boat, text: bytes) -> bytes:
    """A session from the far host, all in one piece; what is answered until nothing more comes."""
    with wire.far(), client_session(boat) as client:
        client.sendall(b"EHLO far.test\r\nMAIL FROM:<orders@shop.test>\r\nRCPT TO:<bob@near.test>\r\nDATA\r\n" + text)
        client.settimeout(WAIT / 2)
        heard = b""
        with contextlib.suppress(TimeoutError):
            while data := client.recv(4096):
                heard += data
        return heard


@pytest.mark.parametrize("tail, stored, silent", [(FINAL_DOT, 1, (OUT,)), (b"\r\nnot the end\r\n", 0, (OUT, BACK))])
def test_client_that_hears_nothing_any_more_has_its_mail_once_or_not_at_all(wire, boat, shop, new_sink, tail, stored, silent):
    sink = new_sink("near.test")
    message = b"From: orders@shop.test\r\n\r\nHello." + tail
    wire.rule = Silence(silent, BACK, tail)
    heard = submit_in_clear(wire, boat, message)
    assert b"Queued" not in heard and wire.rule.began
    assert stored or sessions_here("198.18.1.0/24", boat.submission_port), "it is here until its time is up"
    # The slot is free again, whatever the client believes.
    wait_for(lambda: not sessions_here("198.18.1.0/24", boat.submission_port), 3 * WAIT, "the end of the session")
    all_delivered(boat, stored, WAIT)
    assert len(sink.received) == stored == len(boat.events("accepted"))


# -- large packets do not pass ---------------------------------------------

@pytest.mark.deadline(150)
def test_black_hole_for_large_packets_defers_until_a_size_passes(wire, boat, shop, far_sink):
    sink = far_sink(tls=False)
    wire.rule = lambda way, packet: [] if len(packet.raw) > 1200 else None
    submit(boat, shop, "big@sink.test", BIG)
    deferral = boat.wait_event("deferral", 4 * WAIT, recipient="big@sink.test")
    assert deferral["class_bounce"] == "timeout", deferral
    assert sink.received == [] and repeats_allowed(boat) == 0
    wait_for(lambda: len(sessions_here(FAR, sink.port)) <= 1, WAIT, "the end of the first session")
    # With RFC 4821 the kernel finds the size that passes.
    for name, value in (("tcp_mtu_probing", "1"), ("tcp_retries1", "1")):
        with open(f"/proc/sys/net/ipv4/{name}", "w") as setting:
            setting.write(value)
    all_delivered(boat, 1, 60)
    assert len(sink.received) == 1


# -- DNS -------------------------------------------------------------------

class FarNameServer(NameServer):
    """nsd on the far host."""

    def __init__(self, wire, directory, address):
        with wire.far():
            super().__init__(directory, address)
        self.wire = wire

    def start(self):
        with self.wire.far():
            super().start()

    def reload(self):
        with self.wire.far():
            super().reload()


class Forger:
    """Answers of DNS come out of order and twice; forgeries come before each."""

    def __init__(self, port: int, truth: str, lie: str, seed: int):
        self.port = port
        self.truth, self.lie = socket.inet_aton(truth), socket.inet_aton(lie)
        self.random = random.Random(seed)
        self.forged = 0

    def spoil(self, answer: bytes) -> bytes:
        """Another address, or no such name."""
        if self.truth in answer:
            return answer.replace(self.truth, self.lie)
        return answer[:2] + bytes([answer[2], answer[3] & 0xF0 | 3]) + answer[4:6] + bytes(6) + answer[12:]

    def __call__(self, way, packet):
        if way != BACK or packet.protocol != UDP or packet.source_port != self.port:
            return None
        answer, target = packet.payload, (packet.target, packet.target_port)
        lie = self.spoil(answer)
        other_id = bytes([lie[0] ^ self.random.randrange(1, 256)]) + lie[1:]
        self.forged += 4
        late = self.random.uniform(0.01, 0.1)
        return [(0, udp((FAR, self.port), target, other_id)),
                (0, udp((FAR, self.port ^ 1), target, lie)),
                (0, udp((THIEF, self.port), target, lie)),
                (0, udp((FAR, self.port), (packet.target, packet.target_port ^ 1), lie)),
                (late, packet.raw),
                (late + self.random.uniform(0, 0.3), packet.raw)]


@pytest.mark.deadline(150)
def test_forged_swapped_and_late_answers_of_dns_lead_no_mail_astray(wire, keep, new_directory, boat, smtp_port):
    servers = FarNameServer(wire, new_directory("nsd"), FAR)
    servers.zones[""] += [line for n in range(30) for line in (
        f"d{n}.test. 60 IN MX 10 mx.d{n}.test.", f"mx.d{n}.test. 60 IN A {FAR}")]
    keep.start(servers)
    with wire.far():
        sink = keep.start(SmtpSink(FAR, smtp_port, "mx.sink.test"))
        thief = keep.start(SmtpSink(THIEF, smtp_port, "thief.test"))
    boat.name_server = servers
    boat.write_config(dns_servers=servers.dns_server)
    boat.restart()
    shop = boat.add_account("shop")
    boat.add_domain(shop, "shop.test")
    wire.rule = Forger(servers.port, FAR, THIEF, seed=7)
    recipients = [f"bob@d{n}.test" for n in range(30)]
    for n in range(0, 30, 10):
        boat.send(shop, SENDER, recipients[n:n + 10])
    all_delivered(boat, 30, 60)
    assert sorted(r for m in sink.received for r in m.recipients) == sorted(recipients)
    assert thief.connections == 0
    assert boat.events("bounce") == boat.events("soft_bounce") == []
    # MX and address of each were asked for; each answer came behind its forgeries, among others, and twice.
    assert wire.rule.forged >= 4 * 60 and wire.counts.overtaken > 100, (wire.rule.forged, wire.counts)
