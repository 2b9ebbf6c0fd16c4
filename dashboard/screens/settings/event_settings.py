"""An event's settings, and making an event."""

from collections.abc import Mapping
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.door import event_page, organizer_page
from dashboard.access.visit import EventVisit, OrganizerVisit
from dashboard.addresses import event_address
from dashboard.forms import Form, text
from dashboard.screens.settings.overview import Said, settings_page
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaign_rules, organizers
from tracking.access.users import Role
from tracking.campaign_rules import InvalidFieldError
from tracking.errors import InvalidNameError
from tracking.organizers import EventDetails

_FIELDS = ("slug", "name", "shop_url", "timezone")


async def _make(request: Request, visit: OrganizerVisit, form: Form) -> Response:
    typed = {name: text(form, name).strip() for name in _FIELDS}
    errors = _wrong(typed, settings_of(request).public_origin)
    try:
        organizers.check_slug(typed["slug"])
    except InvalidNameError:
        errors["slug"] = "1 to 50 letters, digits, dots, dashes and underscores are required."
    organizer = visit.organizer.organizer
    if not errors:
        async with database_of(request).write(by=visit.author) as connection:
            if await organizers.find_event(connection, organizer, typed["slug"]) is None:
                event = await organizers.ensure_event(
                    connection,
                    organizer,
                    typed["slug"],
                    typed["shop_url"],
                    name=typed["name"],
                    details=EventDetails(timezone=typed["timezone"]),
                )
                return RedirectResponse(event_address(event), 303)
        errors["slug"] = "Another event of yours has this already."
    return await settings_page(request, visit, Said("event", errors, typed), 400)


async def _show(request: Request, visit: EventVisit) -> Response:
    event = visit.event
    name = "" if event.display_name == event.slug else event.display_name
    typed = {"name": name, "shop_url": event.shop_url, "timezone": event.timezone}
    return _page(request, visit, typed, {})


async def _save(request: Request, visit: EventVisit, form: Form) -> Response:
    typed = {name: text(form, name).strip() for name in _FIELDS}
    errors = _wrong(typed, settings_of(request).public_origin)
    if errors:
        return _page(request, visit, typed, errors, 400)
    event = visit.event
    async with database_of(request).write(by=visit.author) as connection:
        await organizers.ensure_event(
            connection,
            event.organizer,
            event.slug,
            typed["shop_url"],
            name=typed["name"],
            details=EventDetails(timezone=typed["timezone"]),
        )
    return RedirectResponse(f"{event_address(event)}settings/?saved", 303)


def _wrong(typed: Mapping[str, str], public_origin: str) -> dict[str, str]:
    """What is wrong, by field."""
    errors = {}
    try:
        campaign_rules.check_text(typed["name"], campaign_rules.MAX_DESCRIPTION, blank=True)
    except InvalidFieldError as error:
        errors["name"] = str(error)
    try:
        campaign_rules.read_target(typed["shop_url"], public_origin)
    except InvalidFieldError as error:
        errors["shop_url"] = str(error)
    if typed["timezone"] and typed["timezone"] not in available_timezones():
        errors["timezone"] = "A time zone like Europe/Berlin is required."
    return errors


def _page(
    request: Request,
    visit: EventVisit,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 200,
) -> Response:
    return renderer_of(request).page(
        "event_settings.html",
        status,
        visit=visit,
        typed=typed,
        errors=errors,
        shop=settings_of(request).shop_url,
        zones=sorted(available_timezones()),
        saved="saved" in request.query_params,
    )


PAGES = (
    organizer_page("/settings/{organizer}/events/", act=_make),
    event_page("settings/", _show, _save, sees=Role.ADMIN, acts=Role.ADMIN),
)
