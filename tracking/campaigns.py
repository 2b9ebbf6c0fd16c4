"""Campaigns: one tracking link each. The type, its queries, and the feed of its changes."""

import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from sys import intern
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog, clicks, marks, tallies
from tracking.database import Database, Lookup, upsert
from tracking.errors import DuplicateCodeError
from tracking.search import contains, searchable
from tracking.tables import campaign_changes, campaign_texts, campaigns, events, organizers
from tracking.tallies import Kind
from tracking.window import SortKey, Window, is_indexed, rows, sort_keys

# The contract, "Campaigns": what a client gets when it chooses no code.
_RANDOM_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Campaign:
    """A tracking link of an event, with its counts as of the last flush."""

    id: int
    code: str
    description: str
    external_target: str
    order_count: int
    click_count: int


@dataclass(frozen=True, slots=True)
class Link:
    """What a redirect needs of a campaign.

    Attributes:
        shop_url: the event's own ticket shop; "" = the setting `SHOP_URL`.
    """

    campaign_id: int
    organizer: str
    event: str
    code: str
    external_target: str
    shop_url: str


@dataclass(frozen=True, slots=True)
class Change:
    """A write to the campaign with this code: it was made, edited or deleted."""

    id: int
    code: str


_COLUMNS = [campaigns.c[field.name] for field in fields(Campaign)]


async def count(
    connection: AsyncConnection, event_id: int, *, search: str = "", code: str = ""
) -> int:
    """How many campaigns `list_` lists."""
    if not search and not code:
        return await tallies.read(connection, event_id, Kind.CAMPAIGN)
    query = select(func.count()).select_from(campaigns).where(*_among(event_id, search, code))
    return (await connection.execute(query)).scalar_one()


async def count_all(connection: AsyncConnection) -> int:
    """How many campaigns there are, whosever."""
    return (await connection.execute(select(func.count()).select_from(campaigns))).scalar_one()


async def list_(
    connection: AsyncConnection,
    event_id: int,
    window: Window,
    *,
    search: str = "",
    code: str = "",
    ordering: Sequence[str] = (),
) -> list[Campaign]:
    """The event's campaigns in the window.

    Args:
        search: only those that have it in their code, description or target.
        code: only the one with this code.
        ordering: columns to order by, `-` before one for descending: all but `external_target`.
            Empty = by id; else equal ones come newest first.
    """
    query = select(*_COLUMNS).where(*_among(event_id, search, code))
    identity = campaigns.c.id if ordering or search else None
    found = await rows(connection, query, _keys(ordering), window, identity=identity)
    return [Campaign(**row) for row in found]


def is_expensive(*, search: str = "", code: str = "", ordering: Sequence[str] = ()) -> bool:
    """Whether `list_` and `count` look at every campaign of the event."""
    return bool(search) or not (code or is_indexed(_keys(ordering), ["event_id"]))


def _keys(ordering: Sequence[str]) -> list[SortKey]:
    return sort_keys(campaigns, (*(ordering or ("id",)), "-id"), unique={"id", "code"})


def _among(event_id: int, search: str, code: str) -> list[ColumnElement[bool]]:
    conditions = [campaigns.c.event_id == event_id]
    if code:
        conditions.append(campaigns.c.code == code)
    if search:
        found = select(campaign_texts.c.campaign_id).where(
            campaign_texts.c.event_id == event_id, contains(campaign_texts.c.text, search)
        )
        conditions.append(campaigns.c.id.in_(found))
    return conditions


async def get(connection: AsyncConnection, event_id: int, id: int) -> Campaign | None:
    """The event's campaign with this id, or None."""
    query = select(*_COLUMNS).where(campaigns.c.event_id == event_id, campaigns.c.id == id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Campaign(**row) if row else None


async def create(
    connection: AsyncConnection,
    event_id: int,
    *,
    description: str,
    external_target: str = "",
    code: str | None = None,
) -> Campaign:
    """Makes a campaign.

    Args:
        code: None draws a random one, again until it is free.

    Raises:
        DuplicateCodeError: the code is taken, by whichever organizer.
    """
    while True:
        drawn = code or "".join(secrets.choice(_RANDOM_ALPHABET) for _ in range(_RANDOM_LENGTH))
        statement = (
            upsert(campaigns)
            .values(
                event_id=event_id,
                code=drawn,
                description=description,
                external_target=external_target,
                order_count=0,
                click_count=0,
            )
            .on_conflict_do_nothing(index_elements=[campaigns.c.code])
            .returning(*_COLUMNS)
        )
        row = (await connection.execute(statement)).mappings().one_or_none()
        if row is not None:
            made = Campaign(**row)
            await tallies.add(connection, event_id, Kind.CAMPAIGN, 1)
            await _note_text(connection, event_id, made)
            await _note_change(connection, drawn)
            await marks.note_write(connection, event_id)
            changelog.note(
                connection, f"made {_named(event_id, made)}, target {made.external_target!r}"
            )
            return made
        if code is not None:
            raise DuplicateCodeError(code)


async def change(
    connection: AsyncConnection, event_id: int, id: int, values: dict[str, Any]
) -> Campaign | None:
    """Changes the named columns of a campaign: `code`, `description`, `external_target`.

    Returns:
        The campaign as it is now, or None when the event has none with this id.

    Raises:
        DuplicateCodeError: the new code is taken.
    """
    before = await get(connection, event_id, id)
    if before is None or not values:
        return before
    code = values.get("code", before.code)
    if code != before.code:
        if await is_taken(connection, code):
            raise DuplicateCodeError(code)
        await _note_change(connection, code)
    statement = update(campaigns).where(campaigns.c.id == id).values(**values).returning(*_COLUMNS)
    after = Campaign(**(await connection.execute(statement)).mappings().one())
    await _note_text(connection, event_id, after)
    await _note_change(connection, before.code)
    await marks.note_write(connection, event_id)
    changelog.note(
        connection,
        f"changed {_named(event_id, before)}, target {before.external_target!r}: now "
        f"code {after.code!r}, target {after.external_target!r}",
    )
    return after


async def remove(connection: AsyncConnection, event_id: int, id: int) -> bool:
    """Deletes a campaign and all its data; False when the event has none with this id."""
    campaign = await get(connection, event_id, id)
    if campaign is None:
        return False
    await clicks.note_removal(connection, id)
    await connection.execute(delete(campaigns).where(campaigns.c.id == id))
    await tallies.add(connection, event_id, Kind.CAMPAIGN, -1)
    await _note_change(connection, campaign.code)
    await marks.note_write(connection, event_id)
    changelog.note(
        connection, f"deleted {_named(event_id, campaign)}, target {campaign.external_target!r}"
    )
    return True


def _named(event_id: int, campaign: Campaign) -> str:
    return f"campaign {campaign.id} of event {event_id}, code {campaign.code!r}"


async def is_taken(connection: AsyncConnection, code: str, *, but: int | None = None) -> bool:
    """Whether a campaign has this code, whosever, other than the one with the id `but`."""
    query = select(campaigns.c.id).where(campaigns.c.code == code)
    owner = (await connection.execute(query)).scalar_one_or_none()
    return owner is not None and owner != but


_LINKS = Lookup(
    select(
        campaigns.c.id,
        organizers.c.slug,
        events.c.slug,
        campaigns.c.code,
        campaigns.c.external_target,
        events.c.shop_url,
    )
    .join_from(campaigns, events)
    .join(organizers),
    campaigns.c.code,
)


async def find_links(database: Database, codes: Sequence[str]) -> list[Link]:
    """The links with these codes, whichever organizers'; a code that is unknown has none.

    Raises:
        DatabaseUnavailableError: SQL can't be used now.
    """
    if not codes:
        return []
    rows = await database.look_up(_LINKS, codes)
    # Who keeps many links has the names of organizers and events but once.
    return [
        Link(id, intern(organizer), intern(event), code, target, intern(shop))
        for id, organizer, event, code, target, shop in rows
    ]


async def note_changes(connection: AsyncConnection, codes: Select[tuple[str]]) -> None:
    """Tells every redirector, through the change feed, that these campaigns' links changed."""
    rows = codes.add_columns(literal(time.time()))
    await connection.execute(insert(campaign_changes).from_select(["code", "changed_at"], rows))


async def _note_text(connection: AsyncConnection, event_id: int, campaign: Campaign) -> None:
    text = searchable(campaign.code, campaign.description, campaign.external_target)
    await connection.execute(
        upsert(campaign_texts)
        .values(event_id=event_id, campaign_id=campaign.id, text=text)
        .on_conflict_do_update(
            index_elements=[campaign_texts.c.event_id, campaign_texts.c.campaign_id],
            set_={"text": text},
        )
    )


async def _note_change(connection: AsyncConnection, code: str) -> None:
    await connection.execute(insert(campaign_changes).values(code=code, changed_at=time.time()))


async def last_change(connection: AsyncConnection) -> int:
    """The id of the newest change; 0 when there was none yet."""
    newest = (await connection.execute(select(func.max(campaign_changes.c.id)))).scalar_one()
    return newest or 0


async def changes_after(connection: AsyncConnection, id: int, limit: int) -> Sequence[Change]:
    """The changes after this one, oldest first, `limit` at most.

    None is missed by who remembers the last id: SQLite's writers take turns, so that changes become
    visible in the order of their ids.
    """
    query = (
        select(campaign_changes.c.id, campaign_changes.c.code)
        .where(campaign_changes.c.id > id)
        .order_by(campaign_changes.c.id)
        .limit(limit)
    )
    return [Change(**row) for row in (await connection.execute(query)).mappings()]


async def forget_changes(connection: AsyncConnection, before: float) -> None:
    """Deletes the changes older than this time (seconds since the epoch)."""
    await connection.execute(delete(campaign_changes).where(campaign_changes.c.changed_at < before))
