"""The tables of the screens as CSV: whole, and with the numbers that the screens show."""

from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.door import campaign_page, event_page
from dashboard.access.visit import CampaignVisit, EventVisit
from dashboard.addresses import link_of
from dashboard.errors import PageError
from dashboard.exports import csv_response
from dashboard.figures import read_figures, read_ranges
from dashboard.links import Listing
from dashboard.ranges import span_of
from dashboard.state import database_of, settings_of
from tracking import orders
from tracking.organizers import Event
from tracking.statistics import by_campaign
from tracking.statistics.ranges import InvalidRangeError, Period
from tracking.statistics.reading import Scope
from tracking.window import Window

_ALL = Window(0, 2**31)


async def links_csv(request: Request, event: Event) -> Response:
    """Every link with what it had in the range, in the order that the address asks for.

    Raises:
        InvalidRangeError: the address asks for a range that can't be meant.
    """
    listing, settings = Listing.of(request.query_params), settings_of(request)
    async with database_of(request).read() as connection:
        ranges = await read_ranges(connection, event, span_of(request.query_params))
        found = await by_campaign.list_(
            connection,
            event.id,
            None if ranges.period is Period.ALL else ranges.now,
            _ALL,
            order=listing.order,
            descending=listing.descending,
            search=listing.search,
        )
    rows = (
        (
            each.campaign.description,
            link_of(event, each.campaign, settings),
            each.campaign.code,
            each.campaign.external_target,
            each.clicks,
            each.orders,
        )
        for each in found
    )
    header = ("name", "link", "code", "target", "clicks", "orders")
    days = (ranges.now.start, ranges.now.end)
    return csv_response(f"{event.organizer}-{event.slug}-links", header, rows, days)


async def clicks_csv(request: Request, event: Event, scope: Scope, name: str) -> Response:
    """Clicks and orders over time, as the chart cuts the range.

    Raises:
        InvalidRangeError: the address asks for a range that can't be meant.
    """
    async with database_of(request).read() as connection:
        ranges = await read_ranges(connection, event, span_of(request.query_params))
        figures = await read_figures(connection, scope, ranges)
    rows = ((each.interval.start.isoformat(), each.clicks, each.orders) for each in figures.counts)
    days = (ranges.now.start, ranges.now.end)
    return csv_response(f"{name}-clicks", ("start", "clicks", "orders"), rows, days)


async def _links(request: Request, visit: EventVisit) -> Response:
    try:
        return await links_csv(request, visit.event)
    except InvalidRangeError as error:
        raise PageError.wrong_range(visit, str(error)) from None


async def _event_clicks(request: Request, visit: EventVisit) -> Response:
    event = visit.event
    try:
        return await clicks_csv(request, event, Scope(event.id), f"{event.organizer}-{event.slug}")
    except InvalidRangeError as error:
        raise PageError.wrong_range(visit, str(error)) from None


async def _campaign_clicks(request: Request, visit: CampaignVisit) -> Response:
    scope = Scope(visit.event.id, only=(visit.campaign.id,))
    try:
        return await clicks_csv(request, visit.event, scope, visit.campaign.code)
    except InvalidRangeError as error:
        raise PageError.wrong_range(visit, str(error)) from None


async def _campaign_orders(request: Request, visit: CampaignVisit) -> Response:
    async with database_of(request).read() as connection:
        found = await orders.list_(connection, visit.campaign.id, _ALL)
    rows = ((each.code, each.datetime) for each in found)
    return csv_response(f"{visit.campaign.code}-orders", ("order", "datetime"), rows)


PAGES = (
    event_page("links.csv", _links),
    event_page("clicks.csv", _event_clicks),
    campaign_page("clicks.csv", _campaign_clicks),
    campaign_page("orders.csv", _campaign_orders),
)
