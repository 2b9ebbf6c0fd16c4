"""Organizers and their events: the slugs in every path."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.campaigns import note_changes
from tracking.database import upsert
from tracking.errors import InvalidNameError
from tracking.languages import DEFAULT_LOCALE, MultiLingual
from tracking.tables import campaigns, events, organizers
from tracking.urls import check_target, shop_of
from tracking.window import SortKey, Window, rows

# The first character keeps "." and ".." out, which clients resolve before they send a path.
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")


@dataclass(frozen=True, slots=True)
class Organizer:
    """An organizer; without a name of its own, its slug is that."""

    id: int
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event of an organizer; without a name of its own, its slug is that."""

    id: int
    organizer_id: int
    organizer: str
    slug: str
    shop_url: str
    name: MultiLingual

    def public_url(self, shop_url: str) -> str:
        """Where its tickets are sold: its own shop, or the setting `SHOP_URL` filled in."""
        return shop_of(self.shop_url, shop_url, self.organizer, self.slug)


_EVENTS = select(
    events.c.id,
    events.c.organizer_id,
    organizers.c.slug.label("organizer"),
    events.c.slug,
    events.c.shop_url,
    events.c.name,
).join_from(events, organizers)
# Every request of the API asks this: to put it together anew takes longer than to run it.
_BY_SLUGS = _EVENTS.where(
    organizers.c.slug == bindparam("organizer_slug"), events.c.slug == bindparam("event_slug")
)


async def find_event(connection: AsyncConnection, organizer: str, slug: str) -> Event | None:
    """The event with these slugs, or None."""
    slugs = {"organizer_slug": organizer, "event_slug": slug}
    row = (await connection.execute(_BY_SLUGS, slugs)).mappings().one_or_none()
    return _event(row) if row else None


async def count_events(
    connection: AsyncConnection, organizer_id: int, slugs: Sequence[str] | None = None
) -> int:
    """How many of these events the organizer has; None counts all of them."""
    query = select(func.count()).select_from(events).where(*_among(organizer_id, slugs))
    return (await connection.execute(query)).scalar_one()


async def list_events(
    connection: AsyncConnection,
    organizer_id: int,
    window: Window,
    slugs: Sequence[str] | None = None,
) -> list[Event]:
    """The organizer's events in the window, ordered by slug.

    Args:
        slugs: only these; None lists all of them.
    """
    query = _EVENTS.where(*_among(organizer_id, slugs))
    found = await rows(connection, query, [SortKey(events.c.slug)], window)
    return [_event(row) for row in found]


def _among(organizer_id: int, slugs: Sequence[str] | None) -> list[ColumnElement[bool]]:
    conditions = [events.c.organizer_id == organizer_id]
    if slugs is not None:
        conditions.append(events.c.slug.in_(slugs))
    return conditions


def _event(row: RowMapping) -> Event:
    return Event(**{**row, "name": row["name"] or {DEFAULT_LOCALE: row["slug"]}})


async def get_organizer(connection: AsyncConnection, id: int) -> Organizer:
    """The organizer with this id, which there must be."""
    query = select(organizers.c.id, organizers.c.slug, organizers.c.name)
    row = (await connection.execute(query.where(organizers.c.id == id))).mappings().one()
    return Organizer(**{**row, "name": row["name"] or row["slug"]})


async def find_organizer(connection: AsyncConnection, slug: str) -> int | None:
    """The id of the organizer with this slug, or None."""
    query = select(organizers.c.id).where(organizers.c.slug == slug)
    return (await connection.execute(query)).scalar_one_or_none()


async def any_organizer(connection: AsyncConnection) -> bool:
    """Whether there is one at all."""
    return (await connection.execute(select(organizers.c.id).limit(1))).first() is not None


async def ensure_event(
    connection: AsyncConnection,
    organizer: str,
    slug: str,
    shop_url: str | None = None,
    *,
    name: str | None = None,
    organizer_name: str | None = None,
) -> Event:
    """Makes the organizer and the event where they are missing.

    Args:
        shop_url: the event's ticket shop; None leaves it as it is, "" goes back to `SHOP_URL`.
        name: the event's, in English; None leaves it as it is, "" goes back to its slug.
        organizer_name: the organizer's; likewise.

    Raises:
        InvalidNameError: a slug has not the form it needs.
        InvalidUrlError: visitors can't be sent to the shop's URL.
    """
    for word in (organizer, slug):
        if not _SLUG.fullmatch(word):
            raise InvalidNameError(
                f"{word!r} is no slug: 1 to 50 letters, digits, dots, dashes and underscores, "
                "a letter or digit first"
            )
    if shop_url:
        check_target(shop_url)
    await connection.execute(upsert(organizers).values(slug=organizer).on_conflict_do_nothing())
    found = await find_event(connection, organizer, slug)
    if found is None:
        organizer_id = await find_organizer(connection, organizer)
        await connection.execute(
            insert(events).values(organizer_id=organizer_id, slug=slug, shop_url=shop_url or "")
        )
    elif shop_url is not None and shop_url != found.shop_url:
        await _move_shop(connection, found, shop_url)
    if name is not None:
        await _name_event(connection, organizer, slug, name)
    if organizer_name is not None:
        statement = update(organizers).where(organizers.c.slug == organizer)
        await connection.execute(statement.values(name=organizer_name or None))
    event = await find_event(connection, organizer, slug)
    assert event is not None
    return event


async def _name_event(connection: AsyncConnection, organizer: str, slug: str, name: str) -> None:
    of_organizer = select(organizers.c.id).where(organizers.c.slug == organizer).scalar_subquery()
    statement = update(events).where(events.c.organizer_id == of_organizer, events.c.slug == slug)
    await connection.execute(statement.values(name={DEFAULT_LOCALE: name} if name else None))


async def _move_shop(connection: AsyncConnection, event: Event, shop_url: str) -> None:
    await connection.execute(
        update(events).where(events.c.id == event.id).values(shop_url=shop_url)
    )
    codes = select(campaigns.c.code).where(
        campaigns.c.event_id == event.id, campaigns.c.external_target == literal("")
    )
    await note_changes(connection, codes)
