"""A request whose link is not in the cache waits in the express lane until SQL was asked for it."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.redirector.lanes import (
    Lane,
    WatchedExpress,
    WatchedStarlette,
    create_campaigns,
    lane,
)
from tests.redirector.lookups import WatchedDatabase
from tests.redis_server import RedisServer
from tests.serving.client import connected, connections
from tests.waiting import until
from tracking.database import Database
from tracking.settings import Settings

NEWS = b"GET /acme/summer/c/news1/%b HTTP/1.1\r\nHost: x\r\n\r\n"
PLAIN = NEWS % b""
# Its code is none, and not remembered as such before it was asked for.
MISSING = b"GET /acme/summer/c/nothing/ HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING = b"Connection: close\r\n"


@pytest.fixture
async def codes(database: Database) -> dict[int, str]:
    """The campaigns' codes by id."""
    return await create_campaigns(database)


@pytest.fixture
async def held(settings: Settings) -> AsyncIterator[WatchedDatabase]:
    """SQL that answers no lookup until it is let."""
    database = WatchedDatabase.of(settings)
    yield database
    await database.close()


@asynccontextmanager
async def missing(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    held: WatchedDatabase,
    *,
    timeout_keep_alive: int = 60,
) -> AsyncIterator[Lane]:
    """A redirector with an empty cache, which asks that SQL."""
    async with lane(settings, redis, codes, timeout_keep_alive=timeout_keep_alive) as missing:
        missing.forget_links()
        held.hold()
        missing.links._database = held
        try:
            yield missing
        finally:
            held.let()


async def test_nothing_overtakes_a_request_that_waits_for_sql(
    settings: Settings, redis: RedisServer, codes: dict[int, str], held: WatchedDatabase
) -> None:
    """What is sent behind it is not read before, whether the code is known to SQL or not."""
    for first, status in ((NEWS % b"?n=0", b"302"), (MISSING, b"404")):
        async with missing(settings, redis, codes, held) as lane, connected(lane) as client:
            # A connection that was answered before has its time-out running.
            held.let()
            await client.send(PLAIN.replace(b"news1", b"plain"))
            await client.idle()
            held.hold()
            before, received = held.lookups, client.peer.received
            await client.send(first)
            await until(lambda: held.lookups > before)  # noqa: B023 - waited for in this turn
            assert client.peer.flow.read_paused
            client.transport.write(b"".join(NEWS % b"?n=%d" % n for n in range(1, 50)))
            for _ in range(50):
                await asyncio.sleep(0)
            assert client.peer.received == received + len(first)
            held.let()
            await until(lambda: client.heads() == 51)
            [_, *statuses] = re.findall(rb"HTTP/1.1 (\d+)", client.received)
            assert statuses == [status, *[b"302"] * 49]
            numbers = [int(n) for n in re.findall(rb"&n=(\d+)#top", client.received)]
            assert numbers == list(range(status == b"404", 50))


async def test_many_wait_for_one_lookup(
    settings: Settings, redis: RedisServer, codes: dict[int, str], held: WatchedDatabase
) -> None:
    """However many want a link, SQL is asked once, and all are answered in the express lane."""
    async with missing(settings, redis, codes, held) as lane, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(lane)) for _ in range(20)]
        for client in clients:
            await client.send(PLAIN)
        held.let()
        await until(lambda: all(client.heads() == 1 for client in clients))
        assert held.lookups == 1
        assert lane.take_clicks() == {("news1", "human"): 20}
        assert (lane.express_requests, lane.asgi_requests) == (20, 0)


async def test_who_leaves_while_sql_is_asked_is_counted(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    held: WatchedDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As is a visitor who leaves later; one with an unknown code leaves nothing behind."""
    async with missing(settings, redis, codes, held) as lane, connected(lane) as staying:
        async with connected(lane) as leaving, connected(lane) as lost:
            await staying.send(PLAIN)
            await leaving.send(PLAIN)
            await lost.send(MISSING)
            leaving.peer.transport.abort()
            lost.peer.transport.abort()
            await until(lambda: len(connections(lane.server)) == 1)
        held.let()
        await until(lambda: staying.heads() == 1)
        assert lane.take_clicks() == {("news1", "human"): 2}
        assert lane.asgi_requests == 0
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_a_stopping_server_answers_who_waits_for_sql(
    settings: Settings, redis: RedisServer, codes: dict[int, str], held: WatchedDatabase
) -> None:
    """Whichever lane the answer comes from, the connection is closed behind it."""
    async with (
        missing(settings, redis, codes, held) as lane,
        connected(lane) as known,
        connected(lane) as unknown,
        connected(lane) as idle,
    ):
        await known.send(PLAIN)
        await unknown.send(MISSING)
        stopping = asyncio.create_task(lane.server.shutdown())
        await until(lambda: idle.closed)
        held.let()
        await until(lambda: known.closed and unknown.closed)
        await stopping
        assert known.received.startswith(b"HTTP/1.1 302 ")
        assert unknown.received.startswith(b"HTTP/1.1 404 ")
        assert CLOSING in known.received
        assert CLOSING in unknown.received
        assert lane.take_clicks() == {("news1", "human"): 1}


async def test_who_waits_for_sql_is_not_idle(
    settings: Settings, redis: RedisServer, codes: dict[int, str], held: WatchedDatabase
) -> None:
    """The time-out of an idle connection does not end one that waits, however long that takes."""
    async with (
        missing(settings, redis, codes, held, timeout_keep_alive=1) as lane,
        connected(lane) as client,
        connected(lane) as idle,
    ):
        held.let()
        await client.send(PLAIN)
        await client.idle()
        held.hold()
        await client.send(MISSING)
        # Starlette's, whose time-out begins later and comes to its end.
        await idle.send(PLAIN.replace(b"GET", b"HEAD"))
        await until(lambda: idle.closed)
        assert not client.closed
        held.let()
        await until(lambda: client.heads() == 2)


async def test_without_sql_both_lanes_answer_alike(
    settings: Settings, redis: RedisServer, codes: dict[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The same 503, and the same line in the log, once; known links go on."""
    file = settings.data_dir / "waymark.db"
    answers: list[bytes] = []
    lines: list[list[str]] = []
    for protocol in (WatchedExpress, WatchedStarlette):
        async with lane(settings, redis, codes, protocol) as cut_off, connected(cut_off) as client:
            cut_off.links.forget("news1")
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                file.rename(file.with_suffix(".away"))
                away = WatchedDatabase.of(settings)
                cut_off.links._database = away
                for packet in (PLAIN, PLAIN, PLAIN.replace(b"news1", b"plain")):
                    await client.send(packet)
                    await client.idle()
                await until(lambda: client.heads() == 3)
            # The first to find out asks twice, who comes later only once.
            assert away.lookups <= 3
            answers.append(re.sub(rb"date: [^\r]+", b"", client.received))
            lines.append([record.message for record in caplog.records if "SQL" in record.message])
            await away.close()
            file.with_suffix(".away").rename(file)
    assert answers[0] == answers[1]
    assert re.findall(rb"HTTP/1.1 (\d+)", answers[0]) == [b"503", b"503", b"302"]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 1
