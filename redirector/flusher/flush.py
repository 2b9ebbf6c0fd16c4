"""A flush: what Redis has added up goes into SQL, exactly once.

Seal: of each writer that SQL knows, what is open in Redis becomes a batch, the range of the
writer's records that it holds with it. Apply: SQL accepts what follows what it has of the writer.
Settle: Redis drops what SQL has. A crash between any two steps, several flushers at once, and a
Redis that forgets or remembers what was long ago change nothing: SQL's number alone decides.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from redirector.counters.keys import (
    COUNTERS_PER_BATCH,
    SEAL,
    SETTLE,
    VERSION,
    BatchName,
    Content,
    keys_of,
    parse,
)
from tracking import clicks, writers
from tracking.clicks import Batch
from tracking.database import Database
from tracking.writers import Verdict, Writer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A writer's sealed batch, as Redis has it."""

    writer: Writer
    name: BatchName
    content: Content


class Flusher:
    """Moves clicks from one Redis into one database."""

    def __init__(self, redis: "Redis", database: Database) -> None:
        self._redis = redis
        self._database = database
        self._seal = redis.register_script(SEAL.text)
        self._settle = redis.register_script(SETTLE.text)
        # Batches that are not understood, which were said in the log.
        self._complaints: set[tuple[Writer, BatchName]] = set()

    async def flush(self) -> int:
        """Moves what waits.

        Returns:
            How many batches SQL has since, by this flusher or meanwhile by another.

        Raises:
            RedisError, OSError: Redis is away; nothing is lost, the next flush goes on.
            DatabaseUnavailableError: SQL is; likewise.
        """
        async with self._database.read() as connection:
            active = await writers.active(connection)
        sealed = self._understood(await self.seal(active))
        moved = 0
        for part in _transactions(sealed):
            moved += await self._move(part)
        return moved

    async def seal(self, active: Sequence[Writer]) -> list[Sealed]:
        """Seals what is open of these writers; all their batches, each writer's in order."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for writer in active:
                await self._seal(keys=keys_of(writer), client=pipeline)
            names = await pipeline.execute()
        found = [
            (writer, name.decode())
            for writer, its in zip(active, names, strict=True)
            for name in its
        ]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for writer, name in found:
                pipeline.hgetall(f"{keys_of(writer)[2]}:{name}")
            contents = await pipeline.execute()
        return [
            Sealed(writer, BatchName.parse(name), parse(content))
            for (writer, name), content in zip(found, contents, strict=True)
        ]

    async def apply(self, sealed: Sequence[Sealed]) -> list[Verdict]:
        """Adds batches to the counts, in one transaction; what became of each."""
        batches = [
            Batch(each.writer, each.name.first, each.name.last, tuple(each.content.counts))
            for each in sealed
        ]
        async with self._database.write() as connection:
            return await clicks.apply(connection, batches)

    async def settle(self, sealed: Sequence[Sealed], verdicts: Sequence[Verdict]) -> None:
        """Drops from Redis what SQL has, and all of writers of whom SQL refused something."""
        ids = list(dict.fromkeys(each.writer for each in sealed))
        async with self._database.read() as connection:
            numbers = await writers.numbers_of(connection, ids)
        # What SQL has meanwhile another flusher moved: that says nothing against what follows it.
        refused = {
            each.writer
            for each, verdict in zip(sealed, verdicts, strict=True)
            if verdict is Verdict.REFUSED and each.name.last > numbers.get(each.writer, 0)
        }
        async with self._redis.pipeline(transaction=False) as pipeline:
            for id in ids:
                word = "refused" if id in refused else "accepted"
                await self._settle(
                    keys=keys_of(id), args=[numbers.get(id, 0), word], client=pipeline
                )
            await pipeline.execute()
        if refused:
            logger.warning(
                "Redis had another state of %d writers than SQL: they send again", len(refused)
            )

    async def _move(self, sealed: Sequence[Sealed]) -> int:
        # A batch whose counters are gone stands for clicks that nobody added: it is void.
        void = [each for each in sealed if not each.content.counts]
        whole = [each for each in sealed if each.content.counts]
        verdicts = await self.apply(whole)
        await self.settle([*whole, *void], [*verdicts, *[Verdict.REFUSED] * len(void)])
        return sum(verdict is not Verdict.REFUSED for verdict in verdicts)

    def _understood(self, sealed: Sequence[Sealed]) -> list[Sealed]:
        """The batches that this version can read, and nothing of a writer behind one that it can't.

        Those stay, with all that follows of their writer, for a flusher that can.
        """
        waiting: set[Writer] = set()
        complaints: set[tuple[Writer, BatchName]] = set()
        understood = []
        for each in sealed:
            if each.name.version != VERSION or each.content.strange:
                complaints.add((each.writer, each.name))
                waiting.add(each.writer)
                if (each.writer, each.name) not in self._complaints:
                    logger.error(
                        "records %d to %d of writer %s are not understood (version %d, %d counters"
                        " like %r): what it counts waits in Redis and in its journal",
                        *(each.name.first, each.name.last, each.writer, each.name.version),
                        *(len(each.content.strange), each.content.strange[:3]),
                    )
            if each.writer not in waiting:
                understood.append(each)
        self._complaints = complaints
        return understood


def _transactions(sealed: Sequence[Sealed]) -> Iterator[list[Sealed]]:
    """The batches in parts, so that other writers to SQL have their turn in between.

    Each writer's stay in their order, all parts being applied one after the other.
    """
    part: list[Sealed] = []
    counters = 0
    for each in sealed:
        if part and counters + len(each.content.counts) > COUNTERS_PER_BATCH:
            yield part
            part, counters = [], 0
        part.append(each)
        counters += len(each.content.counts)
    if part:
        yield part
