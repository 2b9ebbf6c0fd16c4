"""Batches of clicks, applied and read back: what the tests of the counts share."""

import uuid
from collections import Counter

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import campaigns, clicks, tables
from tracking.clicks import Audience, Batch, ClickCount, Hour
from tracking.database import Database
from tracking.organizers import Event
from tracking.writers import Verdict

Key = tuple[int, Hour, Audience]


class InjectedError(Exception):
    """Stands for whatever can fail between a batch's steps."""


async def make(connection: AsyncConnection, event: Event, number: int) -> list[int]:
    """Makes that many campaigns; returns their ids."""
    return [
        (await campaigns.create(connection, event.id, description=str(index))).id
        for index in range(number)
    ]


def batch_of(*counts: tuple[int, int, Audience, int]) -> Batch:
    """The one batch of a new writer: of (campaign, hour, audience, clicks)."""
    return Batch(
        uuid.uuid4().hex,
        1,
        1,
        tuple(ClickCount(id, Hour(hour), audience, n) for id, hour, audience, n in counts),
    )


async def apply(database: Database, batch: Batch) -> Verdict:
    """Applies a batch in a transaction of its own, as the flusher does."""
    async with database.write() as connection:
        return (await clicks.apply(connection, [batch]))[0]


async def fail_after_applying(database: Database, batch: Batch) -> None:
    """Applies a batch in a transaction that does not come to its commit."""
    async with database.write() as connection:
        await clicks.apply(connection, [batch])
        raise InjectedError


async def hourly(connection: AsyncConnection) -> Counter[Key]:
    """All hourly rows."""
    table = tables.click_hours
    rows = await connection.execute(
        select(table.c.campaign_id, table.c.hour, table.c.audience, table.c.clicks)
    )
    return Counter({(id, Hour(hour), Audience(who)): n for id, hour, who, n in rows})


async def click_counts(connection: AsyncConnection) -> dict[int, int]:
    """The `click_count` of each campaign."""
    table = tables.campaigns
    rows = await connection.execute(select(table.c.id, table.c.click_count))
    return {row.id: row.click_count for row in rows}


async def ledger(connection: AsyncConnection) -> dict[str, tuple[int, int]]:
    """How far each writer is, and its clicks."""
    table = tables.writers
    rows = await connection.execute(select(table.c.id, table.c.number, table.c.clicks))
    return {id: (number, clicks) for id, number, clicks in rows}
