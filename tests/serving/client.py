"""A client that decides what a packet is, and sees the server's end of its connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from serving.protocol import BoundedProtocol
from tests.waiting import until


class Watched(BoundedProtocol):
    """Counts the bytes that have come."""

    received = 0

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        self.received += len(data)
        super().data_received(data)


class Served(Protocol):
    """A server at work, whose protocol is `Watched`."""

    @property
    def server(self) -> uvicorn.Server:
        """uvicorn's."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""


class Client(asyncio.Protocol):
    """A connection whose packets come to the server one by one, as they are sent.

    Attributes:
        received: all that came back.
        stays: whether it goes on sending when the server has said its last.
        closed_at: when the server closed it, in the event loop's time.
        peer: the server's end.
    """

    transport: asyncio.Transport
    peer: Watched

    def __init__(self) -> None:
        self.received = b""
        self.stays = False
        self.closed = False
        self.closed_at = 0.0
        self._sent = 0

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        self.received += data

    def eof_received(self) -> bool:
        """Called when the server has said its last."""
        return self.stays

    def connection_lost(self, exc: Exception | None) -> None:
        """Called at the end."""
        self.closed = True
        self.closed_at = asyncio.get_running_loop().time()

    async def send(self, *packets: bytes) -> None:
        """Sends packets, each when the server has got the one before."""
        for packet in packets:
            if self.closed:
                return
            self.transport.write(packet)
            self._sent += len(packet)
            await until_soon(lambda: self.closed or self.peer.received >= self._sent)

    async def idle(self) -> None:
        """Returns once the server has answered what it has got."""
        await until_soon(lambda: self.closed or self.is_answered())

    def is_answered(self) -> bool:
        """Whether the server has answered what it has got."""
        cycle = cast("RequestResponseCycle | None", self.peer.cycle)
        return cycle is None or cycle.response_complete

    def heads(self) -> int:
        """How many answers came so far."""
        return self.received.count(b"HTTP/1.1 ")


async def until_soon(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds, which takes the event loop a few turns."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


def connections(server: uvicorn.Server) -> set[Watched]:
    """A server's ends of what is connected."""
    return cast("set[Watched]", set(server.server_state.connections))


@asynccontextmanager
async def connected(served: Served) -> AsyncIterator[Client]:
    """A client with a connection of its own."""
    before = connections(served.server)
    loop = asyncio.get_running_loop()
    client = Client()
    client.transport, _ = await loop.create_connection(lambda: client, "127.0.0.1", served.port)
    await until(lambda: len(connections(served.server) - before) == 1)
    [client.peer] = connections(served.server) - before
    yield client
    client.transport.abort()
