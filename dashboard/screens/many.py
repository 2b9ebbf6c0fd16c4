"""Many links at once: pasted or uploaded, looked over, made all or not at all."""

import asyncio

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.door import event_page
from dashboard.access.visit import EventVisit
from dashboard.addresses import event_address, link_of
from dashboard.errors import PageError
from dashboard.exports import csv_response
from dashboard.forms import Form, text
from dashboard.importing import (
    MAX_BYTES,
    Line,
    UnreadableTextError,
    decode,
    read_lines,
    with_taken,
)
from dashboard.numbers import whole_number
from dashboard.ranges import address
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaigns, qr_codes
from tracking.access.users import Role
from tracking.campaigns import Campaign
from tracking.errors import DuplicateCodeError

_SHOWN = 200
# Twenty sheets of paper: more would take the browser long.
_CODES_A_SHEET = 240


async def _ask(request: Request, visit: EventVisit) -> Response:
    return _page(request, visit, "", None)


async def _take(request: Request, visit: EventVisit, form: Form) -> Response:
    """Shows what was sent, with what is wrong; or makes all of it when nothing is."""
    typed = text(form, "lines")
    try:
        if form.files.get("file"):
            typed = decode(form.files["file"])
        origin = settings_of(request).public_origin
        # Ten thousand take a third of a second, which others would wait for.
        lines = await asyncio.to_thread(read_lines, typed, origin)
    except UnreadableTextError as error:
        return _page(request, visit, typed, None, error=str(error), status=400)
    async with database_of(request).read() as connection:
        chosen = [line.code for line in lines if line.code]
        lines = with_taken(lines, await campaigns.taken_codes(connection, chosen))
    if text(form, "action") != "make" or any(line.errors for line in lines):
        wrong = any(line.errors for line in lines)
        return _page(request, visit, typed, lines, status=400 if wrong else 200)
    try:
        async with database_of(request).write(by=visit.author) as connection:
            first, last = await campaigns.create_many(
                connection, visit.event.id, [line.campaign for line in lines]
            )
    except DuplicateCodeError:  # taken since it was looked for
        return _page(request, visit, typed, lines, error="A code was taken meanwhile.", status=409)
    address = f"{event_address(visit.event)}import/done/?first={first}&last={last}"
    return RedirectResponse(address, 303)


async def _done(request: Request, visit: EventVisit) -> Response:
    made = await _made(request, visit)
    return renderer_of(request).page(
        "import_done.html", visit=visit, made=made, query=_ids(request)
    )


async def _links(request: Request, visit: EventVisit) -> Response:
    settings = settings_of(request)
    rows = (
        (each.description, link_of(visit.event, each, settings), each.code, each.external_target)
        for each in await _made(request, visit)
    )
    name = f"{visit.event.organizer}-{visit.event.slug}-new-links"
    return csv_response(name, ("name", "link", "code", "target"), rows)


async def _sheet(request: Request, visit: EventVisit) -> Response:
    """QR codes side by side, to be printed: so many at once."""
    made = await _made(request, visit)
    last = -(-len(made) // _CODES_A_SHEET)
    page = min(max(1, whole_number(request.query_params.get("page", "")) or 1), last)
    shown = made[(page - 1) * _CODES_A_SHEET : page * _CODES_A_SHEET]
    settings = settings_of(request)
    links = [link_of(visit.event, each, settings) for each in shown]
    pictures = await asyncio.to_thread(lambda: [qr_codes.inline(link) for link in links])
    codes = [
        (each.description, link, Markup(picture))  # noqa: S704  # it is drawn, and holds no text
        for each, link, picture in zip(shown, links, pictures, strict=True)
    ]
    query = request.query_params
    return renderer_of(request).page(
        "qr_sheet.html",
        visit=visit,
        codes=codes,
        page=page,
        last=last,
        previous=address(query, page=str(page - 1)),
        next=address(query, page=str(page + 1)),
    )


async def _made(request: Request, visit: EventVisit) -> list[Campaign]:
    """The event's campaigns that the address names by the first id and the last."""
    first, last = _ids(request)
    async with database_of(request).read() as connection:
        made = await campaigns.between(connection, visit.event.id, first, last)
    if not made:
        raise PageError.not_found(visit)
    return made


def _ids(request: Request) -> tuple[int, int]:
    first, last = (
        whole_number(request.query_params.get(name, "")) or 0 for name in ("first", "last")
    )
    return first, last


def _page(
    request: Request,
    visit: EventVisit,
    typed: str,
    lines: list[Line] | None,
    *,
    error: str = "",
    status: int = 200,
) -> Response:
    wrong = [line for line in lines or [] if line.errors]
    return renderer_of(request).page(
        "import.html",
        status,
        visit=visit,
        typed=typed,
        lines=lines,
        wrong=len(wrong),
        shown=(wrong or lines or [])[:_SHOWN],
        error=error,
    )


PAGES = (
    event_page("import/", _ask, _take, sees=Role.EDITOR, max_form=MAX_BYTES),
    event_page("import/done/", _done, sees=Role.EDITOR),
    event_page("import/done/links.csv", _links, sees=Role.EDITOR),
    event_page("import/done/sheet/", _sheet, sees=Role.EDITOR),
)
