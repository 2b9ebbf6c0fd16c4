"""Organizers and their events: the slugs in every path."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import ColumnElement, RowMapping, bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.campaigns import note_changes
from tracking.database import upsert
from tracking.errors import InvalidNameError
from tracking.languages import DEFAULT_LOCALE, MultiLingual
from tracking.search import contains, searchable
from tracking.tables import campaigns, events, organizers
from tracking.timestamps import InvalidTimestampError, format_timestamp, parse_timestamp
from tracking.urls import check_target, shop_of
from tracking.window import SortKey, Window, is_indexed, rows, sort_keys

# The first character keeps "." and ".." out, which clients resolve before they send a path.
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
RESERVED_SLUGS: Final = frozenset(
    {"sign-in", "sign-out", "account", "settings", "shared", "static", "healthz"}
)
"""Words that no new organizer gets for a slug: the dashboard's own addresses begin so. One that has
such a slug from before keeps it, since its links are printed."""

_CURRENCY = re.compile(r"[A-Za-z]{3}")
_DEFAULT_CURRENCY = "EUR"
_DEFAULT_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Organizer:
    """An organizer; without a name of its own, its slug is that."""

    id: int
    slug: str
    name: str

    def public_url(self, shop_url: str, origin: str) -> str:
        """Where its events are sold: the setting `SHOP_URL` up to where it names the event.

        Args:
            origin: what a path is completed with (`Settings.public_origin`).
        """
        page, names_event, _ = shop_url.partition("{event}")
        if names_event:
            page = page[: page.rfind("/") + 1]
        if page.endswith("://"):  # its host names the event
            page = "/{organizer}/"
        return _absolute(page.format(organizer=self.slug), origin)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of an organizer; without a name of its own, its slug is that.

    Attributes:
        currency: three capital letters (ISO 4217).
        timezone: an IANA name.
        created_at: when it was made here, in seconds since the epoch.
        date_from: likewise, when it starts; `created_at` while that is not known.
        date_to: likewise, when it ends; None = not known.
    """

    id: int
    organizer_id: int
    organizer: str
    slug: str
    shop_url: str
    name: MultiLingual
    currency: str
    timezone: str
    created_at: float
    date_from: float
    date_to: float | None

    @property
    def display_name(self) -> str:
        """Its name in English, or in whatever language it has one."""
        names = [self.name.get(DEFAULT_LOCALE), *self.name.values(), self.slug]
        return next(name for name in names if name)

    def public_url(self, shop_url: str, origin: str) -> str:
        """Where its tickets are sold: its own shop, or the setting `SHOP_URL` filled in.

        Args:
            origin: what a path is completed with (`Settings.public_origin`).
        """
        return _absolute(shop_of(self.shop_url, shop_url, self.organizer, self.slug), origin)


@dataclass(frozen=True, slots=True)
class EventDetails:
    """What an operator says about an event: None leaves it as it is, "" takes it back.

    Attributes:
        currency: three letters; "" = EUR.
        timezone: an IANA name; "" = UTC.
        date_from: ISO 8601, in the event's time zone unless it names another; "" = when it was
            made.
        date_to: likewise; "" = not known.
    """

    currency: str | None = None
    timezone: str | None = None
    date_from: str | None = None
    date_to: str | None = None


_NO_DETAILS = EventDetails()


_EVENTS = select(
    events.c.id,
    events.c.organizer_id,
    organizers.c.slug.label("organizer"),
    events.c.slug,
    events.c.shop_url,
    events.c.name,
    events.c.currency,
    events.c.timezone,
    events.c.created_at,
    events.c.date_from,
    events.c.date_to,
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
    connection: AsyncConnection,
    organizer_id: int,
    *,
    slugs: Sequence[str] | None = None,
    search: str = "",
) -> int:
    """How many events `list_events` lists."""
    query = select(func.count()).select_from(events).where(*_among(organizer_id, slugs, search))
    return (await connection.execute(query)).scalar_one()


async def list_events(
    connection: AsyncConnection,
    organizer_id: int,
    window: Window,
    *,
    slugs: Sequence[str] | None = None,
    search: str = "",
    ordering: Sequence[str] = (),
) -> list[Event]:
    """The organizer's events in the window.

    Args:
        slugs: only these; None lists all of them.
        search: only those that have it in their name or slug.
        ordering: columns to order by, `-` before one for descending: `slug` and `date_from`. What
            is equal so far, or all, is ordered by slug.
    """
    query = _EVENTS.where(*_among(organizer_id, slugs, search))
    found = await rows(connection, query, _keys(ordering), window)
    return [_event(row) for row in found]


def lists_expensively(*, search: str = "", ordering: Sequence[str] = ()) -> bool:
    """Whether `list_events` looks at every event of the organizer."""
    return bool(search) or not is_indexed(_keys(ordering), ["organizer_id"])


def _keys(ordering: Sequence[str]) -> list[SortKey]:
    return sort_keys(events, (*ordering, "slug"), unique={"slug"})


def _among(
    organizer_id: int, slugs: Sequence[str] | None, search: str
) -> list[ColumnElement[bool]]:
    conditions = [events.c.organizer_id == organizer_id]
    if slugs is not None:
        conditions.append(events.c.slug.in_(slugs))
    if search:
        conditions.append(contains(events.c.search_text, search))
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
    details: EventDetails = _NO_DETAILS,
) -> Event:
    """Makes the organizer and the event where they are missing.

    Args:
        shop_url: the event's ticket shop; None leaves it as it is, "" goes back to `SHOP_URL`.
        name: the event's, in English; None leaves it as it is, "" goes back to its slug.
        organizer_name: the organizer's; likewise.

    Raises:
        InvalidNameError: a slug, the currency or the time zone has not the form it needs.
        InvalidTimestampError: a date is none, or the event would end before it starts.
        InvalidUrlError: visitors can't be sent to the shop's URL.
    """
    for word in (organizer, slug):
        check_slug(word)
    if shop_url:
        check_target(shop_url)
    _check_details(details)
    if organizer in RESERVED_SLUGS and await find_organizer(connection, organizer) is None:
        raise InvalidNameError(f"{organizer!r} can't be an organizer: the dashboard needs the word")
    await connection.execute(upsert(organizers).values(slug=organizer).on_conflict_do_nothing())
    found = await find_event(connection, organizer, slug)
    if found is None:
        found = await _create(connection, organizer, slug, shop_url or "")
    elif shop_url is not None and shop_url != found.shop_url:
        await _move_shop(connection, found, shop_url)
    values = {**_name_columns(slug, name), **_detail_columns(found, details)}
    if values:
        await connection.execute(update(events).where(events.c.id == found.id).values(values))
    if organizer_name is not None:
        statement = update(organizers).where(organizers.c.slug == organizer)
        await connection.execute(statement.values(name=organizer_name or None))
    event = await find_event(connection, organizer, slug)
    assert event is not None
    return event


def check_slug(word: str) -> None:
    """Checks the form of a slug.

    Raises:
        InvalidNameError: it has another.
    """
    if not _SLUG.fullmatch(word):
        raise InvalidNameError(
            f"{word!r} is no slug: 1 to 50 letters, digits, dots, dashes and underscores, "
            "a letter or digit first"
        )


def check_timezone(name: str) -> None:
    """Checks that there is such a time zone.

    Raises:
        InvalidNameError: there is none.
    """
    if name not in available_timezones():
        raise InvalidNameError(f"{name!r} is no time zone, like Europe/Berlin")


def _check_details(details: EventDetails) -> None:
    if details.currency and not _CURRENCY.fullmatch(details.currency):
        raise InvalidNameError(f"{details.currency!r} is no currency: three letters, like EUR")
    if details.timezone:
        check_timezone(details.timezone)
    for date in filter(None, (details.date_from, details.date_to)):
        parse_timestamp(date, UTC)


async def _create(connection: AsyncConnection, organizer: str, slug: str, shop_url: str) -> Event:
    now = time.time()
    organizer_id = await find_organizer(connection, organizer)
    row = {"slug": slug, "search_text": searchable(slug), "created_at": now, "date_from": now}
    await connection.execute(
        insert(events).values(organizer_id=organizer_id, shop_url=shop_url, **row)
    )
    made = await find_event(connection, organizer, slug)
    assert made is not None
    return made


def _name_columns(slug: str, name: str | None) -> dict[str, Any]:
    """The columns that change with an event's name."""
    if name is None:
        return {}
    texts = {DEFAULT_LOCALE: name} if name else {}
    return {"name": texts or None, "search_text": searchable(slug, *texts.values())}


def _detail_columns(event: Event, details: EventDetails) -> dict[str, Any]:
    """The columns that change with what is said about an event.

    Raises:
        InvalidTimestampError: it would end before it starts.
    """
    values: dict[str, Any] = {}
    if details.currency is not None:
        values["currency"] = details.currency.upper() or _DEFAULT_CURRENCY
    if details.timezone is not None:
        values["timezone"] = details.timezone or _DEFAULT_ZONE
    zone = _zone(values.get("timezone", event.timezone))
    if details.date_from is not None:
        start = parse_timestamp(details.date_from, zone) if details.date_from else event.created_at
        values["date_from"] = start
    if details.date_to is not None:
        values["date_to"] = parse_timestamp(details.date_to, zone) if details.date_to else None
    start, end = (values.get(name, getattr(event, name)) for name in ("date_from", "date_to"))
    if values and end is not None and end < start:
        raise InvalidTimestampError(
            f"the event would end {format_timestamp(end)}, and start {format_timestamp(start)}"
        )
    return values


def _zone(name: str) -> tzinfo:
    return UTC if name == _DEFAULT_ZONE else ZoneInfo(name)


def _absolute(url: str, origin: str) -> str:
    return f"{origin}{url}" if url.startswith("/") else url


async def _move_shop(connection: AsyncConnection, event: Event, shop_url: str) -> None:
    await connection.execute(
        update(events).where(events.c.id == event.id).values(shop_url=shop_url)
    )
    codes = select(campaigns.c.code).where(
        campaigns.c.event_id == event.id, campaigns.c.external_target == literal("")
    )
    await note_changes(connection, codes)
