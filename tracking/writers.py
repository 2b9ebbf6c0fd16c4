"""Writers: the redirector processes that count clicks, and how far the clicks of each are in SQL.

One row a writer is the ledger: what was accepted of it up to which number, and how many clicks that
were. A writer has its row before anything of it is sent, so that who moves clicks finds all of them
here, whatever Redis forgets. Its id belongs to one life of one process.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.database import execute_many, upsert
from tracking.tables import writers

Writer = str
"""32 hexadecimal digits."""

# Rows that are nobody's: what left the counts with its campaign, and what is not told apart.
_DELETED = "deleted campaigns"
_EARLIER = "earlier writers"

SILENT_SECONDS = 30 * 24 * 3600.0
"""A writer that said nothing for so long has ended, and what Redis may hold of it is over too."""
KEPT_SECONDS = 366 * 24 * 3600.0
"""For how long a writer that ended is known: a copy of its journal must not be older when it is
put back."""


class Verdict(Enum):
    """What becomes of a range of a writer's records.

    Attributes:
        ACCEPTED: it follows what is in SQL.
        KNOWN: all of it is in SQL already.
        REFUSED: it overlaps what is in SQL, or leaves a gap.
    """

    ACCEPTED = "accepted"
    KNOWN = "known"
    REFUSED = "refused"


def judge(number: int, first: int, last: int) -> Verdict:
    """What becomes of the records `first` to `last` where SQL has all up to `number`."""
    if last <= number:
        return Verdict.KNOWN
    return Verdict.ACCEPTED if first == number + 1 else Verdict.REFUSED


async def register(connection: AsyncConnection, writer: Writer) -> None:
    """Gives a writer its row, or says that it is there still."""
    row = upsert(writers).values(
        id=writer, number=0, clicks=0, flushed_at=time.time(), ended_at=None
    )
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[writers.c.id],
            set_={"flushed_at": row.excluded.flushed_at, "ended_at": None},
        )
    )


async def number_of(connection: AsyncConnection, writer: Writer) -> int:
    """The number up to which a writer's records are in the counts; 0 when none are known to be."""
    return (await numbers_of(connection, [writer])).get(writer, 0)


async def numbers_of(connection: AsyncConnection, ids: Iterable[Writer]) -> dict[Writer, int]:
    """`number_of` for several; who has no row is left out."""
    query = select(writers.c.id, writers.c.number).where(writers.c.id.in_(list(ids)))
    rows = await connection.execute(query)
    return {row.id: row.number for row in rows}


async def active(connection: AsyncConnection) -> Sequence[Writer]:
    """The writers that have not ended."""
    query = select(writers.c.id).where(writers.c.ended_at.is_(None)).order_by(writers.c.id)
    return (await connection.execute(query)).scalars().all()


async def advance(
    connection: AsyncConnection, numbers: Mapping[Writer, int], clicks: Mapping[Writer, int]
) -> None:
    """Notes up to which number writers are in the counts now, and how many clicks that added."""
    now = time.time()
    row = upsert(writers)
    await execute_many(
        connection,
        row.on_conflict_do_update(
            index_elements=[writers.c.id],
            set_={
                "number": row.excluded.number,
                "clicks": writers.c.clicks + row.excluded.clicks,
                "flushed_at": row.excluded.flushed_at,
            },
        ),
        [(id, number, now, clicks.get(id, 0), None) for id, number in numbers.items()],
    )


async def end(connection: AsyncConnection, writer: Writer) -> None:
    """Notes that all of a writer is in the counts, and that it is gone."""
    await connection.execute(
        update(writers)
        .where(writers.c.id == writer)
        .values(ended_at=func.coalesce(writers.c.ended_at, time.time()))
    )


async def forget(connection: AsyncConnection, now: float) -> None:
    """Ends writers that are silent, and puts the rows of those that ended long ago into one.

    Args:
        now: seconds since the epoch.
    """
    silent = writers.c.flushed_at < now - SILENT_SECONDS
    await connection.execute(
        update(writers).where(writers.c.ended_at.is_(None), silent).values(ended_at=now)
    )
    gone = delete(writers).where(
        writers.c.ended_at < now - KEPT_SECONDS, writers.c.id.not_in([_DELETED, _EARLIER])
    )
    clicks = sum((await connection.execute(gone.returning(writers.c.clicks))).scalars())
    await _add(connection, _EARLIER, clicks)


async def note_deleted(connection: AsyncConnection, clicks: int) -> None:
    """Takes the clicks of a campaign that is deleted out of the ledger."""
    await _add(connection, _DELETED, -clicks)


async def note_old(connection: AsyncConnection, numbers: Mapping[Writer, int]) -> None:
    """Notes up to which batch writers of versions before journals are in the counts."""
    now = time.time()
    row = upsert(writers)
    await execute_many(
        connection,
        row.on_conflict_do_update(
            index_elements=[writers.c.id],
            set_={"number": func.max(writers.c.number, row.excluded.number)},
        ),
        [(id, number, now, 0, now) for id, number in numbers.items()],
    )


async def note_earlier(connection: AsyncConnection, clicks: int) -> None:
    """Enters clicks that no writer's number stands for: those of earlier versions."""
    await _add(connection, _EARLIER, clicks)


async def ledger(connection: AsyncConnection) -> tuple[int, int]:
    """How many writers there were, and all their clicks."""
    query = select(func.count(), func.coalesce(func.sum(writers.c.clicks), 0)).select_from(writers)
    entries, clicks = (await connection.execute(query)).one()
    return entries, clicks


async def _add(connection: AsyncConnection, id: str, clicks: int) -> None:
    if not clicks:
        return
    row = upsert(writers).values(id=id, number=0, clicks=clicks, flushed_at=0.0, ended_at=0.0)
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[writers.c.id],
            set_={"clicks": writers.c.clicks + row.excluded.clicks},
        )
    )
