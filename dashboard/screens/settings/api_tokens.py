"""An organizer's API tokens: made, shown once, and revoked."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.door import organizer_page
from dashboard.access.visit import OrganizerVisit
from dashboard.addresses import settings_address
from dashboard.errors import PageError
from dashboard.forms import Form, read_name_and_expiry, text
from dashboard.screens.settings.overview import Said, settings_page
from dashboard.state import database_of
from tracking import organizers, tokens


async def _make(request: Request, visit: OrganizerVisit, form: Form) -> Response:
    typed = {name: text(form, name).strip() for name in ("name", "expires", "event")}
    errors, expires_at = read_name_and_expiry(typed)
    if errors:
        return await settings_page(request, visit, Said("token", errors, typed), 400)
    organizer = visit.organizer
    async with database_of(request).write(by=visit.author) as connection:
        event_ids = []
        if typed["event"]:
            event = await organizers.find_event(connection, organizer.organizer, typed["event"])
            if event is None:
                raise PageError.not_found(visit)
            event_ids = [event.id]
        secret = await tokens.create(
            connection,
            organizer.organizer_id,
            event_ids=event_ids,
            read_only=text(form, "access") != "write",
            name=typed["name"],
            expires_at=expires_at,
        )
    notice = "Copy this token now: it can\u2019t be shown again."
    return await settings_page(request, visit, Said("token", secret=secret, notice=notice))


async def _revoke(request: Request, visit: OrganizerVisit, _: Form) -> Response:
    async with database_of(request).write(by=visit.author) as connection:
        listed = await tokens.list_(connection, visit.organizer.organizer_id)
        if all(each.id != request.path_params["token"] for each in listed):
            raise PageError.not_found(visit)
        await tokens.revoke(connection, request.path_params["token"])
    return RedirectResponse(settings_address(visit.organizer.organizer), 303)


PAGES = (
    organizer_page("/settings/{organizer}/tokens/", act=_make),
    organizer_page("/settings/{organizer}/tokens/{token:int}/revoke/", act=_revoke),
)
