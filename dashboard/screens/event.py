"""An event: its clicks over time, and its links."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.door import event_page
from dashboard.access.visit import EventVisit
from dashboard.errors import PageError
from dashboard.figures import Figures, read_figures, read_ranges
from dashboard.links import LinkTable, read_table
from dashboard.ranges import RangeBar, address, range_bar, span_of
from dashboard.screens.campaign_form import shop_of_event
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaigns
from tracking.organizers import Event
from tracking.statistics.ranges import InvalidRangeError
from tracking.statistics.reading import Scope


@dataclass(frozen=True, slots=True)
class EventScreen:
    """What is shown of an event, whoever looks.

    Attributes:
        query: of the address, for the tables that are downloaded.
    """

    event: Event
    bar: RangeBar
    figures: Figures
    query: str
    table: LinkTable


async def read_screen(request: Request, event: Event) -> EventScreen:
    """Reads an event as the request's address asks for it.

    Raises:
        InvalidRangeError: it asks for a range that can't be meant.
    """
    query = request.query_params
    async with database_of(request).read() as connection:
        ranges = await read_ranges(connection, event, span_of(query))
        figures = await read_figures(connection, Scope(event.id), ranges)
        intervals = [each.interval for each in figures.counts]
        settings = settings_of(request)
        table = await read_table(connection, event, ranges, intervals, query, settings=settings)
    return EventScreen(event, range_bar(query, ranges), figures, address(query), table)


async def _show(request: Request, visit: EventVisit) -> Response:
    renderer, event = renderer_of(request), visit.event
    async with database_of(request).read() as connection:
        count = await campaigns.count(connection, event.id)
    if count == 0:
        shop = shop_of_event(event, settings_of(request))
        return renderer.page("first_link.html", visit=visit, shop=shop, target="", error="")
    try:
        screen = await read_screen(request, event)
    except InvalidRangeError as error:
        raise PageError.wrong_range(visit, str(error)) from None
    return renderer.page("event.html", visit=visit, screen=screen)


PAGES = (event_page("", _show),)
