"""An SMTP server that does what a test tells it: the hostile remote side.

    sink.on("RCPT", "450 4.2.0 later", times=1)      one deferral, then normal
    sink.on("RCPT", "550 5.1.1 who?", arg="bob@")    only where the argument has it
    sink.on("EOD", DROP)                             closes instead of answering
    sink.on("CONNECT", "421 4.3.2 busy")             instead of the greeting
    sink.on("MAIL", Delay(5))                        answers normally, late

Steps: CONNECT EHLO HELO STARTTLS MAIL RCPT DATA EOD (the final dot, or the
last BDAT) BDAT RSET NOOP QUIT VRFY AUTH. All rules of a step are tried in the
order in which they were added.
"""

import asyncio
import dataclasses
import ssl
import time

from .background import BackgroundServer
from .ca import Certificate
from .wait import wait_for


class Drop:
    """Close the connection without an answer."""


class Hang:
    """Never answer; the connection stays until the client or the sink ends it."""


DROP = Drop()
HANG = Hang()


@dataclasses.dataclass
class Delay:
    """Answer as usual (or with this text) after some seconds."""
    seconds: float
    reply: str | bytes | None = None


@dataclasses.dataclass
class Rule:
    step: str
    action: object
    times: int | None
    arg: str

    def applies(self, step: str, arg: str) -> bool:
        return self.step == step and self.times != 0 and self.arg.lower() in arg.lower()


@dataclasses.dataclass
class Message:
    """One accepted message; data is exactly what was sent, less dot-stuffing."""
    helo: str
    mail_from: str
    mail_args: str
    recipients: list[str]
    data: bytes
    tls: bool
    session: "Session"
    at: float = dataclasses.field(default_factory=time.time)  # when its end had come

    @property
    def headers(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0] + b"\r\n"


@dataclasses.dataclass
class Session:
    """One connection: who, over what, and every line of the dialogue."""
    peer: str
    local: str
    started: float
    tls: str = ""
    helo: str = ""
    ended: bool = False
    socket: asyncio.trsock.TransportSocket | None = None
    after_starttls: bytes = b""  # bytes that came before the handshake
    transcript: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)

    def commands(self) -> list[str]:
        """The client's lines, message contents left out."""
        return [line.decode("utf-8", "replace").rstrip("\r\n") for side, line in self.transcript if side == "C"]


class SmtpSink(BackgroundServer):
    """Real sockets, one event loop in a thread of its own."""

    EXTENSIONS = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8"]

    def __init__(self, address: str, port: int, name: str = "sink.test", certificate: Certificate | None = None,
                 extensions: list[str] | None = None, implicit_tls: bool = False):
        super().__init__()
        self.address = address
        self.port = port
        self.name = name
        self.certificate = certificate
        self.extensions = list(self.EXTENSIONS if extensions is None else extensions)
        self.implicit_tls = implicit_tls
        self.rules: list[Rule] = []
        self.messages: list[Message] = []
        self.received: list[Message] = []  # whole, whatever was answered, and whether the client read it or not
        self.sessions: list[Session] = []
        self.open_now = 0
        self.open_most = 0

    # -- for the test -----------------------------------------------------

    @property
    def connections(self) -> int:
        return len(self.sessions)

    def on(self, step: str, action, times: int | None = None, arg: str = "") -> Rule:
        """Adds a rule: a reply (text or bytes), DROP, HANG or a Delay."""
        rule = Rule(step, action, times, arg)
        self.rules.append(rule)
        return rule

    def normal(self):
        """Forgets all rules."""
        self.rules.clear()

    def wait_messages(self, count: int = 1, deadline: float = 20) -> list[Message]:
        wait_for(lambda: len(self.messages) >= count, deadline, f"{count} messages at {self.name}")
        return self.messages

    def to(self, recipient: str) -> list[Message]:
        return [m for m in self.messages if recipient in m.recipients]

    # -- the server -------------------------------------------------------

    async def listen(self):
        tls = self._tls_context() if self.implicit_tls else None
        return [await asyncio.start_server(self._client, self.address, self.port, ssl=tls, limit=1 << 26, backlog=1024)]

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.cert, self.certificate.key)
        return context

    def _action(self, step: str, arg: str):
        for rule in self.rules:
            if rule.applies(step, arg):
                if rule.times is not None:
                    rule.times -= 1
                return rule.action
        return None

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        session = Session(writer.get_extra_info("peername")[0], writer.get_extra_info("sockname")[0], time.time(),
                          tls="implicit" if self.implicit_tls else "")
        session.socket = writer.get_extra_info("socket")
        self.sessions.append(session)
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            await Dialogue(self, session, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            session.ended = True
            self.open_now -= 1
            writer.close()


class Closed(ConnectionError):
    """We closed the connection on purpose."""


class Dialogue:
    """One session's state machine."""

    def __init__(self, sink: SmtpSink, session: Session, reader, writer):
        self.sink, self.session, self.reader, self.writer = sink, session, reader, writer
        self._forget()

    def _forget(self):
        self.mail_from: str | None = None
        self.mail_args = ""
        self.recipients: list[str] = []
        self.chunks = b""

    async def run(self):
        if not (await self.answer("CONNECT", "", f"220 {self.sink.name} ESMTP sink")).startswith(b"2"):
            raise Closed
        while True:
            line = await self.reader.readline()
            if not line.endswith(b"\n"):
                return
            self.session.transcript.append(("C", line))
            verb, _, arg = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None)
            if handler is None:
                await self.answer(verb.upper(), arg, "500 5.5.2 what?")
            else:
                await handler(arg)

    async def send(self, reply: str | bytes) -> bytes:
        if isinstance(reply, str):
            reply = reply.replace("\r\n", "\n").replace("\n", "\r\n").encode() + b"\r\n"
        self.session.transcript.append(("S", reply))
        self.writer.write(reply)
        await self.writer.drain()
        return reply

    async def answer(self, step: str, arg: str, usual: str) -> bytes:
        """Sends what the test wants for this step, or the usual reply."""
        action = self.sink._action(step, arg)
        if isinstance(action, Delay):
            await asyncio.sleep(action.seconds)
            action = action.reply
        if action is HANG:
            while await self.reader.read(65536):
                pass
            raise Closed
        if action is DROP:
            raise Closed
        reply = await self.send(usual if action is None else action)
        if reply.startswith(b"421"):
            raise Closed
        return reply

    # -- commands ---------------------------------------------------------

    async def do_ehlo(self, arg):
        self.session.helo = arg
        self._forget()
        lines = [f"{self.sink.name} greets {arg}", *self.sink.extensions]
        if self.sink.certificate and not self.session.tls:
            lines.append("STARTTLS")
        await self.answer("EHLO", arg, "\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{line}"
                                                 for n, line in enumerate(lines)))

    async def do_helo(self, arg):
        self.session.helo = arg
        self._forget()
        await self.answer("HELO", arg, f"250 {self.sink.name}")

    async def do_starttls(self, arg):
        if self.sink.certificate is None or self.session.tls:
            await self.answer("STARTTLS", arg, "502 5.5.1 not here")
            return
        if not (await self.answer("STARTTLS", arg, "220 2.0.0 go ahead")).startswith(b"220"):
            return
        # What is already here was sent in clear text: a client's mistake, or an attack.
        self.session.after_starttls = bytes(self.reader._buffer)
        self.reader._buffer.clear()
        await self.writer.start_tls(self.sink._tls_context())
        self.session.tls = self.writer.get_extra_info("ssl_object").version()
        self._forget()

    async def do_mail(self, arg):
        address, args = split_path(arg)
        if (await self.answer("MAIL", arg, "250 2.1.0 ok")).startswith(b"2"):
            self._forget()
            self.mail_from, self.mail_args = address, args

    async def do_rcpt(self, arg):
        if self.mail_from is None:
            await self.answer("RCPT", arg, "503 5.5.1 MAIL first")
        elif (await self.answer("RCPT", arg, "250 2.1.5 ok")).startswith(b"2"):
            self.recipients.append(split_path(arg)[0])

    async def do_data(self, arg):
        if not self.recipients:
            await self.answer("DATA", arg, "554 5.5.1 no valid recipients")
            return
        if not (await self.answer("DATA", arg, "354 go on")).startswith(b"3"):
            return
        lines = []
        # Only CR LF ends a line: a bare LF must not end a message here.
        while (line := await self.reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        await self._end_of_data(b"".join(lines))

    async def do_bdat(self, arg):
        size, _, last = arg.partition(" ")
        chunk = await self.reader.readexactly(int(size))
        if not self.recipients:
            await self.answer("BDAT", arg, "503 5.5.1 no valid recipients")
            return
        self.chunks += chunk
        if last.upper() == "LAST":
            await self._end_of_data(self.chunks)
        else:
            await self.answer("BDAT", arg, f"250 2.0.0 {size} octets")

    async def _end_of_data(self, data: bytes):
        message = Message(self.session.helo, self.mail_from, self.mail_args, self.recipients, data,
                          bool(self.session.tls), self.session)
        self._forget()
        self.sink.received.append(message)
        if (await self.answer("EOD", message.mail_from, f"250 2.0.0 stored {len(self.sink.messages) + 1}")).startswith(b"2"):
            self.sink.messages.append(message)

    async def do_rset(self, arg):
        self._forget()
        await self.answer("RSET", arg, "250 2.0.0 ok")

    async def do_noop(self, arg):
        await self.answer("NOOP", arg, "250 2.0.0 ok")

    async def do_quit(self, arg):
        await self.answer("QUIT", arg, "221 2.0.0 bye")
        raise Closed


def split_path(arg: str) -> tuple[str, str]:
    """'FROM:<a@b> SIZE=1' -> ('a@b', 'SIZE=1')"""
    path = arg.partition(":")[2].strip()
    if not path.startswith("<"):
        address, _, args = path.partition(" ")
        return address, args
    address, _, args = path[1:].partition(">")
    return address, args.strip()
