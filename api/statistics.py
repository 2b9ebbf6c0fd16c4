"""Statistics over HTTP: what a range had in all, interval by interval, and by campaign."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import Access, Authorized
from api.campaigns import CAMPAIGNS
from api.errors import ApiError
from api.lists import answer_list
from api.negotiation import JSON, accepts, answers
from api.numbers import whole_number
from api.pagination import Page
from api.parameters import Parameter
from api.paths import Operation, Paths
from api.resource import EVENT, read_id
from api.state import database_of, expensive_reads_of
from api.statistics_schema import (
    COMPARE,
    FORMAT,
    INTERVAL,
    LARGEST_PAGE,
    PAGE_SIZES,
    RANGE_PARAMETERS,
    IntervalRead,
    StatisticsRead,
    ValuePage,
)
from tracking import campaigns, marks
from tracking.clicks import Audience
from tracking.csv_text import csv_text
from tracking.database import Transaction
from tracking.organizers import Event
from tracking.statistics import by_campaign, reading
from tracking.statistics.ranges import (
    Intervals,
    InvalidRangeError,
    Period,
    Range,
    Ranges,
    Span,
    read_length,
    resolve,
)
from tracking.statistics.reading import Count, Scope, Totals
from tracking.window import Window

CSV = "text/csv"

_UNKNOWN = "(none)"
# What is known of a click beside its campaign: nothing, yet.
_DIMENSIONS = ("channel", "source", "host", "device", "browser", "system", "country", "language")
_SPAN = ("period", "start", "end", "compare")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Attributes:
        now: in the event's time zone.
        by_profile: whether a filter is by what is known of a click beside its campaign, which
            orders have not: theirs are not told then.
    """

    scope: Scope
    ranges: Ranges
    audience: Audience
    now: datetime
    by_profile: bool


@dataclass(frozen=True, slots=True)
class IntervalItem:
    """An interval as clients read it.

    Attributes:
        visitors: not known.
        orders: None under a filter that orders don't know.
    """

    start: str
    clicks: int
    orders: int | None
    visitors: int | None = None


@dataclass(frozen=True, slots=True)
class ValueItem:
    """A value of a dimension as clients read it."""

    value: str
    name: str
    clicks: int


async def event_summary(request: Request, access: Authorized) -> Response:
    """What an event had in all."""
    return await _answer_summary(request, access, None)


async def campaign_summary(request: Request, access: Authorized, id: str) -> Response:
    """What a campaign had in all."""
    return await _answer_summary(request, access, id)


@answers(CSV)
async def event_clicks(request: Request, access: Authorized) -> Response:
    """An event's clicks and orders, interval by interval."""
    return await _answer_clicks(request, access, None)


@answers(CSV)
async def campaign_clicks(request: Request, access: Authorized, id: str) -> Response:
    """A campaign's clicks and orders, interval by interval."""
    return await _answer_clicks(request, access, id)


@answers(CSV)
async def event_campaigns(request: Request, access: Authorized) -> Response:
    """An event's clicks by campaign, most first."""
    return await _answer_campaigns(request, access, None)


@answers(CSV)
async def campaign_campaigns(request: Request, access: Authorized, id: str) -> Response:
    """The same of one campaign."""
    return await _answer_campaigns(request, access, id)


async def _answer_summary(request: Request, access: Access, id: str | None) -> Response:
    async with _reading(request, access) as transaction:
        asked = await _asked(transaction, request, access, id)
        totals = await reading.totals(transaction, asked.scope, _bounds(asked.ranges))
        before = asked.ranges.before
        compared = None
        if before is not None:
            earlier = await reading.totals(transaction, asked.scope, before)
            compared = {
                **_days(before),
                "clicks": earlier.of(asked.audience),
                "visitors": None,
                "orders": None if asked.by_profile else earlier.orders,
            }
        until = await reading.counted_until(transaction)
    return JSONResponse(_summary(access.event, asked, totals, until) | {"comparison": compared})


def _summary(event: Event, asked: Asked, totals: Totals, until: float | None) -> dict[str, object]:
    zone = ZoneInfo(event.timezone)
    return {
        **_days(asked.ranges.now),
        "timezone": event.timezone,
        "until": None if until is None else datetime.fromtimestamp(int(until), zone).isoformat(),
        "clicks": totals.of(asked.audience),
        "visitors": None,
        "orders": None if asked.by_profile else totals.orders,
        "bots": totals.bots,
        "prefetches": totals.prefetches,
        "embedded": totals.embedded,
    }


async def _answer_clicks(request: Request, access: Access, id: str | None) -> Response:
    async with database_of(request).read() as transaction:
        asked = await _asked(transaction, request, access, id)
    try:
        length = read_length(request.query_params.get("interval", ""), asked.ranges.now)
    except InvalidRangeError as error:
        raise ApiError.invalid({error.parameter: [str(error)]}) from None
    parts = Intervals(asked.ranges.now, length, asked.now)

    async def list_(transaction: Transaction, window: Window) -> Sequence[IntervalItem]:
        intervals = parts.window(window.offset, window.limit)
        counted = await reading.over_time(transaction, asked.scope, intervals, asked.audience)
        return [_interval(each, asked) for each in counted]

    async def count(_: Transaction) -> int:
        return len(parts)

    async def modified(transaction: Transaction) -> int | None:
        newest = parts.window(len(parts) - 1, 1) if len(parts) else []
        return await _mark(transaction, access, *(each.start for each in newest))

    if _wants_csv(request):
        async with _reading(request, access) as transaction:
            items = await list_(transaction, Window(0, len(parts)))
        header = ("start", "clicks", "orders", "visitors")
        return _csv(header, [(i.start, i.clicks, i.orders, i.visitors) for i in items])
    return await answer_list(
        request,
        access.token,
        count=count,
        list_=list_,
        modified=modified,
        largest=LARGEST_PAGE,
        expensive=not asked.scope.is_whole,
    )


async def _answer_campaigns(request: Request, access: Access, id: str | None) -> Response:
    async with database_of(request).read() as transaction:
        asked = await _asked(transaction, request, access, id)
    bounds = _bounds(asked.ranges)

    async def list_(transaction: Transaction, window: Window) -> Sequence[ValueItem]:
        found = await by_campaign.clicks_of(
            transaction, asked.scope, bounds, window, asked.audience
        )
        return [ValueItem(str(id), name, clicks) for id, name, clicks in found]

    async def count(transaction: Transaction) -> int:
        return await by_campaign.count_of(transaction, asked.scope, bounds, asked.audience)

    async def total(transaction: Transaction) -> Mapping[str, object]:
        totals = await reading.totals(transaction, asked.scope, bounds)
        return {"total": totals.of(asked.audience)}

    if _wants_csv(request):
        async with _reading(request, access) as transaction:
            items = await list_(transaction, Window(0, 2**31))
        return _csv(("value", "name", "clicks"), [(i.value, i.name, i.clicks) for i in items])
    return await answer_list(
        request,
        access.token,
        count=count,
        list_=list_,
        modified=lambda transaction: _mark(transaction, access, asked.ranges.now.whole.start),
        largest=LARGEST_PAGE,
        more=total,
        expensive=True,
    )


def _reading(request: Request, access: Access) -> AbstractAsyncContextManager[Transaction]:
    """A turn among what costs much to read."""
    return expensive_reads_of(request).read(access.token.organizer_id)


async def _asked(
    transaction: Transaction, request: Request, access: Access, id: str | None
) -> Asked:
    """Reads the query.

    Raises:
        ApiError: 400, a value can't be meant; 403, the event has no such campaign.
    """
    event, query = access.event, request.query_params
    only = None
    if id is not None:
        if await campaigns.get(transaction, event.id, read_id(id)) is None:
            raise CAMPAIGNS.missing()
        only = read_id(id)
    zone = ZoneInfo(event.timezone)
    now = datetime.now(zone)
    first = await reading.first_click(transaction, event)
    span = Span(**{name: query.get(name, "") for name in _SPAN})
    try:
        audience = Audience(query.get("audience") or Audience.HUMAN)
    except ValueError:
        message = f"One of {', '.join(Audience)} is required."
        raise ApiError.invalid({"audience": [message]}) from None
    try:
        ranges = resolve(span, now.date(), first.date() if first else now.date(), zone)
    except InvalidRangeError as error:
        raise ApiError.invalid({error.parameter: [str(error)]}) from None
    by_profile = any(query.get(name) for name in _DIMENSIONS)
    return Asked(_scope(event, query, only), ranges, audience, now, by_profile)


def _scope(event: Event, query: QueryParams, only: int | None) -> Scope:
    """Whose clicks: values that name no campaign match none."""
    named = [each.strip() for each in query.get("campaign", "").split(",") if each.strip()]
    wanted = [_campaign_id(each) for each in named if not each.startswith("-")]
    without = tuple(_campaign_id(each[1:]) for each in named if each.startswith("-"))
    if any(_leaves_unknown_out(query.get(name, "")) for name in _DIMENSIONS):
        return Scope(event.id, ())
    if only is None:
        return Scope(event.id, tuple(wanted) if wanted else None, without)
    matching = not wanted or only in wanted
    return Scope(event.id, (only,) if matching else (), without)


def _leaves_unknown_out(text: str) -> bool:
    """Whether a filter by a dimension leaves out what is unknown, as every click's value is now."""
    values = [each.strip() for each in text.split(",") if each.strip()]
    wanted = [each for each in values if not each.startswith("-")]
    return f"-{_UNKNOWN}" in values or (wanted != [] and _UNKNOWN not in wanted)


def _campaign_id(text: str) -> int:
    """The id that a filter names; one that no campaign has where it is no number."""
    number = whole_number(text) if text.isdigit() else None
    return number if number is not None and 0 < number < 2**63 else 0


def _bounds(ranges: Ranges) -> Range | None:
    """The range; None for `all`, which is whatever was ever counted."""
    return None if ranges.period is Period.ALL else ranges.now


def _days(range: Range) -> dict[str, object]:
    return {"start": range.start.isoformat(), "end": range.end.isoformat()}


def _interval(count: Count, asked: Asked) -> IntervalItem:
    orders = None if asked.by_profile else count.orders
    return IntervalItem(count.interval.start.isoformat(), count.clicks, orders)


async def _mark(transaction: Transaction, access: Access, *began: datetime) -> int | None:
    """When the list changed: with what was counted, and with the interval or day that began."""
    mark = await marks.of_statistics(transaction, access.event.id)
    times = [int(each.timestamp()) for each in began]
    return max([*times, *([] if mark is None else [mark])], default=None)


def _wants_csv(request: Request) -> bool:
    chosen = request.query_params.get("format")
    if chosen is not None:
        return chosen == "csv"
    return not accepts(request.headers, JSON) and accepts(request.headers, CSV)


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Response:
    return Response(csv_text(header, rows), media_type=f"{CSV}; charset=utf-8")


def mount_statistics(paths: Paths) -> None:
    """Gives statistics their paths, below an event and below a campaign."""
    campaign = f"{EVENT}/{CAMPAIGNS.name}/{{id}}"
    below = (
        (EVENT, "", "Event", event_summary, event_clicks, event_campaigns),
        (campaign, "campaign_", "Campaign", campaign_summary, campaign_clicks, campaign_campaigns),
    )
    for path, prefix, title, in_all, over_time, by_value in below:
        paths.add(
            f"{path}/statistics/",
            f"{title} Statistics",
            GET=Operation(
                f"retrieve_{prefix}statistics",
                in_all,
                reads=StatisticsRead,
                parameters=(*RANGE_PARAMETERS, COMPARE),
                checks_query=True,
            ),
        )
        paths.add(
            f"{path}/statistics/clicks/",
            f"{title} Clicks List",
            GET=_list_operation(f"list_{prefix}clicks", over_time, Page[IntervalRead], (INTERVAL,)),
        )
        paths.add(
            f"{path}/statistics/campaigns/",
            f"{title} Campaigns List",
            GET=_list_operation(f"list_{prefix}shares", by_value, ValuePage, ()),
        )


def _list_operation(
    id: str,
    endpoint: Callable[..., Awaitable[Response]],
    page: type[BaseModel],
    more: tuple[Parameter, ...],
) -> Operation:
    return Operation(
        id,
        endpoint,
        reads=page,
        parameters=(PAGE_SIZES, *RANGE_PARAMETERS, *more, FORMAT),
        media_types=(CSV,),
        checks_query=True,
    )
