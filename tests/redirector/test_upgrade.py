"""What versions before journals left is moved over exactly once."""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from redirector.flusher.flush import Flusher
from redirector.journal.directory import files
from redirector.journal.survey import survey
from redirector.upgrade.counters import APPLIED, PENDING, SEALED, OldCounters
from redirector.upgrade.spools import SpoolMove, journal_writer
from tests.redirector.counting import journalled
from tests.redis_server import RedisServer
from tests.tracking.counting import click_counts, make
from tests.waiting import until
from tracking import clicks, writers
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

WRITER = "f" * 32


def old_spool(*batches: tuple[int, int]) -> bytes:
    """A spool as version 1 wrote it: numbers, and clicks of people on the first campaign."""
    parts = [f"waymark spool 1 {WRITER}\n".encode()]
    for number, amount in batches:
        payload = json.dumps({"1:500000:human": amount}, separators=(",", ":")).encode()
        checksum = zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "big")))
        parts += (struct.pack(">IIQ", len(payload), checksum, number), payload)
    return b"".join(parts)


@dataclass
class Scene:
    """A database with one campaign, a Redis, and directories."""

    server: RedisServer
    database: Database
    redis: "Redis"
    old: OldCounters
    spools: Path
    journals: Path

    async def counted(self) -> int:
        """The campaign's clicks, which agree with the ledger."""
        async with self.database.read() as connection:
            [count] = (await click_counts(connection)).values()
            ledger = await clicks.ledger(connection)
        assert ledger.clicks == ledger.hourly_sum
        return count

    def move(self) -> "asyncio.Task[None]":
        """Moves the spools."""
        move = SpoolMove(self.redis, self.database, self.spools, self.journals)
        return asyncio.create_task(move.run())


@pytest.fixture
async def scene(
    own_redis: RedisServer, database: Database, settings: Settings, tmp_path: Path
) -> AsyncIterator[Scene]:
    """Everything is empty."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        assert await make(connection, event, 1) == [1]
    redis = Redis.from_url(own_redis.url)
    settings = settings.model_copy(update={"redis_url": own_redis.url})
    spools = tmp_path / "spool"
    spools.mkdir()
    old = OldCounters(redis, database, settings)
    yield Scene(own_redis, database, redis, old, spools, tmp_path / "journal")
    await redis.aclose()


async def test_pending_counters_are_moved_once(scene: Scene) -> None:
    """Sealed and not; a copy of them that comes back is known; Redis forgets them."""
    pending = {"id": "two", "run": "r", "1:500000:human": 5, "1:500000:bot": 1}
    for _ in range(2):
        with scene.server.client() as redis:
            redis.hset("{clicks}:flushing:one", mapping={"id": "one", "1:500000:human": 2})
            redis.rpush(SEALED, "one")
            redis.hset(PENDING, mapping=pending)
            redis.hset(APPLIED, WRITER, 4)
        assert await scene.old.move() == 2
        assert await scene.counted() == 7
        with scene.server.client() as redis:
            assert redis.keys() == [APPLIED.encode()]
    assert await scene.old.move() == 0
    async with scene.database.read() as connection:
        assert await writers.number_of(connection, WRITER) == 4
        assert await writers.active(connection) == []


async def test_old_counters_that_mean_nothing_stay(scene: Scene) -> None:
    """With their batch, for who understands them."""
    with scene.server.client() as redis:
        redis.hset(PENDING, mapping={"id": "one", "1:500000:human": 5, "strange": 1})
    for _ in range(2):
        assert await scene.old.move() == 0
    assert await scene.counted() == 0
    with scene.server.client() as redis:
        assert redis.hget("{clicks}:flushing:one", "strange") == b"1"
        redis.hdel("{clicks}:flushing:one", "strange")
    assert await scene.old.move() == 1
    assert await scene.counted() == 5


@pytest.mark.parametrize("knows", ["Redis", "SQL"])
async def test_a_spool_becomes_a_journal(scene: Scene, knows: str) -> None:
    """Without what was counted before; moved again after a crash it is the same journal."""
    if knows == "Redis":
        await scene.redis.hset(APPLIED, WRITER, "2")
    else:
        async with scene.database.write() as connection:
            await writers.note_old(connection, {WRITER: 2})
    path = scene.spools / f"{WRITER}.spool"
    for _ in range(2):
        path.write_bytes(old_spool((1, 1), (2, 10), (3, 100), (4, 1000)) + b"torn")
        async with asyncio.timeout(20):
            await scene.move()
        assert not path.exists()
        assert journalled(scene.journals) == {(1, Audience.HUMAN): 1100}
        [found] = survey(scene.journals).waiting
        assert (found.writer, found.owned) == (journal_writer(WRITER), False)
        assert [record.first for record in found.records] == [3, 4]


async def test_a_spool_waits_for_the_old_counters(scene: Scene) -> None:
    """Of which only Redis knows whether they are in it too."""
    await scene.redis.hset(APPLIED, WRITER, "1")
    await scene.redis.hset(PENDING, mapping={"id": "one", "1:500000:human": 1})
    path = scene.spools / f"{WRITER}.spool"
    path.write_bytes(old_spool((1, 1), (2, 10)))
    moving = scene.move()
    await asyncio.sleep(0.5)
    assert path.exists()
    await scene.old.move()
    with scene.server.client() as redis:
        redis.delete(APPLIED)  # SQL has the number by now
    async with asyncio.timeout(20):
        await moving
    assert journalled(scene.journals) == {(1, Audience.HUMAN): 10}
    assert await Flusher(scene.redis, scene.database).flush() == 0
    assert await scene.counted() == 1


async def test_what_is_no_spool_is_left_alone(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, and others are moved."""
    (scene.spools / "a.spool").write_bytes(b"hello")
    (scene.spools / f"{WRITER}.spool").write_bytes(old_spool((1, 5)))
    moving = scene.move()
    await until(lambda: len(files(scene.journals)) == 1)
    await asyncio.sleep(0)
    moving.cancel()
    assert (scene.spools / "a.spool").read_bytes() == b"hello"
    assert caplog.text.count("a.spool is left alone: it is no spool") == 1
    assert journalled(scene.journals) == {(1, Audience.HUMAN): 5}
