"""An organizer's settings on one page; each form on it is answered by a module of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard import dates
from dashboard.access.door import organizer_page, user_page
from dashboard.access.visit import OrganizerVisit, Visit
from dashboard.addresses import settings_address
from dashboard.errors import PageError
from dashboard.state import database_of, renderer_of, settings_of
from tracking import organizers, tokens
from tracking.access import users
from tracking.access.users import Role, User
from tracking.tokens import Token
from tracking.window import Window

_MOST = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What a form of the page is answered.

    Attributes:
        form: which of them: `user`, `token` or `event`.
        errors: what is wrong, by field.
        typed: what was typed.
        secret: what is shown this once: an address, or a token.
        notice: what happened.
    """

    form: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    notice: str = ""


_NOTHING = Said()


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the organizer's.

    Attributes:
        is_self: whether it is who looks.
        may_have_link: whether who looks may make them a sign-in address (`people.py`).
    """

    user: User
    role: Role
    is_self: bool
    may_have_link: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token, in words."""

    token: Token
    scope: str
    expires: str
    used: str


async def settings_page(
    request: Request, visit: OrganizerVisit, said: Said = _NOTHING, status: int = 200
) -> Response:
    """The page, with what a form of it is answered."""
    organizer_id = visit.organizer.organizer_id
    async with database_of(request).read() as connection:
        people = [
            UserRow(
                user,
                role,
                user.id == visit.user.id,
                may_have_link(visit, await users.memberships_of(connection, user.id)),
            )
            for user, role in await users.list_(connection, organizer_id)
        ]
        found = await tokens.list_(connection, organizer_id)
        events = await organizers.list_events(connection, organizer_id, Window(0, _MOST))
    return renderer_of(request).page(
        "settings.html",
        status,
        visit=visit,
        said=said,
        people=people,
        tokens=[_token_row(each) for each in reversed(found) if not each.revoked],
        events=events,
        shop=settings_of(request).shop_url,
        roles=list(Role),
    )


def may_have_link(visit: OrganizerVisit, theirs: tuple[users.Membership, ...]) -> bool:
    """Whether who looks may make somebody an address that signs in.

    It signs in as that user, everywhere they belong: an admin may make it who could give themselves
    each of their roles anyway, an admin of all their organizers.
    """
    mine = {each.organizer_id for each in visit.memberships if each.role is Role.ADMIN}
    return {each.organizer_id for each in theirs} <= mine


def _token_row(token: Token) -> TokenRow:
    covered = "all events" if token.all_events else ", ".join(token.events)
    access = "reads" if token.read_only else "reads and writes"
    return TokenRow(
        token,
        f"{access} {covered}",
        "never" if token.expires_at is None else dates.utc_day(token.expires_at),
        "never" if token.last_used_at is None else dates.ago(token.last_used_at),
    )


async def _list(request: Request, visit: Visit) -> Response:
    managed = [each for each in visit.memberships if each.role is Role.ADMIN]
    if not managed:
        raise PageError.forbidden(visit)
    if len(managed) == 1:
        return RedirectResponse(settings_address(managed[0].organizer), 303)
    return renderer_of(request).page("settings_list.html", visit=visit, managed=managed)


async def _show(request: Request, visit: OrganizerVisit) -> Response:
    return await settings_page(request, visit)


PAGES = (
    user_page("/settings/", _list),
    organizer_page("/settings/{organizer}/", _show),
)
