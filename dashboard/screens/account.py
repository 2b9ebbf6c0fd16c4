"""One's account: password, sessions, and what one may do for whom."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard import dates
from dashboard.access.client_address import client_address
from dashboard.access.door import user_page
from dashboard.access.visit import Visit
from dashboard.forms import Form, text
from dashboard.numbers import whole_number
from dashboard.state import database_of, renderer_of, throttle_of
from tracking.access import passwords, sessions, users
from tracking.access.passwords import InvalidPasswordError


async def _show(request: Request, visit: Visit) -> Response:
    return await _page(request, visit, {})


async def _set_password(request: Request, visit: Visit, form: Form) -> Response:
    """Sets it, and ends all other sessions: whoever knew the old one is out."""
    new = text(form, "new")
    errors = await _wrong(request, visit, text(form, "current"), new)
    if errors:
        return await _page(request, visit, errors, 400)
    hash = await passwords.hash_of(new)
    async with database_of(request).write(by=visit.author) as connection:
        await users.set_password_hash(connection, visit.user.id, hash)
        await sessions.close_all(connection, visit.user.id, but=visit.session.id)
    return RedirectResponse("/account/?changed", 303)


async def _wrong(request: Request, visit: Visit, current: str, new: str) -> dict[str, str]:
    """What is wrong, by field."""
    errors = {}
    if visit.user.has_password:
        account, address = visit.user.email, client_address(request)
        wait = throttle_of(request).try_(account, address)
        async with database_of(request).read() as connection:
            hash = await users.password_hash(connection, visit.user.id)
        if wait > 0:
            errors["current"] = f"Too many tries. Please try again in {wait:.0f} seconds."
        elif not await passwords.is_right(current, hash):
            errors["current"] = "This is not your password."
        else:
            throttle_of(request).forgive(account, address)
    try:
        passwords.check(new)
    except InvalidPasswordError as error:
        errors["new"] = str(error)
    return errors


async def _end_session(request: Request, visit: Visit, form: Form) -> Response:
    """Ends one session, or all but this."""
    id = text(form, "session")
    async with database_of(request).write(by=visit.author) as connection:
        number = whole_number(id)
        if number is not None:
            await sessions.close(connection, visit.user.id, number)
        elif id == "others":
            await sessions.close_all(connection, visit.user.id, but=visit.session.id)
    return RedirectResponse("/account/", 303)


async def _page(
    request: Request, visit: Visit, errors: dict[str, str], status: int = 200
) -> Response:
    async with database_of(request).read() as connection:
        found = await sessions.list_(connection, visit.user.id)
    rows = [
        (each.id, browser_name(each.browser), dates.ago(each.used_at), each.id == visit.session.id)
        for each in found
    ]
    return renderer_of(request).page(
        "account.html",
        status,
        visit=visit,
        sessions=rows,
        errors=errors,
        changed="changed" in request.query_params,
    )


def browser_name(user_agent: str) -> str:
    """A browser and its system, as far as people know them: `Firefox on Linux`."""
    browsers = {"Firefox/": "Firefox", "Edg": "Edge", "OPR/": "Opera", "Chrome/": "Chrome"}
    systems = {
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Android": "Android",
        "Windows": "Windows",
        "Mac OS": "macOS",
        "Linux": "Linux",
    }
    browser = next((name for part, name in browsers.items() if part in user_agent), "")
    if not browser:
        browser = "Safari" if "Safari/" in user_agent else "A browser"
    system = next((name for part, name in systems.items() if part in user_agent), "")
    return f"{browser} on {system}" if system else browser


PAGES = (
    user_page("/account/", _show),
    user_page("/account/password/", act=_set_password),
    user_page("/account/sessions/", act=_end_session),
)
