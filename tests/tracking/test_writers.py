"""The ledger: each writer's ranges are accepted in order, once, and its rows keep the sum."""

import time

import pytest

from tests.tracking.counting import apply, batch_of, click_counts, ledger, make
from tracking import campaigns, clicks, writers
from tracking.clicks import Audience, Batch
from tracking.database import Database
from tracking.organizers import Event
from tracking.writers import KEPT_SECONDS, SILENT_SECONDS, Verdict, judge

DAY = 24 * 3600.0

# Up to which number SQL has a writer's records, a range of them, and what becomes of it.
JUDGED = {
    "the first": (0, (1, 1), Verdict.ACCEPTED),
    "what follows": (4, (5, 9), Verdict.ACCEPTED),
    "all known": (4, (2, 4), Verdict.KNOWN),
    "the same again": (9, (5, 9), Verdict.KNOWN),
    "an overlap": (4, (4, 6), Verdict.REFUSED),
    "one that holds all": (4, (1, 6), Verdict.REFUSED),
    "a gap": (4, (6, 6), Verdict.REFUSED),
}


@pytest.mark.parametrize(("number", "span", "verdict"), JUDGED.values(), ids=JUDGED)
def test_ranges_are_judged(number: int, span: tuple[int, int], verdict: Verdict) -> None:
    """Only what follows without an overlap or a gap is accepted."""
    assert judge(number, *span) is verdict


async def test_ranges_are_accepted_in_order(database: Database, event: Event) -> None:
    """Several at once, of several writers; what is refused or known changes nothing."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
        await writers.register(connection, "a")

    def batch(writer: str, first: int, last: int, clicks: int) -> Batch:
        counts = batch_of((poster, 7, Audience.HUMAN, clicks)).counts
        return Batch(writer, first, last, counts)

    async with database.write() as connection:
        assert await clicks.apply(
            connection,
            [
                batch("a", 1, 3, 1),
                batch("b", 2, 2, 10),
                batch("a", 4, 4, 100),
                batch("a", 4, 4, 100),
                batch("a", 4, 6, 1000),
                batch("a", 5, 6, 10_000),
            ],
        ) == [
            Verdict.ACCEPTED,
            Verdict.REFUSED,
            Verdict.ACCEPTED,
            Verdict.KNOWN,
            Verdict.REFUSED,
            Verdict.ACCEPTED,
        ]
    async with database.read() as connection:
        assert await click_counts(connection) == {poster: 10_101}
        assert await ledger(connection) == {"a": (6, 10_101)}
        assert await writers.number_of(connection, "a") == 6
        assert await writers.number_of(connection, "b") == 0
        assert await clicks.ledger(connection) == clicks.Ledger(1, 10_101, 10_101)


async def test_who_ended_is_not_looked_for(database: Database) -> None:
    """Until it is heard again."""
    async with database.write() as connection:
        for writer in ("a", "b"):
            await writers.register(connection, writer)
        await writers.end(connection, "a")
        assert await writers.active(connection) == ["b"]
        await writers.register(connection, "a")
        assert await writers.active(connection) == ["a", "b"]


async def test_old_rows_become_one(database: Database, event: Event) -> None:
    """Who is silent has ended; who ended long ago is forgotten, and the sum stays."""
    async with database.write() as connection:
        poster, flyer = await make(connection, event, 2)
    ended, lives = (batch_of((id, 7, Audience.HUMAN, 5)) for id in (poster, flyer))
    for batch in (ended, lives):
        assert await apply(database, batch) is Verdict.ACCEPTED
    now = time.time()
    async with database.write() as connection:
        await writers.end(connection, ended.writer)
        await clicks.forget(connection, now + KEPT_SECONDS - DAY)
        assert set(await ledger(connection)) == {ended.writer, lives.writer}
        assert await writers.active(connection) == []  # both are silent by then
        await clicks.forget(connection, now + KEPT_SECONDS + DAY)
        assert await ledger(connection) == {lives.writer: (1, 5), "earlier writers": (0, 5)}
        await campaigns.remove(connection, event.id, poster)
        entries = await clicks.ledger(connection)
        assert (entries.clicks, entries.hourly_sum) == (5, 5)


async def test_who_was_heard_lately_lives(database: Database) -> None:
    """However little it counts."""
    async with database.write() as connection:
        await writers.register(connection, "a")
        await clicks.forget(connection, time.time() + SILENT_SECONDS - DAY)
        assert await writers.active(connection) == ["a"]
