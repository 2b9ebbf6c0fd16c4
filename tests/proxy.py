"""A proxy between a client and a Redis server's socket, with faults on command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path


class Fault(Enum):
    """What the proxy does to the connections that pass through it."""

    NONE = "none"
    LOSE_REPLY = "the server does what it is told, and the connection breaks before the reply"


class Proxy:
    """Passes everything on, unless a fault is set."""

    def __init__(self, target: Path) -> None:
        self.fault = Fault.NONE
        self.lost_replies = 0
        self.port = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address for Redis clients."""
        return f"redis://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Listens on a free port of the loopback interface."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        redis_reader, redis_writer = await asyncio.open_unix_connection(str(self._target))
        replies = asyncio.create_task(self._pass_replies(redis_reader, writer))
        try:
            with suppress(OSError, asyncio.CancelledError):
                await _pass(reader, redis_writer)
        finally:
            replies.cancel()
            redis_writer.transport.abort()
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pass_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            if self.fault is Fault.LOSE_REPLY:
                self.lost_replies += 1
                break
            writer.write(data)
            await writer.drain()
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
