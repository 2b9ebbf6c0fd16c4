"""Clicks: put into the counts exactly once, and the proof that counts agree."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from sqlalchemy import (
    Column,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import marks, writers
from tracking.database import execute_many, upsert
from tracking.tables import campaigns, click_hours, event_hours, events, flush_batches, organizers
from tracking.writers import Verdict, Writer, judge

logger = logging.getLogger(__name__)

Hour = NewType("Hour", int)
"""Whole hours since the epoch, UTC."""
SECONDS_PER_HOUR = 3600

# So many ids a query: SQLite takes 32,766 parameters.
_IDS_AT_ONCE = 10_000
_OLD_BATCHES_KEPT_SECONDS = 90 * 24 * 3600.0


class Audience(StrEnum):
    """Who clicked. Only people's clicks are in a campaign's `click_count`.

    Attributes:
        HUMAN: a person, or a tool that was told to.
        BOT: a crawler, or what makes a link's preview.
        PREFETCH: a browser's speculative request; the person has not clicked yet.
        EMBEDDED: a page that shows the link as a part of itself.
    """

    HUMAN = "human"
    BOT = "bot"
    PREFETCH = "prefetch"
    EMBEDDED = "embedded"


class ClickCount(NamedTuple):
    """Clicks of one audience on one campaign's link within one hour."""

    campaign_id: int
    hour: Hour
    audience: Audience
    clicks: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Clicks of one writer that go into SQL together, once.

    Attributes:
        first, last: the numbers of the writer's records whose clicks these are.
        counts: at most one for each campaign, hour and audience.
    """

    writer: Writer
    first: int
    last: int
    counts: tuple[ClickCount, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A campaign whose `click_count` is not the sum of its hourly rows."""

    code: str
    click_count: int
    hourly_sum: int


@dataclass(frozen=True, slots=True)
class HoursDifference:
    """An event some of whose hours are not the sums of its campaigns'.

    Attributes:
        event: both slugs, with a slash between.
        hours: how many hours and audiences.
    """

    event: str
    hours: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger against the hourly rows.

    Attributes:
        writers: whose clicks the ledger knows.
        clicks: clicks of the ledger, of all audiences.
        hourly_sum: clicks of the hourly rows.
    """

    writers: int
    clicks: int
    hourly_sum: int


def hour_of(timestamp: float) -> Hour:
    """The hour that a time (seconds since the epoch) falls into."""
    return Hour(int(timestamp // SECONDS_PER_HOUR))


async def apply(connection: AsyncConnection, batches: Sequence[Batch]) -> list[Verdict]:
    """Adds batches to the counts: of each writer those that follow what SQL has of it.

    Must run in a write transaction of its own: the ledger and the counts are committed together or
    not at all. Clicks of campaigns that are gone are dropped, and logged.

    Args:
        batches: of each writer in the order of their numbers.

    Returns:
        What became of each.
    """
    numbers = await writers.numbers_of(connection, {batch.writer for batch in batches})
    verdicts: list[Verdict] = []
    accepted: dict[Writer, int] = {}
    counts: list[tuple[Writer, ClickCount]] = []
    for batch in batches:
        verdict = judge(numbers.get(batch.writer, 0), batch.first, batch.last)
        verdicts.append(verdict)
        if verdict is Verdict.ACCEPTED:
            numbers[batch.writer] = accepted[batch.writer] = batch.last
            counts += ((batch.writer, count) for count in batch.counts)
    if accepted:
        kept = await add(connection, [count for _, count in counts])
        clicks: Counter[Writer] = Counter()
        for writer, count in counts:
            if count.campaign_id in kept:
                clicks[writer] += count.clicks
        await writers.advance(connection, accepted, clicks)
    return verdicts


async def add(connection: AsyncConnection, counts: Collection[ClickCount]) -> Collection[int]:
    """Adds to the hourly rows, their sums and the marks; whoever calls enters it into the ledger.

    Returns:
        The campaigns that there are. What counts for others is dropped.
    """
    of_event = await _events_of(connection, {count.campaign_id for count in counts})
    hours: Counter[tuple[int, Hour, str]] = Counter()
    of_events: Counter[tuple[int, Hour, str]] = Counter()
    people: Counter[int] = Counter()
    dropped: Counter[int] = Counter()
    for id, hour, audience, clicks in counts:
        event = of_event.get(id)
        if event is None:
            dropped[id] += clicks
            continue
        hours[id, hour, audience.value] += clicks
        of_events[event, hour, audience.value] += clicks
        if audience is Audience.HUMAN:
            people[id] += clicks
    # In the order of their keys, so that each statement walks through its table once.
    await execute_many(connection, _ADD_TO_HOURS, _rows(hours))
    await execute_many(connection, _ADD_TO_EVENTS, _rows(of_events))
    await execute_many(
        connection, _ADD_TO_CAMPAIGN, [(clicks, id) for id, clicks in sorted(people.items())]
    )
    await marks.note_counts(connection, {of_event[id] for id in people})
    await marks.note_statistics(connection, {event for event, _, _ in of_events})
    if dropped:
        logger.warning("dropped %d clicks of %d deleted campaigns", dropped.total(), len(dropped))
    return of_event.keys()


async def note_removal(connection: AsyncConnection, campaign_id: int) -> None:
    """Takes a campaign's clicks out of the ledger, and out of its event's hours.

    Must come before its deletion, in the same transaction.
    """
    query = select(func.sum(click_hours.c.clicks)).where(click_hours.c.campaign_id == campaign_id)
    clicks = (await connection.execute(query)).scalar_one()
    if clicks:
        await writers.note_deleted(connection, clicks)
        rows = await connection.execute(
            select(
                campaigns.c.event_id,
                click_hours.c.hour,
                click_hours.c.audience,
                -click_hours.c.clicks,
            )
            .join_from(click_hours, campaigns)
            .where(click_hours.c.campaign_id == campaign_id)
        )
        await execute_many(connection, _ADD_TO_EVENTS, [tuple(row) for row in rows])


async def apply_old(
    connection: AsyncConnection,
    id: str,
    counts: Collection[ClickCount],
    numbers: Mapping[Writer, int],
) -> bool:
    """Adds a batch of a version before journals, unless it was applied before; whether it was new.

    Must run in a write transaction of its own.

    Args:
        numbers: up to which number each writer's batches are in SQL once this is.
    """
    known = select(flush_batches.c.id).where(flush_batches.c.id == id)
    if (await connection.execute(known)).first() is not None:
        return False
    kept = await add(connection, counts)
    await connection.execute(insert(flush_batches).values(id=id, applied_at=time.time(), clicks=0))
    await writers.note_old(connection, numbers)
    await writers.note_earlier(
        connection, sum(count.clicks for count in counts if count.campaign_id in kept)
    )
    return True


async def forget(connection: AsyncConnection, now: float) -> None:
    """Forgets what the ledger need not tell apart any more; the sum stays.

    Args:
        now: seconds since the epoch.
    """
    await writers.forget(connection, now)
    old = flush_batches.c.applied_at < now - _OLD_BATCHES_KEPT_SECONDS
    await connection.execute(delete(flush_batches).where(old))


async def ledger(connection: AsyncConnection) -> Ledger:
    """The ledger's sums, and those of the hourly rows: they must agree."""
    entries, clicks = await writers.ledger(connection)
    hours = select(func.coalesce(func.sum(click_hours.c.clicks), 0))
    return Ledger(entries, clicks, (await connection.execute(hours)).scalar_one())


async def audit(connection: AsyncConnection) -> list[Difference]:
    """The campaigns whose `click_count` differs from the sum of their hourly rows."""
    hourly_sum = func.coalesce(func.sum(click_hours.c.clicks), 0)
    query = (
        select(campaigns.c.code, campaigns.c.click_count, hourly_sum.label("hourly_sum"))
        .outerjoin_from(
            campaigns,
            click_hours,
            and_(
                click_hours.c.campaign_id == campaigns.c.id,
                click_hours.c.audience == Audience.HUMAN,
            ),
        )
        .group_by(campaigns.c.id)
        .having(campaigns.c.click_count != hourly_sum)
        .order_by(campaigns.c.id)
    )
    return [Difference(**row) for row in (await connection.execute(query)).mappings()]


async def audit_hours(connection: AsyncConnection) -> list[HoursDifference]:
    """The events whose hours are not what the hourly rows of their campaigns add up to."""
    rows = select(
        campaigns.c.event_id, click_hours.c.hour, click_hours.c.audience, click_hours.c.clicks
    ).join_from(click_hours, campaigns)
    hours = select(
        event_hours.c.event_id, event_hours.c.hour, event_hours.c.audience, -event_hours.c.clicks
    )
    both = rows.union_all(hours).subquery()
    wrong = (
        select(both.c.event_id, func.sum(both.c.clicks).label("excess"))
        .group_by(both.c.event_id, both.c.hour, both.c.audience)
        .having(func.sum(both.c.clicks) != 0)
        .subquery()
    )
    query = (
        select(organizers.c.slug, events.c.slug, func.count())
        .join_from(wrong, events, events.c.id == wrong.c.event_id)
        .join(organizers)
        .group_by(events.c.id)
        .order_by(organizers.c.slug, events.c.slug)
    )
    found = (await connection.execute(query)).all()
    return [HoursDifference(f"{organizer}/{event}", hours) for organizer, event, hours in found]


_ADD_TO_CAMPAIGN = (
    update(campaigns)
    .values(click_count=campaigns.c.click_count + bindparam("clicks"))
    .where(campaigns.c.id == bindparam("campaign"))
)


def _adding_to(table: Table, first: Column[int]) -> Insert:
    insertion = upsert(table)
    return insertion.on_conflict_do_update(
        index_elements=[first, table.c.hour, table.c.audience],
        set_={"clicks": table.c.clicks + insertion.excluded.clicks},
    )


_ADD_TO_HOURS = _adding_to(click_hours, click_hours.c.campaign_id)
_ADD_TO_EVENTS = _adding_to(event_hours, event_hours.c.event_id)


def _rows(clicks: Counter[tuple[int, Hour, str]]) -> list[tuple[int, Hour, str, int]]:
    return sorted((*key, number) for key, number in clicks.items())


async def _events_of(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, int]:
    """The event of each of these campaigns; those that are gone are left out."""
    found: dict[int, int] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = wanted[start : start + _IDS_AT_ONCE]
        query = select(campaigns.c.id, campaigns.c.event_id).where(campaigns.c.id.in_(some))
        found.update((id, event) for id, event in await connection.execute(query))
    return found
