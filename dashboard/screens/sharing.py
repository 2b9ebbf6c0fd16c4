"""Shared addresses: made and revoked by who may edit, and what they show to whoever has one."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard import dates
from dashboard.access.door import campaign_page, event_page
from dashboard.access.visit import CampaignVisit, EventVisit
from dashboard.errors import PageError
from dashboard.forms import Form, read_name_and_expiry, text
from dashboard.live.hub import Watcher
from dashboard.live.stream import shown_campaigns, stream
from dashboard.numbers import whole_number
from dashboard.screens import campaign as campaign_screen
from dashboard.screens import event as event_screen
from dashboard.screens.exporting import clicks_csv, links_csv
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaigns, organizers
from tracking.access import shares
from tracking.access.shares import Share
from tracking.access.users import Role
from tracking.campaigns import Campaign
from tracking.organizers import Event
from tracking.statistics.ranges import InvalidRangeError
from tracking.statistics.reading import Scope


@dataclass(frozen=True, slots=True)
class Shared:
    """What an address shows: an event, or one campaign of it."""

    share: Share
    event: Event
    campaign: Campaign | None

    @property
    def scope(self) -> Scope:
        """Whose clicks it shows."""
        only = None if self.campaign is None else (self.campaign.id,)
        return Scope(self.event.id, only=only)


async def _list(request: Request, visit: EventVisit) -> Response:
    return await _page(request, visit, {}, {})


async def _make(request: Request, visit: EventVisit, form: Form) -> Response:
    if text(form, "action") == "revoke":
        return await _revoke(request, visit, text(form, "share"))
    typed = {name: text(form, name).strip() for name in ("name", "expires")}
    errors, expires_at = read_name_and_expiry(typed)
    if errors:
        return await _page(request, visit, typed, errors, 400)
    async with database_of(request).write(by=visit.author) as connection:
        secret = await shares.create(
            connection,
            visit.event.id,
            _campaign_id(visit),
            name=typed["name"],
            expires_at=expires_at,
        )
    address = f"{settings_of(request).dashboard_origin}/shared/{secret}/"
    return await _page(request, visit, {}, {}, address=address)


async def _revoke(request: Request, visit: EventVisit, id: str) -> Response:
    number = whole_number(id)
    if number is None:
        raise PageError.not_found(visit)
    async with database_of(request).write(by=visit.author) as connection:
        if not await shares.revoke(connection, visit.event.id, number):
            raise PageError.not_found(visit)
    return RedirectResponse(request.url.path, 303)


async def _page(
    request: Request,
    visit: EventVisit,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 200,
    *,
    address: str = "",
) -> Response:
    async with database_of(request).read() as connection:
        found = await shares.list_(connection, visit.event.id, _campaign_id(visit))
    rows = [
        (
            each,
            dates.utc_day(each.created_at),
            "" if each.expires_at is None else dates.utc_day(each.expires_at),
        )
        for each in found
    ]
    return renderer_of(request).page(
        "sharing.html",
        status,
        visit=visit,
        campaign=visit.campaign if isinstance(visit, CampaignVisit) else None,
        rows=rows,
        typed=typed,
        errors=errors,
        address=address,
    )


def _campaign_id(visit: EventVisit) -> int | None:
    return visit.campaign.id if isinstance(visit, CampaignVisit) else None


async def _find(request: Request) -> Shared:
    """What the address shows.

    Raises:
        PageError: it is unknown, revoked or over: nobody learns which.
    """
    async with database_of(request).read() as connection:
        share = await shares.find(connection, request.path_params["secret"])
        if share is None:
            raise PageError.not_shared()
        event = await organizers.find_event(connection, share.organizer, share.event)
        assert event is not None
        campaign = None
        if share.campaign_id is not None:
            campaign = await campaigns.get(connection, event.id, share.campaign_id)
    return Shared(share, event, campaign)


async def _show(request: Request) -> Response:
    shared = await _find(request)
    renderer = renderer_of(request)
    try:
        if shared.campaign is None:
            screen = await event_screen.read_screen(request, shared.event)
            return renderer.page("shared_event.html", visit=None, screen=screen)
        one = await campaign_screen.read_screen(request, shared.event, shared.campaign)
        return renderer.page("shared_campaign.html", visit=None, screen=one)
    except InvalidRangeError as error:
        raise PageError.wrong_range(None, str(error)) from None


async def _follow(request: Request) -> Response:
    shared = await _find(request)
    watcher = Watcher(share=shared.share.id, campaigns=shown_campaigns(request))
    if shared.campaign is not None:
        watcher = Watcher(share=shared.share.id, only=shared.campaign.id)
    return stream(request, shared.event, watcher)


async def _clicks(request: Request) -> Response:
    shared = await _find(request)
    event, one = shared.event, shared.campaign
    name = f"{event.organizer}-{event.slug}" if one is None else one.code
    try:
        return await clicks_csv(request, event, shared.scope, name)
    except InvalidRangeError as error:
        raise PageError.wrong_range(None, str(error)) from None


async def _links(request: Request) -> Response:
    shared = await _find(request)
    if shared.campaign is not None:
        raise PageError.not_shared()
    try:
        return await links_csv(request, shared.event)
    except InvalidRangeError as error:
        raise PageError.wrong_range(None, str(error)) from None


OPEN_ROUTES = (
    Route("/shared/{secret}/", _show),
    Route("/shared/{secret}/live/", _follow),
    Route("/shared/{secret}/clicks.csv", _clicks),
    Route("/shared/{secret}/links.csv", _links),
)
"""For whoever has the address."""

PAGES = (
    event_page("share/", _list, _make, sees=Role.EDITOR),
    campaign_page("share/", _list, _make, sees=Role.EDITOR),
)
