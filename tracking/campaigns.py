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
from tracking.database import Database, Lookup, insert_many, upsert
from tracking.errors import DuplicateCodeError
from tracking.links import Link
from tracking.search import contains, searchable
from tracking.tables import campaign_changes, campaign_texts, campaigns, events, organizers
from tracking.tallies import Kind
from tracking.window import SortKey, Window, is_indexed, rows, sort_keys

# The contract, "Campaigns": what a client gets when it chooses no code.
_RANDOM_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 9
_CODES_AT_ONCE = 500


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
class NewCampaign:
    """A campaign to be made.

    Attributes:
        code: None = one is drawn.
    """

    description: str
    external_target: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A write to the campaign with this code: it was made, edited or deleted."""

    id: int
    code: str


CAMPAIGN_COLUMNS = [campaigns.c[field.name] for field in fields(Campaign)]


async def count(
    connection: AsyncConnection, event_id: int, *, search: str = "", code: str = ""
) -> int:
    """How many campaigns `list_` lists."""
    if not search and not code:
        return await tallies.read(connection, event_id, Kind.CAMPAIGN)
    query = select(func.count()).select_from(campaigns).where(*matching(event_id, search, code))
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
    query = select(*CAMPAIGN_COLUMNS).where(*matching(event_id, search, code))
    identity = campaigns.c.id if ordering or search else None
    found = await rows(connection, query, _keys(ordering), window, identity=identity)
    return [Campaign(**row) for row in found]


def is_expensive(*, search: str = "", code: str = "", ordering: Sequence[str] = ()) -> bool:
    """Whether `list_` and `count` look at every campaign of the event."""
    return bool(search) or not (code or is_indexed(_keys(ordering), ["event_id"]))


def _keys(ordering: Sequence[str]) -> list[SortKey]:
    return sort_keys(campaigns, (*(ordering or ("id",)), "-id"), unique={"id", "code"})


def matching(event_id: int, search: str = "", code: str = "") -> list[ColumnElement[bool]]:
    """What the event's campaigns have in common that are searched for, as `list_` says."""
    conditions = [campaigns.c.event_id == event_id]
    if code:
        conditions.append(campaigns.c.code == code)
    if search:
        found = select(campaign_texts.c.campaign_id).where(
            campaign_texts.c.event_id == event_id, contains(campaign_texts.c.text, search)
        )
        conditions.append(campaigns.c.id.in_(found))
    return conditions


async def between(
    connection: AsyncConnection, event_id: int, first: int, last: int
) -> list[Campaign]:
    """The event's campaigns with these ids and those between, by id."""
    query = (
        select(*CAMPAIGN_COLUMNS)
        .where(campaigns.c.event_id == event_id, campaigns.c.id.between(first, last))
        .order_by(campaigns.c.id)
    )
    return [Campaign(**row) for row in (await connection.execute(query)).mappings()]


async def get(connection: AsyncConnection, event_id: int, id: int) -> Campaign | None:
    """The event's campaign with this id, or None."""
    query = select(*CAMPAIGN_COLUMNS).where(campaigns.c.event_id == event_id, campaigns.c.id == id)
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
        drawn = code or draw_code()
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
            .returning(*CAMPAIGN_COLUMNS)
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


async def create_many(
    connection: AsyncConnection, event_id: int, made: Sequence[NewCampaign]
) -> tuple[int, int]:
    """Makes campaigns, one at least; ten thousand take a second.

    Returns:
        The ids of the first and the last: those between are theirs, in their order.

    Raises:
        DuplicateCodeError: a code is taken, or comes twice; none is made.
    """
    codes = await _codes_for(connection, made)
    newest = select(func.coalesce(func.max(campaigns.c.id), 0))
    before = (await connection.execute(newest)).scalar_one()
    await insert_many(
        connection,
        campaigns,
        [
            (None, event_id, code, each.description, each.external_target, 0, 0)
            for code, each in zip(codes, made, strict=True)
        ],
    )
    query = select(campaigns.c.id).where(campaigns.c.id > before, campaigns.c.event_id == event_id)
    ids = (await connection.execute(query.order_by(campaigns.c.id))).scalars().all()
    texts = [
        (event_id, id, searchable(code, each.description, each.external_target))
        for id, code, each in zip(ids, codes, made, strict=True)
    ]
    await insert_many(connection, campaign_texts, texts)
    await insert_many(connection, campaign_changes, [(None, code, time.time()) for code in codes])
    await tallies.add(connection, event_id, Kind.CAMPAIGN, len(made))
    await marks.note_write(connection, event_id)
    changelog.note(
        connection, f"made {len(made)} campaigns of event {event_id}, {ids[0]} to {ids[-1]}"
    )
    return ids[0], ids[-1]


async def _codes_for(connection: AsyncConnection, made: Sequence[NewCampaign]) -> list[str]:
    """The code of each: its own, or one that is drawn."""
    chosen = [each.code for each in made if each.code is not None]
    taken = await taken_codes(connection, chosen)
    if taken:
        raise DuplicateCodeError(min(taken))
    if len(set(chosen)) < len(chosen):
        raise DuplicateCodeError(next(code for code in chosen if chosen.count(code) > 1))
    free = await _free_codes(connection, len(made) - len(chosen), set(chosen))
    return [free.pop() if each.code is None else each.code for each in made]


async def _free_codes(connection: AsyncConnection, number: int, used: set[str]) -> list[str]:
    """So many random codes that nobody has, and that are not among these."""
    free: set[str] = set()
    while len(free) < number:
        drawn = {draw_code() for _ in range(number - len(free))} - used
        free |= drawn - await taken_codes(connection, list(drawn))
    return list(free)


async def taken_codes(connection: AsyncConnection, codes: Sequence[str]) -> set[str]:
    """Those of these codes that campaigns have, whosever."""
    taken: set[str] = set()
    for offset in range(0, len(codes), _CODES_AT_ONCE):
        part = codes[offset : offset + _CODES_AT_ONCE]
        query = select(campaigns.c.code).where(campaigns.c.code.in_(part))
        taken.update((await connection.execute(query)).scalars())
    return taken


def draw_code() -> str:
    """A random code, as who chooses none gets it."""
    return "".join(secrets.choice(_RANDOM_ALPHABET) for _ in range(_RANDOM_LENGTH))


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
    statement = update(campaigns).where(campaigns.c.id == id).values(**values)
    changed = await connection.execute(statement.returning(*CAMPAIGN_COLUMNS))
    after = Campaign(**changed.mappings().one())
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
