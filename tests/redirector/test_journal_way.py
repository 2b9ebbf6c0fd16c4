"""The way of a click by journals, whole: recorder, Redis, flusher, SQL, and back."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from redirector.counters.client import CounterClient
from redirector.flusher.flush import Flusher
from redirector.journal.directory import files
from redirector.journal.format import HEADER_SIZE
from redirector.recording.durability import Durability
from redirector.recording.recorder import Recorder
from redirector.recording.recovery import Recovery
from tests.disk import room_for
from tests.redirector.counting import journalled
from tests.redis_server import RedisServer
from tests.tracking.counting import make
from tests.waiting import until
from tracking import clicks, tables
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

PATIENCE = 0.1


@pytest.fixture
async def campaign(database: Database) -> int:
    """A campaign to click on."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        return (await make(connection, event, 1))[0]


@asynccontextmanager
async def recording(
    server: RedisServer,
    database: Database,
    directory: Path,
    durability: Durability = Durability.DISK,
    *,
    patience: float = PATIENCE,
) -> AsyncIterator[Recorder]:
    """A recorder at work."""
    client = CounterClient.of(Settings(redis_url=server.url))
    recorder = Recorder(client, database, directory, patience, durability=durability)
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close(1)


@asynccontextmanager
async def flushing(server: RedisServer, database: Database) -> AsyncIterator[Flusher]:
    """A flusher."""
    redis = Redis.from_url(server.url)
    yield Flusher(redis, database)
    await redis.aclose()


async def click(recorder: Recorder, campaign: int, times: int) -> None:
    """Clicks at once; returns when all were answered."""
    async with asyncio.timeout(20):
        await asyncio.gather(*(recorder.count(campaign, Audience.HUMAN) for _ in range(times)))


async def in_sql(database: Database) -> int:
    """The click_count of all campaigns, which the ledger agrees with."""
    async with database.read() as connection:
        ledger = await clicks.ledger(connection)
        assert ledger.clicks == ledger.hourly_sum
        return sum((await connection.execute(select(tables.campaigns.c.click_count))).scalars())


async def flushed(flusher: Flusher, database: Database, number: int) -> None:
    """Flushes until so many clicks are in SQL."""
    for _ in range(200):
        await flusher.flush()
        if await in_sql(database) >= number:
            break
        await asyncio.sleep(0.05)
    assert await in_sql(database) == number


@pytest.mark.parametrize("durability", Durability)
async def test_a_click_comes_to_sql(
    redis: RedisServer, database: Database, tmp_path: Path, campaign: int, durability: Durability
) -> None:
    """Each is counted once, and then leaves the journal."""
    async with (
        recording(redis, database, tmp_path, durability) as recorder,
        flushing(redis, database) as flusher,
    ):
        for round in range(1, 4):
            await click(recorder, campaign, 50)
            await flushed(flusher, database, 50 * round)
        await until(lambda: recorder.journalled_clicks == 0)
        assert recorder.unconfirmed_clicks == 0


async def test_redis_may_forget(
    own_redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """At any time: what SQL has not is sent again."""
    async with (
        recording(own_redis, database, tmp_path) as recorder,
        flushing(own_redis, database) as flusher,
    ):
        await click(recorder, campaign, 10)
        await until(lambda: recorder._waiting.all_sent)
        with own_redis.client() as client:
            client.flushall()
        await flushed(flusher, database, 10)
        await click(recorder, campaign, 10)
        await until(lambda: recorder._waiting.all_sent)
        sealed = await flusher.seal([recorder.writer])
        with own_redis.client() as client:
            client.flushall()
        await flusher.settle(sealed, await flusher.apply(sealed))
        await click(recorder, campaign, 5)
        await flushed(flusher, database, 25)


async def test_without_redis_clicks_wait_on_disk(
    own_redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """They are answered all the same, and counted when it is back."""
    own_redis.kill()
    async with recording(own_redis, database, tmp_path) as recorder:
        for _ in range(100):
            await click(recorder, campaign, 3)
        assert (recorder.journalled_clicks, recorder.unconfirmed_clicks) == (300, 0)
        own_redis.start()
        async with flushing(own_redis, database) as flusher:
            await flushed(flusher, database, 300)


async def test_without_the_disk_clicks_go_to_redis(
    redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """At once, however long a visitor would wait; and onto the disk when that is well again."""
    async with recording(redis, database, tmp_path, patience=60) as recorder:
        await until(lambda: recorder.redis.known)
        with room_for(0):
            await click(recorder, campaign, 10)
            await click(recorder, campaign, 10)
            assert (recorder.journalled_clicks, recorder.unconfirmed_clicks) == (0, 0)
            assert recorder.survives == (False, True)
        await until(lambda: recorder.journalled_clicks == 20)
        async with flushing(redis, database) as flusher:
            await flushed(flusher, database, 20)


async def test_a_disk_that_hangs_keeps_nobody_waiting(
    redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """Clicks go to Redis meanwhile; the write that hung comes to its end, and harms nobody."""
    async with (
        recording(redis, database, tmp_path) as recorder,
        flushing(redis, database) as flusher,
    ):
        await until(lambda: recorder.redis.known)
        goes_on = threading.Event()
        recorder._journal._thread.submit(goes_on.wait, lambda _, error: None)
        for _ in range(3):
            await click(recorder, campaign, 10)
        assert recorder.disk.away
        await flushed(flusher, database, 30)
        goes_on.set()
        await until(lambda: not recorder.disk.away)
        await click(recorder, campaign, 10)
        assert recorder.survives == (True, False)
        await flushed(flusher, database, 40)
        assert sum(journalled(tmp_path).values()) >= 10


async def test_without_redis_and_disk_clicks_wait_in_memory(
    own_redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """Visitors are led on, health says how many wait, and each is counted in the end."""
    async with recording(own_redis, database, tmp_path) as recorder:
        await until(lambda: recorder.redis.known)
        own_redis.kill()
        with room_for(0):
            for _ in range(200):
                await click(recorder, campaign, 2)
            assert recorder.survives == (False, False)
            assert recorder.unconfirmed_clicks == 400
            await until(lambda: len(recorder._waiting) < 100)
        own_redis.start()
        async with flushing(own_redis, database) as flusher:
            await flushed(flusher, database, 400)


async def test_what_redis_has_beyond_a_journal_is_counted(
    own_redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """The disk was full, then the process ended: its writer goes on until Redis is empty."""
    async with recording(own_redis, database, tmp_path) as recorder:
        await until(lambda: recorder.redis.known)
        await click(recorder, campaign, 10)
        async with flushing(own_redis, database) as flusher:
            await flushed(flusher, database, 10)
        with room_for(0):
            await click(recorder, campaign, 5)
            await recorder.close(1)
    assert sum(journalled(tmp_path).values()) == 10
    recovery = Recovery(CounterClient.of(Settings(redis_url=own_redis.url)), database, tmp_path)
    for _ in range(3):
        await recovery.recover()
    assert len(files(tmp_path)) == 1
    async with flushing(own_redis, database) as flusher:
        await flusher.flush()
        assert await in_sql(database) == 15
        for _ in range(3):
            await recovery.recover()
            await asyncio.sleep(0.5)
    assert files(tmp_path) == []
    await recovery.close()


async def test_a_long_outage_takes_room_for_counters(
    own_redis: RedisServer,
    database: Database,
    tmp_path: Path,
    campaign: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The journal is made anew, merged, while clicks go on; what was sent before stays apart."""
    monkeypatch.setattr("redirector.journal.file.HALF_SIZE", 2000)
    async with (
        recording(own_redis, database, tmp_path) as recorder,
        flushing(own_redis, database) as flusher,
    ):
        for _ in range(3):
            await click(recorder, campaign, 5)
            await until(lambda: recorder._waiting.all_sent)
        own_redis.kill()
        for _ in range(300):
            await click(recorder, campaign, 1)
        [file] = files(tmp_path)
        assert file.stat().st_size == HEADER_SIZE + 2 * 2000
        assert recorder.journalled_clicks == 315
        own_redis.start()
        await flushed(flusher, database, 315)
        await click(recorder, campaign, 5)
        await flushed(flusher, database, 320)


async def test_an_ended_writers_journal_is_finished(
    own_redis: RedisServer, database: Database, tmp_path: Path, campaign: int
) -> None:
    """By one that lives; then it is gone."""
    own_redis.kill()
    async with recording(own_redis, database, tmp_path) as recorder:
        await click(recorder, campaign, 20)
    own_redis.start()
    recovery = Recovery(CounterClient.of(Settings(redis_url=own_redis.url)), database, tmp_path)
    async with flushing(own_redis, database) as flusher:
        for _ in range(10):
            await recovery.recover()
            await flusher.flush()
    assert await in_sql(database) == 20
    assert files(tmp_path) == []
    await recovery.close()
