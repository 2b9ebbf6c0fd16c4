"""Exactly once, by ranges: any order of steps, with the real scripts and the real database.

A writer numbers its records and keeps what SQL has not; several flushers have batches in their
hands and commit whenever they like; Redis forgets everything, or is put back to any of the states
that it had; replies are lost; the writer ends, and its journal is recovered without a memory of
what was sent. In the end each record is in SQL once.
"""

import time
from enum import Enum
from random import Random
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from redirector.counters.client import CounterClient
from redirector.flusher.flush import Flusher, Sealed
from redirector.journal.records import Record
from redirector.recording.shipper import Shipper
from redirector.recording.unacknowledged import Entry, Unacknowledged
from tests.redis_server import RedisServer
from tests.tracking.counting import click_counts, make
from tracking.database import Database
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings

Copy = dict[bytes | str, bytes]


class Step(Enum):
    """What can happen."""

    CLICK = "click"
    SHIP = "ship"
    LOSE_REPLY = "ship, and lose the reply"
    ACKNOWLEDGE = "acknowledge"
    SEAL = "seal"
    APPLY = "apply"
    SETTLE = "settle"
    FORGET = "forget"
    COPY = "copy"
    PUT_BACK = "put back"
    RECOVER = "recover"


# How often each comes.
WEIGHTS = {
    Step.CLICK: 4,
    Step.SHIP: 4,
    Step.LOSE_REPLY: 2,
    Step.ACKNOWLEDGE: 2,
    Step.SEAL: 3,
    Step.APPLY: 2,
    Step.SETTLE: 3,
    Step.FORGET: 1,
    Step.COPY: 1,
    Step.PUT_BACK: 1,
    Step.RECOVER: 1,
}
RUNS = 150
LENGTH = 40


class World:
    """A writer, its flushers, and what became of both."""

    def __init__(
        self, redis: "Redis", database: Database, client: CounterClient, campaign: int
    ) -> None:
        self.writer = uuid4().hex
        self.redis = redis
        self.database = database
        self.client = client
        self.flusher = Flusher(redis, database)
        self.campaign = campaign
        self.records: list[Record] = []
        self.waiting = Unacknowledged()
        self.shipper = self.make_shipper()
        self.in_hand: list[list[Sealed]] = []
        self.copies: list[Copy] = [{}]

    def make_shipper(self) -> Shipper:
        """What sends the records."""
        return Shipper(self.writer, self.waiting, self.client, self.database, self.read)

    async def read(self, _: object) -> list[Record]:
        """Nothing is read from disk here."""
        raise AssertionError

    async def take(self, step: Step, choice: int) -> None:
        """Does what the step says."""
        if step is Step.CLICK:
            number = len(self.records) + 1
            record = Record(number, number, {f"{self.campaign}:500000:human": choice + 1})
            self.records.append(record)
            self.waiting.add(Entry(record, 0.0))
        elif step is Step.SHIP:
            await self.ship(asks=choice % 3 == 0)
        elif step is Step.LOSE_REPLY:
            position = self.waiting.position
            await self.ship(asks=choice % 3 == 0)
            self.waiting.position = position
            self.waiting._count_sent()
        elif step is Step.ACKNOWLEDGE:
            await self.shipper.acknowledge()
        elif step is Step.RECOVER:
            self.recover()
        else:
            await self.flush_or_fail(step, choice)

    async def flush_or_fail(self, step: Step, choice: int) -> None:
        """What happens to flushers and to Redis."""
        if step is Step.SEAL:
            self.in_hand.append(await self.flusher.seal([self.writer]))
        elif step in {Step.APPLY, Step.SETTLE} and self.in_hand:
            sealed = self.in_hand[choice % len(self.in_hand)]
            verdicts = await self.flusher.apply(sealed)
            if step is Step.SETTLE:
                await self.flusher.settle(sealed, verdicts)
                self.in_hand.remove(sealed)
        elif step is Step.FORGET:
            await self.put_back({})
        elif step is Step.COPY:
            copy = {key: await self.redis.dump(key) for key in await self.keys()}
            self.copies.append({key: value for key, value in copy.items() if value})
        elif step is Step.PUT_BACK:
            await self.put_back(self.copies[choice % len(self.copies)])

    async def ship(self, *, asks: bool) -> None:
        """Sends what follows what Redis has, as it says, or as the writer believes."""
        self.shipper._asked_at = float("-inf") if asks else time.monotonic()
        await self.shipper.ship()

    def recover(self) -> None:
        """The process ended; its records are read from its journal."""
        self.waiting = Unacknowledged(Entry(each, 0.0) for each in self.records)
        self.shipper = self.make_shipper()

    async def keys(self) -> list[bytes | str]:
        """The writer's keys."""
        return await self.redis.keys(f"*{self.writer}*")

    async def put_back(self, copy: Copy) -> None:
        """Redis has what it had then."""
        for key in await self.keys():
            await self.redis.delete(key)
        for key, value in copy.items():
            await self.redis.restore(key, 0, value)

    async def come_to_rest(self) -> None:
        """All goes well for a while, in every order in which flushers still hold something."""
        for sealed in self.in_hand:
            await self.flusher.settle(sealed, await self.flusher.apply(sealed))
        for _ in range(4):
            await self.shipper.acknowledge()
            await self.ship(asks=True)
            sealed = await self.flusher.seal([self.writer])
            await self.flusher.settle(sealed, await self.flusher.apply(sealed))
        await self.shipper.acknowledge()
        assert len(self.waiting) == 0


@pytest.fixture
async def event(database: Database) -> Event:
    """An event to make campaigns in."""
    async with database.write() as connection:
        return await ensure_event(connection, "acme", "summer")


async def test_any_order_of_steps_counts_each_click_once(
    redis: RedisServer, database: Database, event: Event
) -> None:
    """Never less, and never more."""
    client = CounterClient.of(Settings(redis_url=redis.url))
    connected = Redis.from_url(redis.url)
    for seed in range(RUNS):
        random = Random(seed)
        kinds = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=LENGTH)
        steps = [(kind, random.randrange(10)) for kind in kinds]
        async with database.write() as connection:
            [campaign] = await make(connection, event, 1)
        world = World(connected, database, client, campaign)
        for step, choice in steps:
            await world.take(step, choice)
        await world.come_to_rest()
        async with database.read() as connection:
            counts = await click_counts(connection)
        assert counts[campaign] == sum(record.clicks for record in world.records), (seed, steps)
    await client.close()
    await connected.aclose()
