"""A campaign: its link, where it leads, and what it brought."""

from dataclasses import dataclass
from urllib.parse import urljoin

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard import dates
from dashboard.access.door import campaign_page
from dashboard.access.visit import CampaignVisit
from dashboard.addresses import event_address, link_of
from dashboard.charts.heat_map import HeatMap
from dashboard.errors import PageError
from dashboard.figures import Figures, read_figures, read_ranges, zone_of
from dashboard.forms import Form
from dashboard.ranges import RangeBar, address, range_bar, span_of
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaigns, orders, qr_codes
from tracking.access.users import Role
from tracking.campaigns import Campaign
from tracking.links import Link, target_of
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.statistics import reading
from tracking.statistics.ranges import InvalidRangeError, Period
from tracking.statistics.reading import Scope
from tracking.timestamps import parse_timestamp
from tracking.urls import location_of
from tracking.window import Window

_ORDERS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order, and when it came, in the event's time zone."""

    code: str
    time: str


@dataclass(frozen=True, slots=True)
class CampaignScreen:
    """What is shown of a campaign, whoever looks.

    Attributes:
        leads_to: where a click is led now.
        to_shop: whether that is the ticket shop.
        share: of all the event's clicks in the range, in words; "" = there were none.
        query: of the address, for the tables that are downloaded.
        orders: the newest.
    """

    event: Event
    campaign: Campaign
    link: str
    qr: Markup
    leads_to: str
    to_shop: bool
    bar: RangeBar
    figures: Figures
    query: str
    share: str
    week: HeatMap
    orders: list[OrderRow]


async def read_screen(request: Request, event: Event, campaign: Campaign) -> CampaignScreen:
    """Reads a campaign as the request's address asks for it.

    Raises:
        InvalidRangeError: it asks for a range that can't be meant.
    """
    query, settings = request.query_params, settings_of(request)
    scope = Scope(event.id, only=(campaign.id,))
    async with database_of(request).read() as connection:
        ranges = await read_ranges(connection, event, span_of(query))
        figures = await read_figures(connection, scope, ranges)
        week = await reading.by_hour_of_week(connection, scope, ranges.now)
        everything = None if ranges.period is Period.ALL else ranges.now
        all_clicks = (await reading.totals(connection, Scope(event.id), everything)).clicks
        newest = Window(max(0, campaign.order_count - _ORDERS_SHOWN), _ORDERS_SHOWN)
        found = await orders.list_(connection, campaign.id, newest)
    link = link_of(event, campaign, settings)
    return CampaignScreen(
        event=event,
        campaign=campaign,
        link=link,
        qr=Markup(qr_codes.inline(link)),  # noqa: S704  # it is drawn, and holds no text
        leads_to=leads_to(event, campaign, settings),
        to_shop=not campaign.external_target,
        bar=range_bar(query, ranges),
        figures=figures,
        query=address(query, made=None),
        share=f"{figures.totals.clicks * 100 / all_clicks:.0f} %" if all_clicks else "",
        week=HeatMap(week),
        orders=[_order_row(each, event) for each in reversed(found)],
    )


def leads_to(event: Event, campaign: Campaign, settings: Settings) -> str:
    """Where a click is led, as an absolute URL."""
    link = Link(
        campaign.id,
        event.organizer,
        event.slug,
        campaign.code,
        campaign.external_target,
        event.shop_url,
    )
    target = target_of(link, settings.shop_url, settings.public_origin)
    return urljoin(f"{settings.public_origin}/", target) if target.startswith("/") else target


def _order_row(order: orders.Order, event: Event) -> OrderRow:
    zone = zone_of(event)
    moment = dates.local(parse_timestamp(order.datetime, zone), zone)
    return OrderRow(order.code, dates.minute(moment))


async def _show(request: Request, visit: CampaignVisit) -> Response:
    try:
        screen = await read_screen(request, visit.event, visit.campaign)
    except InvalidRangeError as error:
        raise PageError.wrong_range(visit, str(error)) from None
    made = "made" in request.query_params
    return renderer_of(request).page("campaign.html", visit=visit, screen=screen, made=made)


async def _test(request: Request, visit: CampaignVisit) -> Response:
    """Leads where a click would lead, and counts nothing: the redirector is not asked."""
    target = leads_to(visit.event, visit.campaign, settings_of(request))
    response = Response(status_code=302)
    response.headers["Location"] = location_of(target)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


async def _ask_to_delete(request: Request, visit: CampaignVisit) -> Response:
    link = link_of(visit.event, visit.campaign, settings_of(request))
    return renderer_of(request).page("campaign_delete.html", visit=visit, link=link)


async def _delete(request: Request, visit: CampaignVisit, _: Form) -> Response:
    async with database_of(request).write(by=visit.author) as connection:
        await campaigns.remove(connection, visit.event.id, visit.campaign.id)
    return RedirectResponse(event_address(visit.event), 303)


PAGES = (
    campaign_page("", _show),
    campaign_page("test/", _test),
    campaign_page("delete/", _ask_to_delete, _delete, sees=Role.EDITOR),
)
