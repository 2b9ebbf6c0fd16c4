"""Signing in, with a link or a password, and out."""

import math

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.access import cookies, return_path
from dashboard.access.client_address import client_address
from dashboard.access.door import find_visit, require_own_form, user_page
from dashboard.access.visit import Visit
from dashboard.forms import MAX_FORM_BYTES, Form, read_form, text
from dashboard.state import database_of, renderer_of, settings_of, throttle_of
from tracking.access import passwords, sessions, sign_in_links, users
from tracking.access import secret as secrets
from tracking.access.users import User
from tracking.database import Transaction

_WRONG = "This e-mail address and password don\u2019t go together."


async def _ask(request: Request) -> Response:
    """A form for who has a password, and how one gets in without."""
    if await find_visit(request) is not None:
        return RedirectResponse("/", 303)
    wanted = return_path.checked(request.query_params.get("next", ""))
    return _page_for_stranger(request, "sign_in.html", email="", error="", wanted=wanted)


async def _check(request: Request) -> Response:
    form = await _own_form(request)
    email, password = text(form, "email").strip(), text(form, "password")
    wanted = return_path.checked(text(form, "next"))
    account, address = email.lower(), client_address(request)
    wait = throttle_of(request).try_(account, address)
    if wait > 0:
        seconds = math.ceil(wait)
        response = _page_for_stranger(
            request,
            "sign_in.html",
            429,
            email=email,
            error=f"Too many tries. Please try again in {seconds} seconds, or use a sign-in link.",
            wanted=wanted,
        )
        response.headers["Retry-After"] = str(seconds)
        return response
    user = await _user_with(request, email, password)
    if user is None:
        return _page_for_stranger(
            request, "sign_in.html", 400, email=email, error=_WRONG, wanted=wanted
        )
    throttle_of(request).forgive(account, address)
    async with database_of(request).write(by=f"user {user.id}") as connection:
        secret = await _begin(connection, request, user)
    return _signed_in(request, secret, wanted)


async def _user_with(request: Request, email: str, password: str) -> User | None:
    """Who has this password; it takes as long when there is no such user."""
    async with database_of(request).read() as connection:
        user = await users.find(connection, email)
        hash = None if user is None else await users.password_hash(connection, user.id)
    if not await passwords.is_right(password, hash):
        return None
    if user is not None and hash is not None and passwords.is_outdated(hash):
        new = await passwords.hash_of(password)
        async with database_of(request).write(by=f"user {user.id}") as connection:
            await users.set_password_hash(connection, user.id, new)
    return user


async def _show_link(request: Request) -> Response:
    """One button, so that what only fetches the address uses nothing up."""
    async with database_of(request).read() as connection:
        user = await sign_in_links.find(connection, request.path_params["secret"])
    return _page_for_stranger(request, "sign_in_link.html", 200 if user else 404, user=user)


async def _use_link(request: Request) -> Response:
    await _own_form(request)
    async with database_of(request).write() as connection:
        user = await sign_in_links.use(connection, request.path_params["secret"])
        secret = None if user is None else await _begin(connection, request, user)
    if secret is None:
        return _page_for_stranger(request, "sign_in_link.html", 404, user=None)
    return _signed_in(request, secret, "/")


async def _begin(connection: Transaction, request: Request, user: User) -> str:
    """Begins a session with a secret of its own, and ends the one that the browser had."""
    former = cookies.session_secret(request, settings_of(request))
    session = await sessions.find(connection, former) if former else None
    if session is not None:
        await sessions.close(connection, session.user.id, session.id)
    return await sessions.open_(connection, user.id, request.headers.get("user-agent", ""))


def _signed_in(request: Request, secret: str, wanted: str) -> Response:
    response = RedirectResponse(wanted, 303)
    cookies.set_session(response, secret, settings_of(request))
    return response


async def _ask_to_sign_out(request: Request, visit: Visit) -> Response:
    return renderer_of(request).page("sign_out.html", visit=visit)


async def _sign_out(request: Request, visit: Visit, _: Form) -> Response:
    async with database_of(request).write(by=visit.author) as connection:
        await sessions.close(connection, visit.user.id, visit.session.id)
    response = RedirectResponse("/sign-in/", 303)
    cookies.forget_session(response, settings_of(request))
    return response


async def _own_form(request: Request) -> Form:
    """A stranger's form, which a page of ours must have sent."""
    form = await read_form(request, MAX_FORM_BYTES, None)
    require_own_form(request, form, cookies.form_secret(request, settings_of(request)))
    return form


def _page_for_stranger(
    request: Request, template: str, status: int = 200, **context: object
) -> Response:
    """A page with a form whose token belongs to a cookie that it sets."""
    settings = settings_of(request)
    known = cookies.form_secret(request, settings)
    key = known or secrets.draw()
    response = renderer_of(request).page(template, status, visit=None, csrf_key=key, **context)
    if known is None:
        cookies.set_form_secret(response, key, settings)
    return response


async def _form(request: Request) -> Response:
    return await (_check if request.method == "POST" else _ask)(request)


async def _link(request: Request) -> Response:
    return await (_use_link if request.method == "POST" else _show_link)(request)


OPEN_ROUTES = (
    Route("/sign-in/", _form, methods=["GET", "POST"]),
    Route("/sign-in/{secret}", _link, methods=["GET", "POST"]),
)
"""For everybody, signed in or not."""

PAGES = (user_page("/sign-out/", _ask_to_sign_out, _sign_out),)
