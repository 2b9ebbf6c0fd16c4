"""Marks: the second of an event's last write, by which a client learns that nothing changed since.

HTTP's dates have whole seconds, and many writes fit into one. So a mark is no reading of the clock:
every write moves it on, by a second at least, in the write's own transaction. Writers wait for each
other, and a reader sees a mark and what was written under it, or neither. A list with the same mark
is therefore the same list, whatever the clocks of several processes say, whether one steps back,
and however long a write took to its commit. The price: while an event is written more often than
once a second its mark runs ahead of the clock, which catches up afterwards; till then nobody is
told it (api/conditional.py).
"""

import time
from collections.abc import Iterable

from sqlalchemy import Column, ColumnElement, case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.database import upsert
from tracking.tables import event_marks, statistics_marks


async def written(connection: AsyncConnection, event_id: int) -> int | None:
    """The event's last write by a client, in seconds since the epoch; None = there was none."""
    return await _read(connection, event_marks.c.written_at, event_id)


async def counted(connection: AsyncConnection, event_id: int) -> int | None:
    """The event's last write, or the last change of a `click_count`: for what shows counts."""
    return await _read(connection, event_marks.c.counted_at, event_id)


async def of_statistics(connection: AsyncConnection, event_id: int) -> int | None:
    """The last change of what the event's statistics show: orders, and clicks of any audience."""
    query = select(statistics_marks.c.changed_at).where(statistics_marks.c.event_id == event_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def note_statistics(connection: AsyncConnection, event_ids: Iterable[int]) -> None:
    """Moves on the mark of what statistics show. Must run in the transaction that changes them."""
    rows = [{"event_id": event_id} for event_id in event_ids]
    if not rows:
        return
    now = int(time.time())
    changed_at = statistics_marks.c.changed_at
    await connection.execute(
        upsert(statistics_marks)
        .values(changed_at=now)
        .on_conflict_do_update(
            index_elements=[statistics_marks.c.event_id],
            set_={"changed_at": _moved_on(changed_at, now)},
        ),
        rows,
    )


async def note_write(connection: AsyncConnection, event_id: int) -> None:
    """Moves all marks on. Must run in the transaction of the write."""
    await note_statistics(connection, [event_id])
    now = int(time.time())
    await connection.execute(
        upsert(event_marks)
        .values(event_id=event_id, written_at=now, counted_at=now)
        .on_conflict_do_update(
            index_elements=[event_marks.c.event_id],
            set_={
                "written_at": _moved_on(event_marks.c.written_at, now),
                "counted_at": _moved_on(event_marks.c.counted_at, now),
            },
        )
    )


async def note_counts(connection: AsyncConnection, event_ids: Iterable[int]) -> None:
    """Moves on the mark of what shows counts. Must run in the transaction that changes them."""
    rows = [{"event_id": event_id} for event_id in event_ids]
    if not rows:
        return
    now = int(time.time())
    await connection.execute(
        upsert(event_marks)
        .values(counted_at=now)
        .on_conflict_do_update(
            index_elements=[event_marks.c.event_id],
            set_={"counted_at": _moved_on(event_marks.c.counted_at, now)},
        ),
        rows,
    )


async def _read(
    connection: AsyncConnection, mark: "Column[int | None] | Column[int]", event_id: int
) -> int | None:
    query = select(mark).where(event_marks.c.event_id == event_id)
    return (await connection.execute(query)).scalar_one_or_none()


def _moved_on(mark: "Column[int | None] | Column[int]", now: int) -> ColumnElement[int]:
    return case((mark >= now, mark + 1), else_=now)
