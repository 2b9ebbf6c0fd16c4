"""Shipping while something else goes on: SQL's answers, new clicks, wrong replies."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from redirector.counters.client import CounterClient
from redirector.journal.directory import path_of
from redirector.journal.file import JournalFile
from redirector.journal.format import Place
from redirector.journal.records import Record
from redirector.recording import unacknowledged
from redirector.recording.shipper import Shipper
from redirector.recording.unacknowledged import Entry, Unacknowledged
from tests.redirector.test_flush import A, Scene, scene
from tests.redis_server import RedisServer
from tracking.settings import Settings

__all__ = ["scene"]


class Writer:
    """A writer whose disk can be slow to read."""

    def __init__(self, scene: Scene, directory: Path) -> None:
        self.waiting = Unacknowledged()
        self.reading = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.shipper = Shipper(A, self.waiting, scene.client, scene.database, self._read)
        self._file = JournalFile.create(path_of(directory, A), A)
        self._ids = scene.campaigns

    def click(self, number: int) -> None:
        """A click on each campaign, which is on disk then."""
        record = Record(number, number, {f"{id}:500000:human": 1 for id in self._ids})
        self.waiting.add(Entry(record, time.monotonic()))
        entries = self.waiting.to_store()
        places = self._file.append([entry.record for entry in entries], 0)
        self.waiting.store(entries, places)

    def close(self) -> None:
        """Ends."""
        self._file.close()

    async def _read(self, places: Sequence[Place]) -> list[Record]:
        self.reading.set()
        await self.goes_on.wait()
        return self._file.read(places)


@pytest.fixture
async def writer(scene: Scene, tmp_path: Path) -> AsyncIterator[Writer]:
    """It has shipped two records, and Redis has forgotten them."""
    writer = Writer(scene, tmp_path)
    writer.click(1)
    writer.click(2)
    await writer.shipper.ship()
    yield writer
    writer.close()


async def ask_again(writer: Writer) -> None:
    """A second later the shipper asks Redis where it is."""
    writer.shipper._asked_at = float("-inf")
    await writer.shipper.ship()


@pytest.mark.parametrize("more", [[], [3]], ids=["all is in SQL", "some is"])
async def test_what_comes_into_sql_while_the_journal_is_read(
    scene: Scene, writer: Writer, more: list[int]
) -> None:
    """It is not sent under the numbers that follow."""
    sealed = await scene.flusher.seal([A])
    with scene.server.client() as redis:
        redis.flushall()
    for number in more:
        writer.click(number)
    writer.goes_on.clear()
    task = asyncio.create_task(ask_again(writer))
    await writer.reading.wait()
    await scene.flusher.apply(sealed)
    await writer.shipper.acknowledge()
    writer.goes_on.set()
    await task
    writer.click(3 + len(more))
    for _ in range(4):
        await ask_again(writer)
        await scene.flusher.flush()
        await writer.shipper.acknowledge()
    assert await scene.counted() == 3 + len(more)
    assert len(writer.waiting) == 0


async def test_what_is_held_may_be_let_go_while_the_journal_is_read(
    scene: Scene, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shipment has what it was made of."""
    monkeypatch.setattr(unacknowledged, "_HELD_AT_MOST", 4)
    with scene.server.client() as redis:
        redis.flushall()
    writer.click(3)
    writer.click(4)
    writer.goes_on.clear()
    task = asyncio.create_task(ask_again(writer))
    await writer.reading.wait()
    writer.click(5)
    writer.goes_on.set()
    await task
    await scene.flusher.flush()
    assert await scene.counted() == 5


async def test_a_range_that_is_none_is_not_added(scene: Scene) -> None:
    """Whatever its first number follows."""
    assert await scene.ship(A, 1, 2) == 2
    counts = {f"{scene.campaigns[0]}:500000:human": 1}
    assert await scene.client.ship(A, 0, 3, 2, counts) == 2
    await scene.flusher.flush()
    assert await scene.counted() == 2


async def test_a_reply_that_is_none_is_an_error_of_redis(own_redis: RedisServer) -> None:
    """What something else than Redis answers ends no process."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = CounterClient.of(Settings(redis_url=f"redis://127.0.0.1:{port}"))
    with pytest.raises((RedisError, OSError)):
        await client.number_of(A, 0)
    await client.close()
    server.close()
