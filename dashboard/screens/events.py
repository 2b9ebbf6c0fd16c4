"""The events that one may see, and making one."""

from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.door import user_page
from dashboard.access.visit import Visit
from dashboard.addresses import event_address
from dashboard.charts.sparkline import sparkline
from dashboard.figures import read_ranges
from dashboard.state import database_of, renderer_of
from tracking import organizers
from tracking.access.users import Membership
from tracking.database import Transaction
from tracking.organizers import Event
from tracking.statistics import by_campaign
from tracking.statistics.ranges import Intervals, Length, Span
from tracking.window import Window

_MOST = 500
_MAX_SEARCH = 255


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, and its clicks of the last 28 days."""

    event: Event
    clicks: int
    sparkline: Markup


@dataclass(frozen=True, slots=True)
class OrganizerEvents:
    """An organizer's events, and what one may do there."""

    organizer: Membership
    rows: list[EventRow]


async def _show(request: Request, visit: Visit) -> Response:
    search = request.query_params.get("q", "").replace("\0", "").strip()[:_MAX_SEARCH]
    async with database_of(request).read() as connection:
        groups = [
            OrganizerEvents(each, await _rows(connection, each, search))
            for each in visit.memberships
        ]
    rows = [row for group in groups for row in group.rows]
    if len(rows) == 1 and not request.query_params:
        return RedirectResponse(event_address(rows[0].event), 303)
    return renderer_of(request).page("events.html", visit=visit, groups=groups, search=search)


async def _rows(connection: Transaction, organizer: Membership, search: str) -> list[EventRow]:
    found = await organizers.list_events(
        connection,
        organizer.organizer_id,
        Window(0, _MOST),
        search=search,
        ordering=("-date_from",),
    )
    by_zone: dict[str, list[Event]] = {}
    for event in found:
        by_zone.setdefault(event.timezone, []).append(event)
    series: dict[int, list[int]] = {}
    for events in by_zone.values():
        # Days are those of the zone: one query for all events that have the same.
        ranges = await read_ranges(connection, events[0], Span())
        until = ranges.now.whole.end
        intervals = Intervals(ranges.now, Length.DAY, until).window(0, ranges.now.days)
        ids = [event.id for event in events]
        series |= await by_campaign.events_over_time(connection, ids, intervals)
    return [EventRow(event, sum(series[event.id]), sparkline(series[event.id])) for event in found]


PAGES = (user_page("/", _show),)
