"""The door: each page says who may see it and who may write there, and the door sees to it.

What it asks, in this order: is there a session (else the page where one signs in, whatever the
address), are the form's token and origin ours, is the organizer one of theirs and does what the
address names exist (else one page for both), does their role do.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.access import cookies, csrf
from dashboard.access.visit import CampaignVisit, EventVisit, OrganizerVisit, Visit
from dashboard.addresses import slug_of
from dashboard.errors import PageError
from dashboard.forms import MAX_FORM_BYTES, Form, read_form
from dashboard.state import database_of, settings_of
from tracking import campaigns, organizers
from tracking.access import sessions, users
from tracking.access.users import Role
from tracking.database import Transaction
from tracking.errors import DatabaseUnavailableError

V = TypeVar("V", bound=Visit)
Show = Callable[[Request, V], Awaitable[Response]]
"""Answers GET, and HEAD without its body."""
Act = Callable[[Request, V, Form], Awaitable[Response]]
"""Answers POST, with the form that came."""

_MAX_ID = 2**63 - 1  # SQLite's integers have 64 bits


class Address(Protocol):
    """What is alike in all pages, whatever they find.

    Attributes:
        path: Starlette's pattern.
        sees: the role that GET needs.
        acts: the role that POST needs.
    """

    path: str
    sees: Role
    acts: Role

    @property
    def methods(self) -> list[str]:
        """What can be asked of it."""

    def route(self) -> Route:
        """It as Starlette knows it."""


class Page(Generic[V]):
    """An address, or those of a pattern, for people who are signed in.

    Args:
        path: Starlette's pattern.
        find: what the address names; None when it is not there, or none of theirs.
        show: answers GET.
        act: answers POST.
        sees: the role that GET needs.
        acts: the role that POST needs.
        max_form: bytes of a form at most.
    """

    def __init__(
        self,
        path: str,
        find: Callable[[Transaction, Request, Visit], Awaitable[V | None]],
        show: Show[V] | None = None,
        act: Act[V] | None = None,
        *,
        sees: Role = Role.VIEWER,
        acts: Role = Role.EDITOR,
        max_form: int = MAX_FORM_BYTES,
    ) -> None:
        self.path = path
        self.sees = sees
        self.acts = acts
        self._find = find
        self._show = show
        self._act = act
        self._max_form = max_form

    @property
    def methods(self) -> list[str]:
        """What can be asked of it."""
        handlers = {"GET": self._show, "POST": self._act}
        return [method for method, handler in handlers.items() if handler is not None]

    def route(self) -> Route:
        """It as Starlette knows it; methods are told apart behind the door."""
        return Route(self.path, self._answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])

    async def _answer(self, request: Request) -> Response:
        visit, found = await self._enter(request)
        writes = request.method not in {"GET", "HEAD"}
        form = await self._read(request, visit) if writes else None
        if found is None:
            raise PageError.not_found(visit)
        if isinstance(found, OrganizerVisit) and not found.may(self.acts if writes else self.sees):
            raise PageError.forbidden(visit)
        if request.method == "POST" and self._act is not None:
            assert form is not None
            return await self._act(request, found, form)
        if not writes and self._show is not None:
            return await self._show(request, found)
        raise PageError.method_not_allowed(visit, self.methods)

    async def _enter(self, request: Request) -> tuple[Visit, V | None]:
        """Who it is, and what they ask for.

        Raises:
            SignInRequiredError: nobody whom the door knows.
        """
        async with database_of(request).read() as connection:
            visit = await _visit(connection, request)
            if visit is None:
                raise SignInRequiredError
            found = await self._find(connection, request, visit)
        if visit.session.should_renew:
            await _renew(request, visit)
        return visit, found

    async def _read(self, request: Request, visit: Visit) -> Form:
        form = await read_form(request, self._max_form, visit)
        require_own_form(request, form, visit.csrf_key, visit)
        return form


class SignInRequiredError(Exception):
    """Nobody is signed in, or not any more."""


def require_own_form(
    request: Request, form: Form, key: str | None, visit: Visit | None = None
) -> None:
    """Checks that a page of ours sent a form.

    Args:
        key: the secret of the browser's cookie, with which the form's token was made.

    Raises:
        PageError: it did not.
    """
    token = form.texts.get(csrf.FIELD)
    origin = settings_of(request).dashboard_origin
    if (
        key is None
        or token is None
        or not csrf.is_from_here(request, origin)
        or not csrf.is_valid(key, token)
    ):
        raise PageError.not_our_form(visit)


async def find_visit(request: Request) -> Visit | None:
    """Who asks; None when nobody is signed in."""
    async with database_of(request).read() as connection:
        return await _visit(connection, request)


def to_sign_in(request: Request) -> Response:
    """Leads to where one signs in, and from there back to what was asked for."""
    path = request.url.path
    if request.method not in {"GET", "HEAD"} or path == "/":
        return RedirectResponse("/sign-in/", 303)
    wanted = f"{path}?{request.url.query}" if request.url.query else path
    return RedirectResponse(f"/sign-in/?next={quote(wanted)}", 303)


def user_page(
    path: str, show: Show[Visit] | None = None, act: Act[Visit] | None = None
) -> Page[Visit]:
    """A page for everybody who is signed in."""

    async def find(_: Transaction, _request: Request, visit: Visit) -> Visit:
        return visit

    return Page(path, find, show, act)


def organizer_page(
    path: str,
    show: Show[OrganizerVisit] | None = None,
    act: Act[OrganizerVisit] | None = None,
    *,
    sees: Role = Role.ADMIN,
    acts: Role = Role.ADMIN,
) -> Page[OrganizerVisit]:
    """A page of an organizer: `{organizer}` is in its path."""
    return Page(path, _find_organizer, show, act, sees=sees, acts=acts)


def event_page(
    path: str,
    show: Show[EventVisit] | None = None,
    act: Act[EventVisit] | None = None,
    *,
    sees: Role = Role.VIEWER,
    acts: Role = Role.EDITOR,
    max_form: int = MAX_FORM_BYTES,
) -> Page[EventVisit]:
    """A page of an event, below `/{organizer}/{event}/`."""
    path = f"/{{organizer}}/{{event}}/{path}"
    return Page(path, _find_event, show, act, sees=sees, acts=acts, max_form=max_form)


def campaign_page(
    path: str,
    show: Show[CampaignVisit] | None = None,
    act: Act[CampaignVisit] | None = None,
    *,
    sees: Role = Role.VIEWER,
    acts: Role = Role.EDITOR,
) -> Page[CampaignVisit]:
    """A page of a campaign, below `/{organizer}/{event}/campaigns/{id}/`."""
    path = f"/{{organizer}}/{{event}}/campaigns/{{id:int}}/{path}"
    return Page(path, _find_campaign, show, act, sees=sees, acts=acts)


async def _visit(connection: Transaction, request: Request) -> Visit | None:
    secret = cookies.session_secret(request, settings_of(request))
    session = await sessions.find(connection, secret) if secret else None
    if session is None:
        return None
    assert secret is not None
    return Visit(session, secret, await users.memberships_of(connection, session.user.id))


async def _renew(request: Request, visit: Visit) -> None:
    # It is not worth waiting for: the next request tries again.
    with suppress(DatabaseUnavailableError):
        async with database_of(request).write_if_idle() as connection:
            await sessions.renew(connection, visit.session.id)


async def _find_organizer(_: Transaction, request: Request, visit: Visit) -> OrganizerVisit | None:
    membership = visit.membership(slug_of(request.path_params["organizer"]))
    if membership is None:
        return None
    return OrganizerVisit(visit.session, visit.csrf_key, visit.memberships, membership)


async def _find_event(connection: Transaction, request: Request, visit: Visit) -> EventVisit | None:
    membership = visit.membership(slug_of(request.path_params["organizer"]))
    if membership is None:
        return None
    slug = request.path_params["event"]
    event = await organizers.find_event(connection, membership.organizer, slug)
    if event is None:
        return None
    return EventVisit(visit.session, visit.csrf_key, visit.memberships, membership, event)


async def _find_campaign(
    connection: Transaction, request: Request, visit: Visit
) -> CampaignVisit | None:
    found = await _find_event(connection, request, visit)
    id = request.path_params["id"]
    if found is None or id > _MAX_ID:
        return None
    campaign = await campaigns.get(connection, found.event.id, id)
    if campaign is None:
        return None
    return CampaignVisit(
        found.session, found.csrf_key, found.memberships, found.organizer, found.event, campaign
    )
