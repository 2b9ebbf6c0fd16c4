"""Marks: they move on with every write, whatever the clock says."""

import time
from dataclasses import dataclass

import pytest

from tests.tracking.counting import InjectedError
from tracking import marks
from tracking.database import Database
from tracking.organizers import Event


@dataclass(frozen=True)
class Clock:
    """What the clock says at each write, and the mark after it."""

    times: list[float]
    marks: list[int]


CLOCKS = {
    "a write an hour": Clock([3600.5, 7200.5, 10800.9], [3600, 7200, 10800]),
    "a write a second": Clock([100.1, 101.1, 102.9], [100, 101, 102]),
    "three in a second": Clock([100.1, 100.2, 100.9], [100, 101, 102]),
    "ahead, then caught up": Clock([100, 100, 100, 101, 200], [100, 101, 102, 103, 200]),
    "the clock steps back": Clock([100, 50, 51, 101, 102, 110], [100, 101, 102, 103, 104, 110]),
}


@pytest.mark.parametrize("case", CLOCKS.values(), ids=CLOCKS)
async def test_a_mark_only_grows(
    database: Database,
    event: Event,
    foreign_event: Event,
    monkeypatch: pytest.MonkeyPatch,
    case: Clock,
) -> None:
    """It is the clock's second, or the one after its last: with writes as with flushes."""
    for now, mark in zip(case.times, case.marks, strict=True):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=now: now)
            async with database.write() as connection:
                await marks.note_write(connection, event.id)
                await marks.note_counts(connection, [foreign_event.id])
        async with database.read() as connection:
            assert await marks.written(connection, event.id) == mark
            assert await marks.counted(connection, event.id) == mark
            assert await marks.counted(connection, foreign_event.id) == mark
            assert await marks.written(connection, foreign_event.id) is None


async def test_flushes_and_writes_of_one_second_differ(
    database: Database, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows counts moves on with either; the rest with writes alone."""
    monkeypatch.setattr(time, "time", lambda: 100.0)
    async with database.write() as connection:
        await marks.note_write(connection, event.id)
        await marks.note_counts(connection, [event.id])
        await marks.note_counts(connection, [event.id])
        assert await marks.written(connection, event.id) == 100
        assert await marks.counted(connection, event.id) == 102
        await marks.note_write(connection, event.id)
        assert await marks.written(connection, event.id) == 101
        assert await marks.counted(connection, event.id) == 103


async def test_a_write_that_is_taken_back_leaves_no_mark(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """Nor does one of another event, or a flush that touched none."""

    async def fail() -> None:
        async with database.write() as connection:
            await marks.note_write(connection, event.id)
            raise InjectedError

    with pytest.raises(InjectedError):
        await fail()
    async with database.write() as connection:
        await marks.note_write(connection, foreign_event.id)
        await marks.note_counts(connection, [])
        assert await marks.written(connection, event.id) is None
        assert await marks.counted(connection, event.id) is None
