"""How many connections there may be, and what the log says of strangers."""

import asyncio
import logging
import os
import resource
from contextlib import AsyncExitStack, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.serving import running
from tests.serving.bounded import GET, POST, App, Bounded, served, statuses
from tests.serving.client import Client, connected, connections
from tests.waiting import until


async def test_nonsense_writes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """However much of it comes in a minute."""
    async with served(App()) as server:
        for _ in range(50):
            async with connected(server) as client:
                await client.send(b"nonsense\r\n\r\n")
                await until(lambda: client.closed)
    assert [record.getMessage() for record in caplog.records] == ["connections: 1 400 Bad Request"]


async def test_the_idle_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """Who never sent a request goes first, then who waits longest; a line says so."""
    caplog.set_level(logging.WARNING)
    loop = asyncio.get_running_loop()
    async with served(App(), max_connections=4) as server, AsyncExitStack() as stack:

        async def visitor(*packets: bytes) -> Client:
            before = loop.time()
            await until(lambda: loop.time() > before)
            client = await stack.enter_async_context(connected(server))
            await client.send(*packets)
            await until(lambda: client.heads() == sum(packet == GET for packet in packets))
            return client

        first, silent, half, second = [
            await visitor(GET), await visitor(), await visitor(b"GET"), await visitor(GET)
        ]  # fmt: skip
        for leaves in (silent, half, first, second):
            assert not leaves.closed
            await visitor(GET)
            await until(lambda: leaves.closed)  # noqa: B023 - waited for in this turn
            assert len(connections(server.server)) == 4
    [line] = [record.getMessage() for record in caplog.records]
    assert line == "connections: 1 closed for others, since 4 are open (MAX_CONNECTIONS)"


async def test_when_all_are_at_work_the_next_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody's request is given up for another's connection."""
    app = App()
    app.may_answer.clear()
    async with served(app, max_connections=2) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server)) for _ in range(2)]
        for client in clients:
            await client.send(GET)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        app.may_answer.set()
        await until(lambda: all(client.heads() == 1 for client in clients))
    assert "1 refused: all 2 are at work (MAX_CONNECTIONS)" in caplog.text


async def test_an_error_in_the_app_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What is quiet is what strangers send, not what we do wrong."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    config = uvicorn.Config(broken, http=Bounded, lifespan="off", log_config=None)
    async with running(config) as server, connected(server) as client:
        await client.send(GET)
        await until(lambda: client.heads() == 1)
        assert statuses(client) == [500]
    assert "RuntimeError: broken" in caplog.text


async def test_without_files_the_idle_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """Where no file can be opened, nobody is accepted: somebody idle goes, and a line says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with served(App()) as server, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        lowest = os.dup(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))  # none is left below it
        try:
            await until(lambda: any(client.closed for client in silent))
            assert sum(client.closed for client in silent) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os.close(lowest)
    assert "1 not accepted, for a second: Too many open files" in caplog.text


async def test_a_stopping_server_waits_for_no_stranger() -> None:
    """Half a head, half a body behind its answer, and silence end at once."""
    async with served(App()) as server, AsyncExitStack() as stack:
        for packets in ((), (b"GET",), (POST % 9, b"x"), (POST % 10**9,)):
            client = await stack.enter_async_context(connected(server))
            client.stays = True
            await client.send(*packets)
        await until(lambda: server.app.answered == 2)
        for connection in connections(server.server):
            connection.shutdown()
        await until(lambda: not connections(server.server))
