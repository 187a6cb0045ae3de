"""A server of a test in an event loop of its own, in a thread."""

import asyncio
import threading


class BackgroundServer:
    """listen() opens the sockets; what it returns is closed as the server stops."""

    def __init__(self):
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None
        self.stopping: asyncio.Event | None = None

    async def listen(self) -> list[asyncio.Server]:
        raise NotImplementedError

    def start(self):
        """Returns when it listens; raises what kept it from that."""
        started = threading.Event()
        failures: list[OSError] = []
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(started, failures)), daemon=True)
        self.thread.start()
        started.wait()
        if failures:
            raise failures[0]
        return self

    def stop(self):
        if self.thread is not None and self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopping.set)
            self.thread.join(10)
        self.thread = None

    async def _serve(self, started: threading.Event, failures: list[OSError]):
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        try:
            servers = await self.listen()
        except OSError as e:
            failures.append(e)
            return
        finally:
            started.set()
        await self.stopping.wait()
        for server in servers:
            server.close()  # open sessions are cancelled as the loop ends
