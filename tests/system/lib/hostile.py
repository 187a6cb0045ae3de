"""Servers that break the protocol on purpose: each is a coroutine that plays one connection.

    async def endless(talk):
        while True:
            await talk.say("220-and on\\r\\n")

    villains = Villains()
    villains.add("127.0.0.9", 2525, endless)
    villains.start()
"""

import asyncio
import dataclasses
import socket
import ssl
import struct
import time
import warnings

from .background import BackgroundServer
from .ca import Certificate

CALM = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclasses.dataclass
class Villain:
    """One address and how it behaves; what it saw."""
    address: str
    port: int
    play: object
    opened: int = 0
    open_now: int = 0
    open_most: int = 0
    longest: float = 0.0  # seconds that a connection lasted
    heard: bytearray = dataclasses.field(default_factory=bytearray)
    contents: list[bytes] = dataclasses.field(default_factory=list)  # whole, whatever was answered
    failure: str = ""


class Villains(BackgroundServer):
    """All of them in one event loop, in a thread of its own."""

    def __init__(self):
        super().__init__()
        self.all: list[Villain] = []

    def add(self, address: str, port: int, play) -> Villain:
        villain = Villain(address, port, play)
        self.all.append(villain)
        return villain

    @property
    def open_now(self) -> int:
        return sum(v.open_now for v in self.all)

    async def listen(self):
        return [await asyncio.start_server(lambda r, w, v=villain: self._client(v, r, w), villain.address, villain.port,
                                           limit=1 << 24, backlog=1024) for villain in self.all]

    async def _client(self, villain: Villain, reader, writer):
        began = time.monotonic()
        villain.opened += 1
        villain.open_now += 1
        villain.open_most = max(villain.open_most, villain.open_now)
        try:
            await villain.play(Talk(villain, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        except Exception as e:  # a mistake of the test, told where the test looks
            villain.failure = repr(e)
        finally:
            villain.open_now -= 1
            villain.longest = max(villain.longest, time.monotonic() - began)
            writer.close()


class Talk:
    """One connection of a villain."""

    def __init__(self, villain: Villain, reader, writer):
        self.villain, self.reader, self.writer = villain, reader, writer

    async def say(self, what: str | bytes):
        self.writer.write(what.encode() if isinstance(what, str) else what)
        await self.writer.drain()

    async def hear(self) -> str:
        """The client's next line; its end ends the connection."""
        line = await self.reader.readuntil(b"\n")
        self.villain.heard += line
        return line.decode("utf-8", "replace").strip()

    async def content(self) -> bytes:
        lines = []
        while (line := await self.reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line)
        self.villain.contents.append(b"".join(lines))
        return self.villain.contents[-1]

    async def silence(self):
        """Says nothing more, until the client goes."""
        while await self.reader.read(65536):
            pass

    async def greet(self, *extensions: str):
        """Greeting and the reply to EHLO."""
        await self.say("220 villain ESMTP\r\n")
        await self.hello(*extensions)

    async def hello(self, *extensions: str):
        await self.hear()
        lines = ["villain", *(extensions or CALM)]
        await self.say("".join(f"250{' ' if n == len(lines) - 1 else '-'}{line}\r\n" for n, line in enumerate(lines)))

    async def until(self, verb: str) -> str:
        """Answers well up to, not including, this command."""
        replies = {"MAIL": "250 2.1.0 ok\r\n", "RCPT": "250 2.1.5 ok\r\n", "DATA": "354 go on\r\n", "RSET": "250 2.0.0 ok\r\n"}
        while True:
            line = await self.hear()
            word = line.split(" ")[0].upper()
            if word == verb:
                return line
            await self.say(replies.get(word, "250 2.0.0 ok\r\n"))

    async def take(self):
        """Takes one message, up to the reply to its dot, which it leaves to the caller."""
        await self.until("DATA")
        await self.say("354 go on\r\n")
        await self.content()

    async def finish(self):
        """Takes mail as anybody does."""
        while True:
            await self.take()
            await self.say("250 2.0.0 taken\r\n")

    async def tls(self, context: ssl.SSLContext):
        """Begins the handshake, after the 220."""
        await self.writer.start_tls(context)

    def reset(self):
        """Not FIN, but RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def context(certificate: Certificate, old: bool = False) -> ssl.SSLContext:
    """old: nothing newer than TLS 1.1."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate.cert, certificate.key)
    if old:
        made.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = ssl.TLSVersion.TLSv1
            made.maximum_version = ssl.TLSVersion.TLSv1_1
    return made
