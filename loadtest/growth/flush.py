"""More counters that are flushed at once, while an API client goes on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import redis
from sqlalchemy import select

from loadtest.api import Access
from loadtest.bench_api import Times
from loadtest.counts import read_counts
from loadtest.errors import LoadtestError
from loadtest.filling import ORGANIZER, fill_links, open_database
from loadtest.growth.busy import busy
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.rows import Reckoning
from loadtest.waymark import Waymark
from redirector.counters.client import CounterClient
from redirector.counters.keys import counter_name, keys_of
from tracking import writers
from tracking.clicks import Audience, hour_of
from tracking.database import Database
from tracking.settings import Settings
from tracking.tables import campaigns

_SLUG = "dirty"
_WRITER = "growth" + "0" * 26
_AT_ONCE = 1000
_HEADER = ("round", "in SQL after s", "of them flush", "API requests", "p50 ms", "p99 ms")
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.01
# The API client works alone for so long, so that the flush finds it in the midst of its work.
_AHEAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Flush:
    """How long it took, in seconds.

    Attributes:
        total: from Redis's answer until SQL has the counts.
        flush: the part of it after the flusher had begun.
    """

    total: float
    flush: float


def measure(scale: Scale) -> Section:
    """So many counters, once a round."""
    directory = scale.subdirectory("flush")
    token = asyncio.run(fill_links(directory, {_SLUG: scale.dirty}))
    rows = []
    errors = 0
    # No process is held to a core: as a machine runs it.
    waymark = Waymark(directory)
    with ExitStack() as stack:
        stack.enter_context(waymark.redis())
        stack.enter_context(waymark.flusher())
        api = stack.enter_context(waymark.api())
        access = Access(api.url, ORGANIZER, _SLUG, token)
        for number in range(1, scale.rounds + 1):
            with busy(access) as client:
                time.sleep(_AHEAD_SECONDS)
                client.forget()
                flush = asyncio.run(_flush(directory, number))
                times = client.times
            errors += client.errors
            rows.append(_line(number, flush, times))
    return Section(
        f"{scale.dirty:,} counters flushed at once, while an API client reads and writes",
        _HEADER,
        rows,
        notes=[
            "in SQL after: up to a second of it is FLUSH_INTERVAL; no process is held to a core",
            f"the API client's errors: {errors}",
        ],
        reckonings=[
            Reckoning(
                "counters flushed", scale.dirty * scale.rounds, 0, read_counts(directory)[_SLUG]
            )
        ],
        failures=[f"{errors} requests of the API client failed"] if errors else [],
    )


async def _flush(directory: Path, number: int) -> _Flush:
    """One more click for each campaign, sent as a writer does."""
    database = open_database(directory)
    settings = Settings(data_dir=directory, redis_url=None)
    try:
        ids = await _clicked_ids(database)
        hour = hour_of(time.time())
        async with database.write() as connection:
            await writers.register(connection, _WRITER)
        client = CounterClient.of(settings)
        with redis.Redis(unix_socket_path=str(settings.redis_socket)) as server:
            shipped = (number - 1) * -(-len(ids) // _AT_ONCE)
            for start in range(0, len(ids), _AT_ONCE):
                part = ids[start : start + _AT_ONCE]
                counts = {counter_name(id, hour, Audience.HUMAN): 1 for id in part}
                shipped += 1
                await client.ship(_WRITER, 0, shipped, shipped, counts)
            await client.close()
            recorded = time.perf_counter()

            async def is_sealed() -> bool:
                return not server.exists(keys_of(_WRITER)[1])

            async def is_in_sql() -> bool:
                # The last that was sent is in the last transaction.
                return await _count(database, ids[-1]) == number

            await _until(is_sealed)
            sealed = time.perf_counter()
            await _until(is_in_sql)
            done = time.perf_counter()
    finally:
        await database.close()
    return _Flush(done - recorded, done - sealed)


async def _clicked_ids(database: Database) -> Sequence[int]:
    """Of the campaigns that were there before the API client made more."""
    query = select(campaigns.c.id).where(campaigns.c.code.startswith(f"{_SLUG}-"))
    async with database.read() as connection:
        return (await connection.scalars(query)).all()


async def _count(database: Database, id: int) -> int:
    query = select(campaigns.c.click_count).where(campaigns.c.id == id)
    async with database.read() as connection:
        count: int = (await connection.scalars(query)).one()
    return count


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise LoadtestError(f"the counters were not flushed within {_PATIENCE_SECONDS:g} s")
        await asyncio.sleep(_POLL_SECONDS)


def _line(number: int, flush: _Flush, times: Times) -> tuple[str, ...]:
    cells = (str(number), f"{flush.total:.2f}", f"{flush.flush:.2f}", f"{len(times.taken):,}")
    if len(times.taken) < 2:
        return (*cells, "-", "-")
    return (*cells, f"{times.percentile(50):.1f}", f"{times.percentile(99):.1f}")
