"""What a stranger who keeps the server waiting holds: no place, and little of the kernel."""

import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from serving.limits import Limits
from tests.serving.bounded import GET, LAST, LONG, POST, App, Bounded, served, statuses
from tests.serving.client import Watched, connected, connections
from tests.waiting import until

EXPECTS = (POST % 9).replace(b"Content", b"Expect: 100-continue\r\nContent")
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"


class Lingering(Watched):
    """Waits for the client of an answered request no longer than it must."""

    limits = Limits(body_seconds=LONG, write_seconds=LONG, linger_seconds=0.2)


class Impatient(Watched):
    """Waits a moment for an answer to be read."""

    limits = Limits(body_seconds=LONG, write_seconds=0.2, linger_seconds=0.2)


@pytest.mark.parametrize("reads", [False, True], ids=["answered", "not answered"])
@pytest.mark.parametrize(
    "sent",
    [POST % 9, (POST % 9).replace(b"POST", b"HEAD"), EXPECTS, CHUNKED],
    ids=["POST", "HEAD", "expects", "chunked"],
)
async def test_half_bodies_keep_nobody_out(sent: bytes, reads: bool) -> None:
    """Whether the request that lacks its body was answered or not."""
    app = App(reads=reads)
    async with served(app, max_connections=4) as server, AsyncExitStack() as stack:
        for _ in range(4):
            client = await stack.enter_async_context(connected(server))
            client.stays = True
            await client.send(sent)
        await until(lambda: app.asked == 4)
        async with connected(server) as visitor:
            await visitor.send(GET)
            await until(lambda: visitor.heads() == 1)


@pytest.mark.parametrize("sent", [GET, GET * 9, LAST], ids=["one", "many", "the last"])
async def test_slow_readers_keep_nobody_out(sent: bytes) -> None:
    """Whether their answer was written already, waits for the one before, or ends it all."""
    app = App(body=b"x" * 1_000_000)
    async with served(app, max_connections=4) as server, AsyncExitStack() as stack:
        for _ in range(4):
            client = await stack.enter_async_context(connected(server))
            client.transport.pause_reading()
            await client.send(sent)
        await until(lambda: app.asked >= 4)
        async with connected(server) as visitor:
            await visitor.send(GET)
            await until(lambda: visitor.heads() == 1)


async def test_who_waits_for_nothing_goes_first() -> None:
    """Before whoever sends a body or reads an answer, however long these have been at it."""
    app = App(reads=True, body=b"x" * 1_000_000)
    async with served(app, max_connections=3) as server, AsyncExitStack() as stack:
        sending, reading, idle = [
            await stack.enter_async_context(connected(server)) for _ in range(3)
        ]
        await sending.send(POST % 9)
        reading.transport.pause_reading()
        await reading.send(GET)
        await idle.send(GET)
        await until(lambda: len(idle.received) > 1_000_000)
        await until(lambda: idle.peer.transport.count_unread() == 0)
        await stack.enter_async_context(connected(server))
        await until(lambda: idle.closed)
        assert connections(server.server) >= {sending.peer, reading.peer}


async def test_the_rest_of_a_body_is_not_waited_for() -> None:
    """Once its request was answered."""
    async with served(App(), Lingering) as server, connected(server) as client:
        client.stays = True
        await client.send(POST % 9, b"x")
        await until(lambda: not connections(server.server))
        assert statuses(client) == [204]


@pytest.mark.parametrize("sent", [GET, LAST, GET * 100], ids=["one", "the last", "many"])
@pytest.mark.parametrize("size", [40_000, 8_000_000])
async def test_unread_answers_end_with_their_connection(sent: bytes, size: int) -> None:
    """The kernel holds little of them, and nothing once their time is over."""
    async with served(App(body=b"x" * size), Impatient, head_seconds=1) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.sendall(sent)
            port = client.getsockname()[1]
            largest = 0

            def is_over() -> bool:
                nonlocal largest
                largest = max(largest, unsent(server.port, port))
                return largest > 0 and not connections(server.server)

            await until(is_over)
            assert largest < 256 * 1024
            await until(lambda: unsent(server.port, port) == 0)


async def test_a_slow_reader_gets_all_of_its_last_answer() -> None:
    """Who takes it in time, though much of it is in the kernel when the connection is closed."""
    async with served(App(body=b"x" * 8_000_000), Bounded) as server, connected(server) as client:
        client.transport.pause_reading()
        await client.send(LAST)
        await until(lambda: server.app.answered == 1)
        client.transport.resume_reading()
        await until(lambda: client.closed)
        assert len(client.received) > 8_000_000
        await until(lambda: not connections(server.server))


def unsent(local: int, remote: int) -> int:
    """Bytes that the kernel holds from one port of 127.0.0.1 for another, whoever owns them."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, ours, theirs, _, queues, *_ = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in (ours, theirs)]
        if ports == [local, remote]:
            return int(queues.partition(":")[0], 16)
    return 0
