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
    CUT_REPLY = "the connection breaks after the reply's first bytes"
    DELAY_REPLY = "each reply comes late"
    STALL = "nothing passes, in neither direction, and nothing breaks"
    CUT = "all connections break, and new ones do at once"


class Proxy:
    """Passes everything on, unless a fault is set.

    Attributes:
        delay: seconds that `Fault.DELAY_REPLY` holds each reply back.
        passed_bytes: of a reply, before `Fault.CUT_REPLY` breaks the connection.
        lost_replies: those that never came, or not whole.
        target: the server's socket, for connections from now on.
    """

    def __init__(self, target: Path) -> None:
        self.delay = 0.1
        self.passed_bytes = 1
        self.lost_replies = 0
        self.port = 0
        self._fault = Fault.NONE
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.target = target
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def fault(self) -> Fault:
        """What happens at present; may be set at any moment."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        if fault is Fault.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if fault is Fault.CUT:
            self.break_connections()

    def break_connections(self) -> None:
        """Breaks those that there are."""
        for task in self._tasks:
            task.cancel()

    @property
    def url(self) -> str:
        """The address for Redis clients."""
        return f"redis://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Listens on a free port of the loopback interface."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.break_connections()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A server that is not there refuses, and so do we.
            with suppress(OSError, asyncio.CancelledError):
                if self._fault is not Fault.CUT:
                    await self._connect(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_unix_connection(str(self.target))
        replies = asyncio.create_task(self._pass_replies(redis_reader, writer))
        try:
            await self._pass_commands(reader, redis_writer)
        finally:
            replies.cancel()
            redis_writer.transport.abort()
            await asyncio.gather(replies, return_exceptions=True)

    async def _pass_commands(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()

    async def _pass_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # A server that dies in the middle of a reply ends the connection, as does one that ends it.
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self._fault is Fault.DELAY_REPLY:
                    await asyncio.sleep(self.delay)
                if self._fault in {Fault.LOSE_REPLY, Fault.CUT_REPLY}:
                    self.lost_replies += 1
                    if self._fault is Fault.CUT_REPLY:
                        writer.write(data[: self.passed_bytes])
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
