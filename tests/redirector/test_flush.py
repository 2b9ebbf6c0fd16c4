"""A flush: every batch is in SQL once, whatever Redis and SQL remember."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from redirector.counters.client import CounterClient
from redirector.counters.keys import keys_of
from redirector.flusher import flush
from redirector.flusher.flush import Flusher
from tests.redis_server import RedisServer
from tests.tracking.counting import click_counts, make
from tracking import clicks, writers
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

A, B = "a" * 32, "b" * 32


@dataclass
class Scene:
    """A flusher, and a client that ships."""

    server: RedisServer
    database: Database
    client: CounterClient
    flusher: Flusher
    campaigns: list[int]

    async def ship(self, writer: str, first: int, last: int, *, acknowledged: int = 0) -> int:
        """A click on each campaign for each number."""
        counts = {f"{id}:500000:human": last - first + 1 for id in self.campaigns}
        return await self.client.ship(writer, acknowledged, first, last, counts)

    async def number_of(self, writer: str) -> int:
        """How far SQL is."""
        async with self.database.read() as connection:
            return await writers.number_of(connection, writer)

    async def counted(self) -> int:
        """The clicks of each campaign, which are the same, and agree with the ledger."""
        async with self.database.read() as connection:
            counts = set((await click_counts(connection)).values())
            ledger = await clicks.ledger(connection)
        assert ledger.clicks == ledger.hourly_sum
        assert len(counts) == 1
        return counts.pop()


@pytest.fixture
async def scene(own_redis: RedisServer, database: Database) -> AsyncIterator[Scene]:
    """Two campaigns and two writers."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        ids = await make(connection, event, 2)
        for writer in (A, B):
            await writers.register(connection, writer)
    redis = Redis.from_url(own_redis.url)
    client = CounterClient.of(Settings(redis_url=own_redis.url))
    yield Scene(own_redis, database, client, Flusher(redis, database), ids)
    await client.close()
    await redis.aclose()


async def test_all_writers_are_flushed(scene: Scene) -> None:
    """And Redis is empty but for their numbers."""
    await scene.ship(A, 1, 2)
    await scene.ship(B, 1, 1)
    assert await scene.flusher.flush() == 2
    assert (await scene.number_of(A), await scene.number_of(B)) == (2, 1)
    assert await scene.counted() == 3
    with scene.server.client() as redis:
        assert sorted(redis.keys()) == [keys_of(A)[0].encode(), keys_of(B)[0].encode()]
    assert await scene.flusher.flush() == 0


async def test_crashes_between_the_steps_change_nothing(scene: Scene) -> None:
    """Sealed and not applied, applied and not settled: the next flush goes on."""
    await scene.ship(A, 1, 2)
    await scene.flusher.seal([A])
    await scene.ship(A, 3, 3)
    sealed = await scene.flusher.seal([A])
    assert [(each.name.first, each.name.last) for each in sealed] == [(1, 2), (3, 3)]
    await scene.flusher.apply(sealed)
    await scene.flusher.apply(sealed[:1])
    assert await scene.flusher.flush() == 2
    assert await scene.counted() == 3


async def test_a_failover_counts_once(scene: Scene) -> None:
    """A flusher has read a batch; Redis is put back; the writer sends again; then it commits."""
    await scene.ship(A, 1, 6)
    sealed = await scene.flusher.seal([A])
    with scene.server.client() as redis:
        redis.flushall()
    # SQL has nothing yet, so that the writer begins anew, and its ranges are others.
    assert await scene.ship(A, 1, 7) == 7
    verdicts = await scene.flusher.apply(sealed)
    await scene.flusher.settle(sealed, verdicts)
    for _ in range(2):
        await scene.flusher.flush()
    assert await scene.number_of(A) == 6
    assert await scene.client.number_of(A, 6) == 6
    assert await scene.ship(A, 7, 7, acknowledged=6) == 7
    await scene.flusher.flush()
    assert await scene.counted() == 7


async def test_what_another_flusher_moved_says_nothing_against_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held up between a batch's name and its counters, a flusher finds that they are gone."""
    await scene.ship(A, 1, 1)
    redis = scene.flusher._redis
    fast = Flusher(redis, scene.database)
    pipeline, trips = redis.pipeline, 0

    def held_up(**options: Any) -> object:
        nonlocal trips
        trips += 1
        made: Any = pipeline(**options)
        if trips == 2:
            execute = made.execute

            async def late() -> object:
                monkeypatch.setattr(redis, "pipeline", pipeline)
                await fast.flush()
                # Of a writer whose disk is away, which ends now: only Redis has it.
                await scene.ship(A, 2, 2)
                return await execute()

            made.execute = late
        return made

    monkeypatch.setattr(redis, "pipeline", held_up)
    await scene.flusher.flush()
    await fast.flush()
    assert (trips, await scene.counted()) == (2, 2)


async def test_what_sql_refuses_is_sent_again(scene: Scene) -> None:
    """All that is pending of the writer goes with it, and Redis's number is SQL's."""
    async with scene.database.write() as connection:
        await writers.advance(connection, {A: 4}, {})
    await scene.ship(A, 1, 6)
    await scene.ship(B, 1, 1)
    assert await scene.flusher.flush() == 1
    assert await scene.client.number_of(A, 0) == 4
    assert await scene.ship(A, 5, 6) == 6
    await scene.flusher.flush()
    assert await scene.counted() == 1 + 2


async def test_a_batch_without_its_counters_is_sent_again(scene: Scene) -> None:
    """A server that is full may have dropped them."""
    await scene.ship(A, 1, 3)
    await scene.flusher.seal([A])
    with scene.server.client() as redis:
        redis.delete(f"{keys_of(A)[2]}:1-3-1")
    await scene.flusher.flush()
    assert await scene.number_of(A) == 0
    assert await scene.ship(A, 1, 3) == 3
    await scene.flusher.flush()
    assert await scene.counted() == 3


@pytest.mark.parametrize("what", ["a counter", "a version"])
async def test_what_is_not_understood_stays(
    scene: Scene, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """Said once; that writer's later batches wait, others go on; who understands counts it."""
    caplog.set_level(logging.ERROR, "redirector.flusher.flush")
    await scene.ship(A, 1, 1)
    name = keys_of(A)[1]
    with scene.server.client() as redis:
        if what == "a counter":
            redis.hset(name, "1:500000:alien:phone", 3)
        else:
            redis.hset(keys_of(A)[0], "version", 2)
    await scene.flusher.seal([A])
    await scene.ship(A, 2, 2)
    await scene.ship(B, 1, 1)
    for _ in range(3):
        await scene.flusher.flush()
    assert (await scene.number_of(A), await scene.number_of(B)) == (0, 1)
    assert await scene.counted() == 1
    assert caplog.text.count("are not understood") == 1
    with scene.server.client() as redis:
        if what == "a counter":
            redis.hdel(f"{keys_of(A)[2]}:1-1-1", "1:500000:alien:phone")
        else:
            redis.rename(f"{keys_of(A)[2]}:1-1-2", f"{keys_of(A)[2]}:1-1-1")
            redis.lset(keys_of(A)[2], 0, "1-1-1")
    await scene.flusher.flush()
    assert await scene.counted() == 3


async def test_large_backlogs_go_in_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others who write have their turn; each writer's batches stay in order."""
    monkeypatch.setattr(flush, "COUNTERS_PER_BATCH", 3)
    for number in range(1, 6):
        for writer in (A, B):
            await scene.ship(writer, number, number)
        await scene.flusher.seal([A, B])
    assert await scene.flusher.flush() == 10
    assert await scene.counted() == 10
