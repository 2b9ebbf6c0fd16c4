"""What a restore leaves to count is counted once, on the real pieces."""

import asyncio
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from redirector.counters.client import CounterClient
from redirector.counters.connection import connection_pool
from redirector.flusher.flush import Flusher
from redirector.journal.directory import files, path_of
from redirector.journal.file import write_abandoned
from redirector.journal.records import Record
from redirector.journal.survey import survey
from redirector.recording.recovery import Recovery
from tests.processes import finished, free_port, started
from tests.redirector.place import Place, create_campaign
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking import writers

WRITER = "a" * 32


def click(port: int, code: str, times: int) -> None:
    """Follows a link so often; each was answered."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    opener = urllib.request.build_opener(Stay)
    for _ in range(times):
        with pytest.raises(urllib.error.HTTPError) as answer:
            opener.open(f"http://127.0.0.1:{port}/acme/summer/c/{code}/", timeout=20)
        assert answer.value.code == 302
        answer.value.close()


async def listening(port: int) -> None:
    """Waits until the redirector is well."""

    def well() -> bool:
        with suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5))
        return False

    await until(lambda: asyncio.to_thread(well), within=30)


async def test_what_was_not_flushed_is_counted_once(place: Place) -> None:
    """Backup, click on: some is flushed, some waits in Redis, some on disk alone; then restore.

    The counts are those of the backup, and what the journal still has; a campaign that was made
    after the backup is gone, and no other gets its id, for which clicks still wait.
    """
    port = free_port()
    environment = {"DATA_DIR": str(place.data), "FLUSH_INTERVAL": "0.05"}
    with ExitStack() as stack:

        def start(module: str) -> "subprocess.Popen[str]":
            return stack.enter_context(
                started(module, **environment, REDIRECTOR_PORT=str(port), COMMIT_TIMEOUT="1")
            )

        server, redirector, flusher = map(
            start, ("redirector.embedded", "redirector", "redirector.flusher")
        )
        await listening(port)
        await asyncio.to_thread(click, port, "first", 3)
        await until(lambda: place.counts()["first"] == 3)
        assert await asyncio.to_thread(place.waymark, "restore", "missing") == (
            1,
            "waymark: there is no file missing\n",
        )
        said = await asyncio.to_thread(place.backed_up)
        assert ", 2 campaigns, 3 clicks" in said

        later = await create_campaign(place, "later")
        await asyncio.to_thread(click, port, "first", 5)
        await asyncio.to_thread(click, port, "later", 2)
        await until(lambda: place.counts() == {"first": 8, "second": 0, "later": 2})
        flusher.kill()
        flusher.wait()
        await asyncio.to_thread(click, port, "first", 7)
        await asyncio.to_thread(click, port, "later", 4)
        server.kill()
        server.wait()
        await asyncio.to_thread(click, port, "first", 11)
        await asyncio.to_thread(click, port, "later", 1)
        redirector.send_signal(signal.SIGTERM)
        await asyncio.to_thread(finished, redirector)

    said = await asyncio.to_thread(place.restored)
    assert f"restored from {place.backup}: made 20" in said
    assert ", 2 campaigns, 3 clicks\n" in said
    assert "3 campaigns, 10 clicks\n" in said
    # What was flushed since the backup is still in the journal too: it was made a moment ago.
    assert "30 clicks in journals are sent at the next start\n" in said
    assert place.counts() == {"first": 3, "second": 0}
    assert await create_campaign(place, "new") == later + 1

    with ExitStack() as stack:
        for module in ("redirector.embedded", "redirector.flusher", "redirector"):
            stack.enter_context(started(module, **environment, REDIRECTOR_PORT=str(port)))
        await listening(port)
        wanted = {"first": 3 + 5 + 7 + 11, "second": 0, "new": 0}
        await until(lambda: place.counts() == wanted, within=30)
        await until(lambda: len(survey(place.data / "journal").waiting) == 1, within=30)
        status, said = await asyncio.to_thread(place.waymark, "audit")
        assert status == 0, said
        assert "0 clicks in journals are not in SQL yet\n0 clicks in Redis are not" in said
        assert place.counts() == wanted


@dataclass
class Pieces:
    """A flusher and a client of this process, on a Redis of the test's own."""

    place: Place
    server: RedisServer
    client: CounterClient
    redis: "Redis"

    async def ship(self, number: int, clicks: int) -> None:
        """Sends a writer's record, as its shipper does."""
        counts = {"1:500000:human": clicks}
        assert await self.client.ship(WRITER, 0, number, number, counts) == number

    async def flush(self) -> None:
        """Moves what waits into SQL."""
        database = self.place.database()
        async with database.write() as connection:
            await writers.register(connection, WRITER)
        flusher = Flusher(self.redis, database)
        while await flusher.flush():
            pass
        await database.close()

    async def apply_and_die(self) -> None:
        """Puts what waits into SQL, and ends before Redis is told."""
        database = self.place.database()
        flusher = Flusher(self.redis, database)
        await flusher.apply(await flusher.seal([WRITER]))
        await database.close()

    async def recover(self) -> None:
        """Finishes the journals of those who ended."""
        database = self.place.database()
        client = CounterClient.of(self.place.settings())
        recovery = Recovery(client, database, self.place.data / "journal")
        flusher = Flusher(self.redis, database)

        async def is_finished() -> bool:
            await recovery.recover()
            await flusher.flush()
            return not files(self.place.data / "journal")

        await until(is_finished)
        await recovery.close()
        await database.close()

    def journal(self, *records: tuple[int, int]) -> None:
        """Leaves a writer's journal with these numbers and clicks, which may have been sent."""
        write_abandoned(
            path_of(self.place.data / "journal", WRITER),
            WRITER,
            [Record(number, number, {"1:500000:human": clicks}) for number, clicks in records],
        )


@pytest.fixture
async def pieces(place: Place, own_redis: RedisServer) -> AsyncIterator[Pieces]:
    """They work on a Redis that goes on while the database is restored."""
    place.environment["REDIS_URL"] = own_redis.url
    settings = place.settings()
    pool = connection_pool(settings, client_name="test")
    redis = Redis(connection_pool=pool)
    client = CounterClient.of(settings)
    yield Pieces(place, own_redis, client, redis)
    await client.close()
    await redis.aclose()
    await pool.disconnect()


async def test_a_batch_that_redis_still_has_is_counted_once(pieces: Pieces) -> None:
    """It was applied after the backup, and its flusher ended before it told Redis."""
    await pieces.ship(1, 1)
    await pieces.flush()
    pieces.place.backed_up()
    await pieces.ship(2, 10)
    await pieces.apply_and_die()
    assert pieces.place.counts()["first"] == 11
    pieces.place.restored()
    assert pieces.place.counts()["first"] == 1
    await pieces.ship(3, 100)
    for _ in range(2):
        await pieces.flush()
    assert pieces.place.counts()["first"] == 111


async def test_a_batch_that_the_backup_has_is_not_counted_again(pieces: Pieces) -> None:
    """It was applied before the backup, and Redis still has it."""
    await pieces.ship(1, 10)
    await pieces.apply_and_die()
    pieces.place.backed_up()
    pieces.place.restored()
    await pieces.ship(2, 100)
    for _ in range(2):
        await pieces.flush()
    assert pieces.place.counts()["first"] == 110


async def test_a_journal_is_counted_from_where_the_backup_is(pieces: Pieces) -> None:
    """Whatever Redis remembers: what was flushed after the backup is in the journal still."""
    await pieces.ship(1, 1)
    await pieces.flush()
    pieces.place.backed_up()
    await pieces.ship(2, 10)
    await pieces.flush()
    await pieces.ship(3, 100)
    pieces.journal((1, 1), (2, 10), (3, 100), (4, 1000))
    pieces.place.restored()
    await pieces.recover()
    assert pieces.place.counts()["first"] == 1111


async def test_what_the_journal_has_no_more_is_gone_with_the_database(pieces: Pieces) -> None:
    """And what follows it is counted."""
    await pieces.ship(1, 1)
    await pieces.flush()
    pieces.place.backed_up()
    await pieces.ship(2, 10)
    await pieces.flush()
    pieces.journal((3, 100))
    pieces.place.restored()
    await pieces.recover()
    assert pieces.place.counts()["first"] == 101


async def test_a_journal_outlives_a_redis_that_forgot_everything(pieces: Pieces) -> None:
    """What the backup has is known by its writer's number; all that is on disk counts once."""
    await pieces.ship(1, 1)
    await pieces.flush()
    pieces.place.backed_up()
    await pieces.ship(2, 10)
    await pieces.flush()
    pieces.journal((1, 1), (2, 10), (3, 100))
    pieces.place.restored()
    with pieces.server.client() as client:
        client.flushall()
    await pieces.recover()
    assert pieces.place.counts()["first"] == 1 + 10 + 100
