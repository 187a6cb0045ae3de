"""Mail in volume with an account of every message: what was acknowledged must arrive.

Each attempt to submit has an id of its own, which is the subject and decides
the body. So of every content that a receiver got it can be said whether it was
acknowledged, how often it came, and whether a byte of it was changed.
"""

import base64
import collections
import dataclasses
import hashlib
import itertools
import re
import socket
import ssl
import threading

from .packetboat import Account, Packetboat, queued_id
from .sink import SmtpSink
from .wait import wait_for

SUBJECT = re.compile(rb"^Subject: ([\w-]+)\r$", re.MULTILINE)


class Refused(Exception):
    """The server said no."""


class Submitter:
    """One SMTP session that sends a transaction's commands in one piece."""

    def __init__(self, boat: Packetboat, account: Account | None = None, timeout: float = 30):
        self.socket = socket.create_connection((boat.address, boat.submission_port), timeout=timeout)
        try:
            self.file = self.socket.makefile("rb")
            self._expect("220")
            self._command("EHLO load.test")
            if account:
                self._log_in(boat, account)
        except BaseException:
            self.close()
            raise

    def _log_in(self, boat: Packetboat, account: Account):
        self._command("STARTTLS", "220")
        self.file.close()
        context: ssl.SSLContext = boat.tls_context()
        self.socket = context.wrap_socket(self.socket, server_hostname=boat.HOSTNAME)
        self.file = self.socket.makefile("rb")
        self._command("EHLO load.test")
        token = f"\0{account.username}\0{account.password}".encode()
        self._command("AUTH PLAIN " + base64.b64encode(token).decode(), "235")

    def begin(self, sender: str, recipient: str):
        """Up to the point where the message is asked for."""
        self.socket.sendall(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        replies = [self._reply() for _ in range(3)]
        if not replies[2].startswith("354"):
            raise Refused(next(r for r in replies if not r.startswith("250")))

    def submit(self, sender: str, recipient: str, message: bytes) -> str:
        """Returns the final reply, which is a 250."""
        self.begin(sender, recipient)
        self.socket.sendall(message + b".\r\n")
        return self._expect("250")

    def close(self):
        self.socket.close()

    def _command(self, line: str, code: str = "250") -> str:
        self.socket.sendall(line.encode() + b"\r\n")
        return self._expect(code)

    def _expect(self, code: str) -> str:
        reply = self._reply()
        if not reply.startswith(code):
            raise Refused(reply)
        return reply

    def _reply(self) -> str:
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("closed by the server")
            text = line.decode().rstrip("\r\n")
            if text.startswith("421"):
                raise Refused(text)
            if text[3:4] != "-":
                return text


def content(name: str, size: int = 0) -> bytes:
    """The body of the message with this id: no two are alike, each line differs."""
    lines = (f"{n} {hashlib.md5(f'{name} {n}'.encode()).hexdigest()}\r\n".encode() for n in itertools.count())
    made = bytearray()
    while len(made) < max(size, 200):
        made += next(lines)
    return bytes(made)


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


@dataclasses.dataclass
class Failure:
    name: str          # "": no message was under way
    what: str          # the reply, or how the connection ended
    is_reply: bool


class Load:
    """Several clients that submit until so many messages are acknowledged, whatever happens meanwhile."""

    def __init__(self, boat: Packetboat, count: int, clients: int = 6, account: Account | None = None,
                 sender: str = "load@relay.test", domain: str = "sink.test", size: int = 0,
                 pause: float = 0):
        self.boat, self.account, self.sender, self.domain, self.size = boat, account, sender, domain, size
        self.pause = pause                       # of each client between messages
        self.wanted = count
        self.acknowledged: dict[str, str] = {}   # id -> message id
        self.failures: list[Failure] = []
        self.broken: list[BaseException] = []
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.is_over = threading.Event()
        self.label = f"{sender.partition('@')[0]}-{'tls' if account else 'plain'}"
        self.threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    # -- for the test -----------------------------------------------------

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        """Ends the clients when their transactions have ended."""
        self.is_over.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(40)
        assert not any(t.is_alive() for t in self.threads)

    def wait(self, count: int | None = None, deadline: float = 40):
        """Waits for so many acknowledged messages (all of them)."""
        count = self.wanted if count is None else count
        wait_for(lambda: self.broken or len(self.acknowledged) >= count, deadline,
                 f"{count} acknowledged messages; {len(self.acknowledged)} are; last failures {self.failures[-3:]}")
        assert not self.broken, self.broken
        if count >= self.wanted:
            self.stop()

    def replies(self) -> collections.Counter:
        """How often each error was seen: "451 4.3.0", or "lost"."""
        return collections.Counter(" ".join(f.what.split()[:2]) if f.is_reply else "lost" for f in self.failures)

    # -- the clients ------------------------------------------------------

    def _client(self):
        try:
            self._submit_all()
        except BaseException as e:
            self.broken.append(e)

    def _submit_all(self):
        session, pause = None, 0.01
        while (name := self._next_name()) is not None:
            begun = ""
            try:
                session = session or Submitter(self.boat, self.account)
                begun = name
                recipient = f"{name}@{self.domain}"
                reply = session.submit(self.sender, recipient, self._message(name, recipient))
                with self.lock:
                    self.acknowledged[name] = queued_id(reply.partition(" ")[2])
                pause = 0.01
                self.is_over.wait(self.pause)
                continue
            except Refused as e:
                self.failures.append(Failure(begun, str(e), True))
                session = self._drop(session)
            except OSError as e:
                self.failures.append(Failure(begun, repr(e), False))
                session = self._drop(session)
            self.is_over.wait(pause)  # as clients do who were told to come later
            pause = min(pause * 2, 0.3)
        self._drop(session)

    def _drop(self, session: Submitter | None) -> None:
        if session is not None:
            session.close()

    def _next_name(self) -> str | None:
        with self.lock:
            if self.is_over.is_set() or len(self.acknowledged) >= self.wanted:
                return None
            return f"{self.label}-{next(self.numbers)}"

    def _message(self, name: str, recipient: str) -> bytes:
        return (f"From: {self.sender}\r\nTo: {recipient}\r\nSubject: {name}\r\n"
                f"Content-Type: text/plain\r\n\r\n").encode() + content(name, self.size)


class Book:
    """Compares what was acknowledged with what receivers got."""

    def __init__(self, *sinks: SmtpSink, loads: list[Load]):
        self.sinks, self.loads = sinks, loads

    def acknowledged(self) -> dict[str, str]:
        return {name: uuid for load in self.loads for name, uuid in load.acknowledged.items()}

    def arrived(self) -> collections.Counter:
        """How often each content came whole, whether our answer was read or not."""
        return collections.Counter(name_of(m.data) for sink in self.sinks for m in list(sink.received))

    def missing(self) -> set[str]:
        return set(self.acknowledged()) - set(self.arrived())

    def wait_arrived(self, deadline: float = 40):
        wait_for(lambda: not self.missing(), deadline,
                 f"arrival of all acknowledged messages; missing at the start: {len(self.missing())}")

    def duplicates(self) -> dict[str, int]:
        return {name: n - 1 for name, n in self.arrived().items() if n > 1}

    def altered(self) -> list[str]:
        sizes = {load.label: load.size for load in self.loads}
        found = []
        for sink in self.sinks:
            for m in list(sink.received):
                name = name_of(m.data)
                if body_of(m.data) != content(name, sizes.get(name.rpartition("-")[0], 0)):
                    found.append(name)
        return found

    def unknown(self) -> set[str]:
        """What came without being acknowledged: its client must have seen no final reply."""
        begun = {f.name for load in self.loads for f in load.failures if not f.is_reply}
        return set(self.arrived()) - set(self.acknowledged()) - begun


def name_of(message: bytes) -> str:
    match = SUBJECT.search(message)
    return match[1].decode() if match else "?"
