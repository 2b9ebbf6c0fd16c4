"""From Redis to SQL exactly once, whatever happens between any two steps."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection

from redirector.batches import NumberedBatch
from redirector.counters import (
    APPLIED,
    OBSERVED,
    PENDING,
    SEALED,
    connection_pool,
    field,
    flushing,
)
from redirector.flusher import WRITERS_KEPT_SECONDS, Flusher
from tests.proxy import Fault, Proxy
from tests.redirector.counting import connect
from tests.redis_server import RedisServer
from tracking import campaigns, clicks
from tracking.clicks import Audience, Hour
from tracking.database import Database
from tracking.organizers import ensure_event, find_event
from tracking.settings import Settings
from tracking.window import Window

CAMPAIGNS = 3
HOUR = Hour(500_000)


class CrashError(Exception):
    """Stands for a process's end at this point."""


class CrashingDatabase(Database):
    """A database whose process ends before each commit."""

    @asynccontextmanager
    async def write(
        self, by: str = "a test", *, at_most: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """Does all that a write does, but never commits."""
        async with super().write(by, at_most=at_most) as connection:
            yield connection
            raise CrashError


def redis_of(url: str) -> Redis:
    """A client as the flusher makes it."""
    return Redis(connection_pool=connection_pool(Settings(redis_url=url), client_name="test"))


async def make_campaigns(database: Database) -> list[int]:
    """Ids of fresh campaigns."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        made = [
            await campaigns.create(connection, event.id, description=f"campaign {number}")
            for number in range(CAMPAIGNS)
        ]
    return [campaign.id for campaign in made]


async def click_counts(database: Database) -> dict[int, int]:
    """`click_count` of each campaign; fails when the hourly rows disagree."""
    async with database.read() as connection:
        assert await clicks.audit(connection) == []
        event = await find_event(connection, "acme", "summer")
        assert event is not None
        found = await campaigns.list_(connection, event.id, Window(0, 100))
    return {campaign.id: campaign.click_count for campaign in found}


class Flushing(RuleBasedStateMachine):
    """Writers record, flushers take single steps, and any of them may end after any step."""

    flushers = st.integers(0, 1)
    writers = st.integers(0, 2)

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(prefix="waymark-"))
        with self.server.client() as client:
            client.flushall()
        self.redis = redis_of(self.server.url)
        self.redis_client = connect(self.server.url)
        url = f"sqlite+aiosqlite:///{self.directory / 'waymark.db'}"
        self.database = Database(url, 5)
        self.crashing = CrashingDatabase(url, 5)
        self.runner.run(self.database.migrate())
        self.ids = self.runner.run(make_campaigns(self.database))
        self.expected = Counter(dict.fromkeys(self.ids, 0))
        self.sent: dict[int, list[NumberedBatch]] = {0: [], 1: [], 2: []}
        self.known: dict[int, list[str]] = {0: [], 1: []}

    def flusher(self, database: Database | None = None) -> Flusher:
        """A flusher that knows nothing, as after a start."""
        return Flusher(self.redis, database or self.database)

    async def send(self, writer: int, batch: NumberedBatch) -> None:
        """Sends a batch as the recorder does."""
        await self.redis_client.add(f"writer {writer}", 0, [batch])

    @rule(writer=writers, campaign=st.integers(0, CAMPAIGNS - 1), count=st.integers(1, 9))
    def record(self, writer: int, campaign: int, count: int) -> None:
        """A writer's next batch arrives."""
        people = field(self.ids[campaign], HOUR, Audience.HUMAN)
        bots = field(self.ids[campaign], HOUR, Audience.BOT)
        number = len(self.sent[writer]) + 1
        batch = NumberedBatch(number, {people: count, bots: 1})
        self.sent[writer].append(batch)
        self.expected[self.ids[campaign]] += count
        self.runner.run(self.send(writer, batch))

    @rule(writer=writers, back=st.integers(0, 3))
    def send_again(self, writer: int, back: int) -> None:
        """A batch arrives again, since its reply was lost or a network held a copy."""
        for batch in self.sent[writer][-1 - back : len(self.sent[writer]) - back]:
            self.runner.run(self.send(writer, batch))

    @rule(flusher=flushers)
    def seal(self, flusher: int) -> None:
        """A flusher seals."""
        self.known[flusher] = self.runner.run(self.flusher().seal())

    @rule(flusher=flushers)
    def apply(self, flusher: int) -> None:
        """A flusher applies the first batch that it knows of, maybe long after it was sealed."""
        for batch_id in self.known[flusher][:1]:
            self.runner.run(self.flusher().apply(batch_id))

    @rule(flusher=flushers)
    def crash_while_applying(self, flusher: int) -> None:
        """A flusher ends before its commit."""
        for batch_id in self.known[flusher][:1]:
            with suppress(CrashError):
                self.runner.run(self.flusher(self.crashing).apply(batch_id))

    @rule(flusher=flushers)
    def finish(self, flusher: int) -> None:
        """A flusher applies and acknowledges the first batch that it knows of."""
        for batch_id in self.known[flusher][:1]:
            self.runner.run(self.flusher().apply(batch_id))
            self.runner.run(self.flusher().acknowledge(batch_id))
            self.known[flusher].remove(batch_id)

    @rule(flusher=flushers)
    def end(self, flusher: int) -> None:
        """A flusher ends, and another starts in its place."""
        self.known[flusher] = []

    @rule()
    def flush(self) -> None:
        """A flusher does the whole of its work."""
        self.runner.run(self.flusher().flush())

    def teardown(self) -> None:
        """Whatever happened: when all is flushed, the totals are exact and Redis is empty."""
        try:
            self.runner.run(self.check())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)

    async def check(self) -> None:
        """Flushes what is left and compares."""
        # What was sealed, then what was pending meanwhile, then nothing.
        for _ in range(3):
            left = await self.flusher().flush()
        assert left == 0
        assert await click_counts(self.database) == dict(self.expected)
        assert await self.redis.exists(PENDING, SEALED) == 0
        assert [key async for key in self.redis.scan_iter(flushing("*").replace("{", "[{]"))] == []
        await self.redis_client.close()
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()
        await self.database.close()
        await self.crashing.close()


def test_any_interleaving_counts_exactly(redis: RedisServer) -> None:
    """Failures between any two steps, several flushers and batches sent twice change no total."""

    class FlushingHere(Flushing):
        server = redis

    run_state_machine_as_test(
        FlushingHere,
        settings=hypothesis_settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


async def test_flushers_that_lose_replies_count_exactly(
    redis: RedisServer, database: Database
) -> None:
    """Three flushers at once, each losing every second reply of Redis, count each click once."""
    ids = await make_campaigns(database)
    writer, redis_client = redis_of(redis.url), connect(redis.url)
    async with Proxy(redis.socket).running() as proxy:
        unreliable = redis_of(proxy.url)
        flushers = [Flusher(unreliable, database) for _ in range(3)]
        for number in range(1, 41):
            name = field(ids[number % CAMPAIGNS], HOUR, Audience.HUMAN)
            await redis_client.add("writer", number - 1, [NumberedBatch(number, {name: number})])
            proxy.fault = Fault.LOSE_REPLY if number % 2 else Fault.NONE
            outcomes = await asyncio.gather(
                *(flusher.flush() for flusher in flushers), return_exceptions=True
            )
            assert all(isinstance(outcome, int | RedisError) for outcome in outcomes), outcomes
        assert proxy.lost_replies > 10
        await unreliable.aclose()
        await unreliable.connection_pool.disconnect()
    while await Flusher(writer, database).flush():
        pass
    expected = Counter[int]()
    for number in range(1, 41):
        expected[ids[number % CAMPAIGNS]] += number
    assert await click_counts(database) == expected
    await redis_client.close()
    await writer.aclose()
    await writer.connection_pool.disconnect()


async def test_strange_counters_stop_nothing(
    redis: RedisServer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Fields that Waymark did not write are logged and left out; the others count."""
    ids = await make_campaigns(database)
    client = redis_of(redis.url)
    strange = ["", "x", "1:2", "1:2:nobody", "one:2:human", "1:2:human:4"]
    await client.hset(PENDING, mapping={"id": "batch", **dict.fromkeys(strange, 1)})
    await client.hset(PENDING, field(ids[0], HOUR, Audience.HUMAN), 5)
    await Flusher(client, database).flush()
    assert (await click_counts(database))[ids[0]] == 5
    assert "6 counters make no sense" in caplog.text
    assert await client.exists(SEALED) == 0
    await client.aclose()
    await client.connection_pool.disconnect()


async def test_numbers_of_ended_writers_are_dropped(redis: RedisServer, database: Database) -> None:
    """A day after its last batch a writer is forgotten, unless it still has a spool."""
    client, redis_client = redis_of(redis.url), connect(redis.url)
    flusher = Flusher(client, database)
    for writer in ("gone", "spooling", "living"):
        await redis_client.add(writer, 0, [NumberedBatch(1, {})])

    def known() -> set[str]:
        with redis.client() as other:
            return {writer.decode() for writer in other.hkeys(APPLIED)}

    day = WRITERS_KEPT_SECONDS
    assert await flusher.forget_writers({"spooling"}, now=1000) == 0
    await redis_client.add("living", 1, [NumberedBatch(2, {})])
    assert await flusher.forget_writers({"spooling"}, now=1000 + day - 1) == 0
    assert known() == {"gone", "spooling", "living"}
    assert await flusher.forget_writers({"spooling"}, now=1000 + day) == 1
    assert known() == {"spooling", "living"}
    assert await flusher.forget_writers(set(), now=1001 + day) == 1
    assert await flusher.forget_writers(set(), now=1000 + 2 * day) == 1
    assert known() == set()
    assert await flusher.forget_writers(set(), now=1000 + 3 * day) == 0
    assert await client.exists(OBSERVED) == 0
    await redis_client.close()
    await client.aclose()
    await client.connection_pool.disconnect()


async def test_an_older_copy_of_redis_counts_nothing_twice(
    own_redis: RedisServer, database: Database
) -> None:
    """Counters that come back after they were flushed are refused; clicks since then count."""
    ids = await make_campaigns(database)
    name = field(ids[0], HOUR, Audience.HUMAN)
    client, redis_client = redis_of(own_redis.url), connect(own_redis.url)
    flusher = Flusher(client, database)
    await redis_client.add("writer", 0, [NumberedBatch(1, {name: 3})])
    own_redis.stop()
    copy = own_redis.save()
    own_redis.start()
    await redis_client.close()
    await redis_client.add("writer", 1, [NumberedBatch(2, {name: 4})])
    while await flusher.flush():
        pass
    assert (await click_counts(database))[ids[0]] == 7
    own_redis.stop()
    own_redis.restore(copy)
    own_redis.start()
    await redis_client.close()
    # It knows the first batch only, which was flushed long ago.
    assert await redis_client.add("writer", 2, [NumberedBatch(3, {name: 5})]) == 1
    assert await redis_client.add("writer", 1, [NumberedBatch(3, {name: 5})]) == 3
    while await flusher.flush():
        pass
    assert (await click_counts(database))[ids[0]] == 12
    await redis_client.close()
    await client.aclose()
    await client.connection_pool.disconnect()


async def test_an_older_copy_with_counters_gets_no_new_clicks(
    own_redis: RedisServer, database: Database
) -> None:
    """New clicks are not added to counters that come back, under the id that the ledger refuses."""
    ids = await make_campaigns(database)
    name = field(ids[0], HOUR, Audience.HUMAN)
    client, redis_client = redis_of(own_redis.url), connect(own_redis.url)
    flusher = Flusher(client, database)
    await redis_client.add("writer", 0, [NumberedBatch(1, {name: 3})])
    own_redis.stop()
    copy = own_redis.save()
    own_redis.start()
    await client.connection_pool.disconnect()
    while await flusher.flush():
        pass
    own_redis.stop()
    own_redis.restore(copy)
    own_redis.start()
    await redis_client.close()
    await client.connection_pool.disconnect()
    assert await redis_client.add("writer", 1, [NumberedBatch(2, {name: 4})]) == 2
    while await flusher.flush():
        pass
    assert (await click_counts(database))[ids[0]] == 7
    await redis_client.close()
    await client.aclose()
    await client.connection_pool.disconnect()
