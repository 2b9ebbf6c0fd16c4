"""An organizer's users: added with a role, changed, and taken away."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboard.access.door import organizer_page
from dashboard.access.visit import OrganizerVisit
from dashboard.addresses import settings_address
from dashboard.errors import PageError
from dashboard.forms import Form, text
from dashboard.screens.settings.overview import Said, may_have_link, settings_page
from dashboard.state import database_of, settings_of
from tracking.access import sign_in_links, users
from tracking.access.users import InvalidEmailError, LastAdminError, Membership, Role, User
from tracking.database import Transaction


class _RefusedError(Exception):
    """Somebody can't be added; the text says why."""


def _check_addable(visit: OrganizerVisit, user: User, theirs: tuple[Membership, ...]) -> None:
    """Whether a user may be added here, who has these roles.

    Somebody of another organizer's may have made their password, or be signed in as them, and would
    see this organizer's events: only who runs the server brings both together.

    Raises:
        _RefusedError: they may not.
    """
    if any(each.organizer_id == visit.organizer.organizer_id for each in theirs):
        raise _RefusedError(f"{user.email} is a user already.")
    if not may_have_link(visit, theirs):
        raise _RefusedError(
            "This address belongs to somebody of another organizer\u2019s. Who runs this server "
            "can add them, with waymark user create."
        )


async def _add(request: Request, visit: OrganizerVisit, form: Form) -> Response:
    """Adds a user; who is new gets an address that signs in, which is shown once."""
    email = text(form, "email").strip()
    role = _role(form)
    secret = None
    try:
        async with database_of(request).write(by=visit.author) as connection:
            user = await users.create(connection, email)
            before = await users.memberships_of(connection, user.id)
            _check_addable(visit, user, before)
            await users.set_role(connection, user.id, visit.organizer.organizer_id, role)
            if not before:
                secret = await sign_in_links.create(connection, user.id)
    except _RefusedError as error:
        return await _wrong(request, visit, email, str(error))
    except InvalidEmailError:
        return await _wrong(request, visit, email, "An e-mail address is required.")
    return await settings_page(request, visit, _told(request, user, secret))


async def _change(request: Request, visit: OrganizerVisit, form: Form) -> Response:
    """Changes a user's role, takes it away, or makes an address that signs them in."""
    action = text(form, "action")
    try:
        async with database_of(request).write(by=visit.author) as connection:
            user, secret = await _apply(connection, request, visit, action, _role(form))
    except LastAdminError as error:
        return await settings_page(request, visit, Said("user", errors={"form": str(error)}), 400)
    if action == "link":
        return await settings_page(request, visit, _told(request, user, secret))
    return RedirectResponse(settings_address(visit.organizer.organizer), 303)


async def _apply(
    connection: Transaction, request: Request, visit: OrganizerVisit, action: str, role: Role
) -> tuple[User, str | None]:
    organizer_id = visit.organizer.organizer_id
    listed = await users.list_(connection, organizer_id)
    found = [user for user, _ in listed if user.id == request.path_params["user"]]
    if not found:
        raise PageError.not_found(visit)
    [user] = found
    match action:
        case "role":
            await users.set_role(connection, user.id, organizer_id, role)
        case "remove":
            await users.end_membership(connection, user.id, organizer_id)
        case "link":
            theirs = await users.memberships_of(connection, user.id)
            if not may_have_link(visit, theirs):
                raise PageError.forbidden(visit)
            return user, await sign_in_links.create(connection, user.id)
        case _:
            raise PageError.unreadable(visit)
    return user, None


def _told(request: Request, user: User, secret: str | None) -> Said:
    if secret is None:
        notice = f"{user.email} had an account already, and signs in as before."
        return Said("user", notice=notice)
    address = f"{settings_of(request).dashboard_origin}/sign-in/{secret}"
    notice = f"Give {user.email} this address. It signs in once, within 15 minutes:"
    return Said("user", secret=address, notice=notice)


async def _wrong(request: Request, visit: OrganizerVisit, email: str, message: str) -> Response:
    said = Said("user", errors={"email": message}, typed={"email": email})
    return await settings_page(request, visit, said, 400)


def _role(form: Form) -> Role:
    try:
        return Role(text(form, "role"))
    except ValueError:
        return Role.VIEWER


PAGES = (
    organizer_page("/settings/{organizer}/users/", act=_add),
    organizer_page("/settings/{organizer}/users/{user:int}/", act=_change),
)
