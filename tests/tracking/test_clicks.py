"""Clicks: each batch is in the counts once or not at all, and the counts agree."""

import asyncio
import logging
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import insert, select

from tests.tracking.counting import (
    InjectedError,
    apply,
    batch_of,
    click_counts,
    fail_after_applying,
    hourly,
    ledger,
    make,
)
from tracking import campaigns, clicks, tables
from tracking.clicks import Audience, Batch, Difference
from tracking.database import Database
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.writers import Verdict

HOURS = {
    "the epoch": (0.0, 0),
    "just before the next hour": (3599.999, 0),
    "the next hour": (3600.0, 1),
    "2026-01-01T00:00:00Z": (1_767_225_600.0, 490_896),
    "before the epoch": (-0.5, -1),
}


@pytest.mark.parametrize(("timestamp", "hour"), HOURS.values(), ids=HOURS)
def test_hours_are_whole_ones_since_the_epoch(timestamp: float, hour: int) -> None:
    """A click belongs to the hour that had begun."""
    assert clicks.hour_of(timestamp) == hour


async def test_a_batch_is_added_up(database: Database, event: Event) -> None:
    """Hourly rows grow by the batch, and `click_count` by its clicks of people."""
    async with database.write() as connection:
        poster, flyer = await make(connection, event, 2)
    human, bot, prefetch, embedded = Audience
    first = batch_of((poster, 7, human, 5), (poster, 7, bot, 2), (poster, 8, human, 1))
    third = batch_of((poster, 7, embedded, 3), (flyer, 7, embedded, 1))
    second = batch_of((poster, 7, human, 10), (flyer, 7, prefetch, 4))
    assert await apply(database, first) is Verdict.ACCEPTED
    assert await apply(database, second) is Verdict.ACCEPTED
    assert await apply(database, third) is Verdict.ACCEPTED
    async with database.read() as connection:
        assert await hourly(connection) == {
            (poster, 7, human): 15,
            (poster, 7, bot): 2,
            (poster, 8, human): 1,
            (flyer, 7, prefetch): 4,
            (poster, 7, embedded): 3,
            (flyer, 7, embedded): 1,
        }
        assert await click_counts(connection) == {poster: 16, flyer: 0}
        assert await ledger(connection) == {
            first.writer: (1, 8),
            second.writer: (1, 14),
            third.writer: (1, 4),
        }
        assert await clicks.audit(connection) == []


async def test_a_batch_is_applied_once(database: Database, event: Event) -> None:
    """A range that SQL has changes nothing, whatever it holds by then."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
    batch = batch_of((poster, 7, Audience.HUMAN, 5))
    other = Batch(batch.writer, 1, 1, batch_of((poster, 9, Audience.HUMAN, 100)).counts)
    assert await apply(database, batch) is Verdict.ACCEPTED
    assert await apply(database, batch) is Verdict.KNOWN
    assert await apply(database, other) is Verdict.KNOWN
    async with database.read() as connection:
        assert await hourly(connection) == {(poster, 7, Audience.HUMAN): 5}
        assert await click_counts(connection) == {poster: 5}


async def test_an_empty_batch_is_remembered(database: Database) -> None:
    """A batch of nothing is applied like any other."""
    batch = batch_of()
    assert await apply(database, batch) is Verdict.ACCEPTED
    assert await apply(database, batch) is Verdict.KNOWN


async def test_clicks_of_a_deleted_campaign_are_dropped(
    database: Database, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of the batch counts, and the log says what did not."""
    caplog.set_level(logging.WARNING, "tracking.clicks")
    async with database.write() as connection:
        kept, gone = await make(connection, event, 2)
        await campaigns.remove(connection, event.id, gone)
    batch = batch_of(
        (gone, 7, Audience.HUMAN, 5), (gone, 8, Audience.BOT, 2), (kept, 7, Audience.HUMAN, 1)
    )
    assert await apply(database, batch) is Verdict.ACCEPTED
    assert await apply(database, batch) is Verdict.KNOWN
    async with database.read() as connection:
        assert await hourly(connection) == {(kept, 7, Audience.HUMAN): 1}
        assert await click_counts(connection) == {kept: 1}
    assert caplog.messages == ["dropped 7 clicks of 1 deleted campaigns"]


async def test_a_batch_that_fails_leaves_nothing(database: Database, event: Event) -> None:
    """Neither counts nor ledger keep a batch whose transaction failed; later it is applied."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
    batch = batch_of((poster, 7, Audience.HUMAN, 5))
    with pytest.raises(InjectedError):
        await fail_after_applying(database, batch)
    async with database.read() as connection:
        assert await ledger(connection) == {}
        assert await hourly(connection) == {}
        assert await click_counts(connection) == {poster: 0}
    assert await apply(database, batch) is Verdict.ACCEPTED


async def test_a_batch_with_a_broken_count_leaves_nothing(database: Database, event: Event) -> None:
    """A count that SQL refuses, after others that it took, takes the whole batch back."""
    async with database.write() as connection:
        poster, flyer = await make(connection, event, 2)
    too_many = 2**63  # SQLite's integers end one below
    batch = batch_of((poster, 7, Audience.HUMAN, 5), (flyer, 7, Audience.HUMAN, too_many))
    with pytest.raises(OverflowError):
        await apply(database, batch)
    async with database.read() as connection:
        assert await ledger(connection) == {}
        assert await hourly(connection) == {}
        assert await click_counts(connection) == {poster: 0, flyer: 0}
    assert await apply(database, Batch(batch.writer, 1, 1, batch.counts[:1])) is Verdict.ACCEPTED


async def test_flushers_that_race_count_once(
    database: Database, settings: Settings, event: Event
) -> None:
    """Of two that apply the same batches at once, exactly one adds each."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
    batches = [batch_of((poster, hour, Audience.HUMAN, 1)) for hour in range(20)]
    rival = Database(settings.sql_url, timeout=60)
    patient = Database(settings.sql_url, timeout=60)

    async def flush(flusher: Database) -> list[Verdict]:
        return [await apply(flusher, batch) for batch in batches]

    outcomes = await asyncio.gather(flush(patient), flush(rival))
    await patient.close()
    await rival.close()
    assert all(
        set(pair) == {Verdict.ACCEPTED, Verdict.KNOWN} for pair in zip(*outcomes, strict=True)
    )
    async with database.read() as connection:
        assert await click_counts(connection) == {poster: 20}
        assert await clicks.audit(connection) == []


async def test_a_batch_may_be_large(database: Database, event: Event) -> None:
    """A night's backlog goes in at once: more campaigns than a statement may have variables."""
    limit = 32_766  # SQLite's own; some systems' builds allow more
    number = limit + 1
    async with database.write() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        category = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
        await driver._execute(driver._conn.setlimit, category, limit)
        rows = [
            {
                "event_id": event.id,
                "code": f"code-{index}",
                "description": "",
                "external_target": "",
                "order_count": 0,
                "click_count": 0,
            }
            for index in range(number)
        ]
        await connection.execute(insert(tables.campaigns), rows)
        ids = list(await connection.scalars(select(tables.campaigns.c.id)))
    assert (
        await apply(database, batch_of(*((id, 7, Audience.HUMAN, 2) for id in ids)))
        is Verdict.ACCEPTED
    )
    async with database.read() as connection:
        assert await click_counts(connection) == dict.fromkeys(ids, 2)
        assert await clicks.audit(connection) == []


async def test_a_batch_may_have_many_hours(database: Database, event: Event) -> None:
    """All counts of one campaign add up to one `click_count`."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
    batch = batch_of(*((poster, hour, Audience.HUMAN, 1) for hour in range(20_001)))
    assert await apply(database, batch) is Verdict.ACCEPTED
    async with database.read() as connection:
        assert await click_counts(connection) == {poster: 20_001}


TAMPERINGS = {
    "a count too high": ("UPDATE campaigns SET click_count = 6", Difference("poster", 6, 5)),
    "an hourly row missing": (
        "DELETE FROM click_hours WHERE audience = 'human'",
        Difference("poster", 5, 0),
    ),
    "an hourly row too high": (
        "UPDATE click_hours SET clicks = 9 WHERE audience = 'human'",
        Difference("poster", 5, 9),
    ),
    "a robot made human": (
        "UPDATE click_hours SET audience = 'human'",
        Difference("poster", 5, 7),
    ),
}


@pytest.mark.parametrize(("tampering", "difference"), TAMPERINGS.values(), ids=TAMPERINGS)
async def test_the_audit_finds_what_differs(
    database: Database, settings: Settings, event: Event, tampering: str, difference: Difference
) -> None:
    """A count that is not the sum of its hourly rows of people is reported with both numbers."""
    async with database.write() as connection:
        poster = await campaigns.create(connection, event.id, description="", code="poster")
    counts = ((poster.id, 7, Audience.HUMAN, 5), (poster.id, 8, Audience.BOT, 2))
    assert await apply(database, batch_of(*counts)) is Verdict.ACCEPTED
    async with database.read() as connection:
        assert await clicks.audit(connection) == []
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other_program:
        other_program.execute(tampering)
        other_program.commit()
    async with database.read() as connection:
        assert await clicks.audit(connection) == [difference]
