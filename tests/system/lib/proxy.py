"""A TCP proxy that delays, cuts into pieces and kills what passes, as far networks do."""

import asyncio
import random
import threading


class TcpProxy:
    """Passes connections on to target; delay: seconds, up to which each piece waits; killed_after: bytes of a connection."""

    def __init__(self, address: str, port: int, target: tuple[str, int], delay: float = 0, piece: int = 65536, seed: int = 1):
        self.address, self.port, self.target = address, port, target
        self.delay, self.piece = delay, piece
        self.kills: list[int] = []  # for the next connections: bytes from the client after which each is killed
        self.connections = 0
        self.random = random.Random(seed)
        self.stopping: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None

    def start(self):
        started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self.thread.start()
        assert started.wait(10), "the proxy cannot listen"
        return self

    def stop(self):
        if self.thread is not None and self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopping.set)
            self.thread.join(10)
        self.thread = None

    async def _serve(self, started):
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        await asyncio.start_server(self._client, self.address, self.port, backlog=1024)
        started.set()
        await self.stopping.wait()

    async def _client(self, reader, writer):
        self.connections += 1
        limit = self.kills.pop(0) if self.kills else None
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        ways = [asyncio.create_task(self._pass(reader, far_writer, limit)),
                asyncio.create_task(self._pass(far_reader, writer, None))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED if limit is not None else asyncio.ALL_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.transport.abort() if limit is not None else end.close()

    async def _pass(self, reader, writer, limit):
        """Until the end, or until limit bytes have passed."""
        passed = 0
        try:
            while data := await reader.read(65536):
                for at in range(0, len(data), self.piece):
                    await asyncio.sleep(self.random.uniform(0, self.delay))
                    piece = data[at:at + self.piece]
                    if limit is not None and passed + len(piece) > limit:
                        return
                    passed += len(piece)
                    writer.write(piece)
                    await writer.drain()
            if limit is None and writer.can_write_eof():
                writer.write_eof()
        except (ConnectionError, OSError):
            pass
