"""A name server with the zones of a test, and a resolver in front of it."""

import os
import pathlib
import re
import signal
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from .net import free_port
from .process import Server, descendants, find_program, run
from .wait import wait_for

# Short, so that a changed record is seen by the next question.
TTL = 1
# nsd's processes below the first: one for transfers, one that answers. While it takes a new zone there are two of
# these, and either may take a question.
PROCESSES = 2


class NameServer:
    """nsd with a root zone of its own: every other name in the world is NXDOMAIN.

    Records are absolute names without the last dot. Further zones may be
    signed, as islands of trust whose anchors a Resolver is given.
    """

    def __init__(self, directory: pathlib.Path, address: str):
        self.directory = directory
        self.address = address
        self.port = free_port(address, socket.SOCK_DGRAM)
        self.zones: dict[str, list[str]] = {"": []}
        self.keys: dict[str, list[str]] = {}
        self.serial = 1
        self.server: Server | None = None

    @property
    def dns_server(self) -> str:
        return f"{self.address}@{self.port}"

    # -- zones ------------------------------------------------------------

    def add_signed_zone(self, zone: str):
        """Call before start(); records below this name go into it and are signed."""
        self.zones[zone] = []
        self.keys[zone] = []
        for options in (("-k",), ()):
            made = run("ldns-keygen", *options, "-a", "ECDSAP256SHA256", zone, cwd=self.directory)
            self.keys[zone].append(made.stdout.strip())

    def trust_anchor(self, zone: str) -> str:
        """The zone's key-signing key as a record, as unbound's trust-anchor takes it."""
        return (self.directory / (self.keys[zone][0] + ".key")).read_text().strip()

    def add(self, name: str, kind: str, *values: str):
        """Publishes records: add("example.test", "MX", "10 mx.example.test.")."""
        lines = self.zones[self._zone_of(name)]
        for value in values:
            lines.append(f"{name}. {TTL} IN {kind} {quote(value) if kind == 'TXT' else value}")
        self.reload()

    def remove(self, name: str, kind: str):
        zone = self._zone_of(name)
        self.zones[zone] = [line for line in self.zones[zone]
                            if not line.startswith(f"{name}. {TTL} IN {kind} ")]
        self.reload()

    def falsify(self, name: str, kind: str, value: str):
        """Serves another value of a signed record (which is 64 hex digits) than the one that was signed."""
        zone = self._zone_of(name)
        self.serial += 1
        self._write_zones()
        signed = self._file(zone)
        lines = [re.sub(r"[0-9a-fA-F]{64}", value.split()[-1], line) if line.split()[::3][:2] == [name + ".", kind]
                 else line for line in signed.read_text().splitlines()]
        signed.write_text("\n".join(lines) + "\n")
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(self._current, 10, "nsd serves the changed zone")

    def add_mail_host(self, domain: str, *hosts: tuple[str, str]):
        """MX records in order of preference, and the hosts' addresses."""
        for n, (host, address) in enumerate(hosts):
            self.zones[self._zone_of(domain)].append(f"{domain}. {TTL} IN MX {10 * (n + 1)} {host}.")
            kind = "AAAA" if ":" in address else "A"
            record = f"{host}. {TTL} IN {kind} {address}"
            if record not in self.zones[self._zone_of(host)]:
                self.zones[self._zone_of(host)].append(record)
        self.reload()

    def query(self, name: str, kind: str, timeout: float = 3) -> list[str]:
        """What the server answers, as text; [] for no such name or record."""
        question = dns.message.make_query(name, kind)
        answer, _ = dns.query.udp_with_fallback(question, self.address, timeout=timeout, port=self.port)
        return [r.to_text() for rrset in answer.answer for r in rrset
                if rrset.rdtype == dns.rdatatype.from_text(kind)]

    def txt(self, name: str) -> bytes | None:
        """A TXT record's strings put together, as DKIM reads them."""
        for record in self.query(name.rstrip("."), "TXT"):
            strings = re.findall(r'"((?:[^"\\]|\\.)*)"', record)
            return re.sub(r"\\(.)", r"\1", "".join(strings)).encode()
        return None

    def _zone_of(self, name: str) -> str:
        return max((z for z in self.zones if z == "" or name == z or name.endswith("." + z)), key=len)

    # -- the server -------------------------------------------------------

    def start(self):
        self._write_zones()
        zones = "".join(f'zone:\n name: "{z or "."}"\n zonefile: "{self._file(z)}"\n' for z in self.zones)
        config = self.directory / "nsd.conf"
        config.write_text(f"""server:
 ip-address: {self.address}@{self.port}
 username: "{'' if os.getuid() else 'root'}"
 zonesdir: "{self.directory}"
 database: ""
 pidfile: "{self.directory}/nsd.pid"
 xfrdfile: "{self.directory}/xfrd.state"
 zonelistfile: "{self.directory}/zone.list"
 server-count: 1
 rrl-ratelimit: 0
 zonefiles-check: yes
remote-control:
 control-enable: no
{zones}""")
        self.server = Server([find_program("nsd"), "-d", "-c", config], self.directory / "nsd.log")
        self.server.wait_ready(self._current)

    def reload(self):
        if self.server is None:
            return
        self.serial += 1
        self._write_zones()
        self.server.process.send_signal(signal.SIGHUP)
        try:
            wait_for(self._current, 10, "nsd serves the changed zone")
        except TimeoutError as e:
            raise RuntimeError(self.server.output()[-3000:]) from e

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def _current(self) -> bool:
        """The new zone is served, and nobody serves the old one any more."""
        if len(descendants(self.server.pid)) > PROCESSES:
            return False
        try:
            return all(self.query(z or ".", "SOA", timeout=0.2)[0].split()[2] == str(self.serial) for z in self.zones)
        except (OSError, IndexError, dns.exception.DNSException):
            return False

    def _file(self, zone: str) -> pathlib.Path:
        return self.directory / f"{zone or 'root'}.zone{'.signed' if zone in self.keys else ''}"

    def _write_zones(self):
        for zone, lines in self.zones.items():
            plain = self.directory / f"{zone or 'root'}.zone"
            top = zone + "."
            text = "\n".join([f"{top} {TTL} IN SOA ns.test. hostmaster.test. {self.serial} 3600 600 86400 {TTL}",
                              f"{top} {TTL} IN NS ns.test.", *lines, ""])
            if zone == "":
                text += f"ns.test. {TTL} IN A {self.address}\n"
                text += "".join(f"{z}. {TTL} IN NS ns.test.\n" for z in self.zones if z)
            plain.write_text(text)
            if zone in self.keys:
                run("ldns-signzone", "-f", self._file(zone), "-o", top, plain, *self.keys[zone], cwd=self.directory)


class Resolver:
    """unbound, forwarding to a NameServer; validates where it has anchors."""

    def __init__(self, directory: pathlib.Path, address: str, upstream: NameServer, validate: tuple[str, ...] = ()):
        self.directory = directory
        self.address = address
        self.port = free_port(address, socket.SOCK_DGRAM)
        self.upstream = upstream
        self.anchors = [upstream.trust_anchor(zone) for zone in validate]
        self.server: Server | None = None

    @property
    def dns_server(self) -> str:
        return f"{self.address}@{self.port}"

    def query(self, name: str, kind: str, timeout: float = 5) -> dns.message.Message:
        question = dns.message.make_query(name, kind, want_dnssec=True)
        return dns.query.udp(question, self.address, timeout=timeout, port=self.port)

    def start(self):
        modules = "validator iterator" if self.anchors else "iterator"
        anchors = "".join(f" trust-anchor: '{a.split(';')[0].strip()}'\n" for a in self.anchors)
        config = self.directory / "unbound.conf"
        config.write_text(f"""server:
 interface: {self.address}
 port: {self.port}
 access-control: 127.0.0.0/8 allow
 do-daemonize: no
 use-syslog: no
 logfile: ""
 username: ""
 chroot: ""
 directory: "{self.directory}"
 pidfile: ""
 do-not-query-localhost: no
 do-ip6: no
 num-threads: 1
 module-config: "{modules}"
 cache-max-negative-ttl: {TTL}
 infra-host-ttl: 1
 local-zone: "test." nodefault
 local-zone: "127.in-addr.arpa." nodefault
{anchors}remote-control:
 control-enable: no
forward-zone:
 name: "."
 forward-addr: {self.upstream.dns_server}
""")
        self.server = Server([find_program("unbound"), "-d", "-c", config], self.directory / "unbound.log")
        self.server.wait_ready(self._answers)

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def _answers(self) -> bool:
        try:
            return self.query("ns.test", "A", timeout=0.3).rcode() == dns.rcode.NOERROR
        except (OSError, dns.exception.DNSException):
            return False


def quote(text: str) -> str:
    """A TXT value as one or more strings of at most 255 bytes."""
    if text.startswith('"'):
        return text
    pieces = [text[i:i + 250] for i in range(0, len(text), 250)] or [""]
    return " ".join('"' + p.replace("\\", "\\\\").replace('"', '\\"') + '"' for p in pieces)


class LyingResolver:
    """Stands between the suite and a name server, and spoils the answers about some names.

    rules[name] is one of: servfail, refused, silence, garbage, truncated, other-id; names below it count too.
    """

    def __init__(self, address: str, upstream: NameServer):
        self.address = address
        self.upstream = upstream
        self.rules: dict[str, str] = {}
        self.questions: list[tuple[str, str]] = []
        self.stopping = False
        self.thread: threading.Thread | None = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, free_port(address, socket.SOCK_DGRAM)))
        self.port = self.socket.getsockname()[1]

    @property
    def dns_server(self) -> str:
        return f"{self.address}@{self.port}"

    def count(self, name: str, kind: str) -> int:
        return self.questions.count((name, kind))

    def start(self):
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            self.stopping = True
            waker.sendto(b"", (self.address, self.port))
        self.thread.join(5)
        self.socket.close()

    def _rule(self, name: str) -> str:
        return next((rule for zone, rule in self.rules.items() if name == zone or name.endswith("." + zone)), "")

    def _serve(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            if self.stopping:
                return
            question = dns.message.from_wire(data)
            name = question.question[0].name.to_text(omit_final_dot=True).lower()
            self.questions.append((name, dns.rdatatype.to_text(question.question[0].rdtype)))
            answer = self._answer(question, data, self._rule(name))
            if answer is not None:
                self.socket.sendto(answer, peer)

    def _answer(self, question, data: bytes, rule: str) -> bytes | None:
        made = dns.message.make_response(question)
        if rule == "silence":
            return None
        if rule == "garbage":
            return data[:2] + b"\xff" * 40
        if rule == "other-id":
            made.id ^= 1
            return made.to_wire()
        if rule == "truncated":
            made.flags |= dns.flags.TC
            return made.to_wire()
        if rule in ("servfail", "refused"):
            made.set_rcode(dns.rcode.from_text(rule))
            return made.to_wire()
        try:
            return dns.query.udp(question, self.upstream.address, timeout=2, port=self.upstream.port).to_wire()
        except (OSError, dns.exception.DNSException):
            return None
