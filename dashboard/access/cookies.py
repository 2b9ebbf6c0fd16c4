"""The dashboard's cookies: a session's, and one by which a stranger's forms are known."""

from starlette.requests import Request
from starlette.responses import Response

from tracking.access.sessions import LIFETIME
from tracking.settings import Settings

_SESSION = "waymark-session"
_STRANGER = "waymark-form"


def session_secret(request: Request, settings: Settings) -> str | None:
    """The secret of the browser's session, if it has one."""
    return request.cookies.get(_name(_SESSION, settings))


def form_secret(request: Request, settings: Settings) -> str | None:
    """By which a browser that is not signed in is known to have got a form of ours."""
    return request.cookies.get(_name(_STRANGER, settings))


def set_session(response: Response, secret: str, settings: Settings) -> None:
    """Signs the browser in, for as long as a session lasts unused."""
    _set(response, _SESSION, secret, settings, int(LIFETIME))


def set_form_secret(response: Response, secret: str, settings: Settings) -> None:
    """Has the browser show the secret until it is closed."""
    _set(response, _STRANGER, secret, settings)


def forget_session(response: Response, settings: Settings) -> None:
    """Signs the browser out."""
    _set(response, _SESSION, "", settings, 0)


def _is_secure(settings: Settings) -> bool:
    return settings.dashboard_origin.startswith("https:")


def _name(name: str, settings: Settings) -> str:
    # A browser takes a cookie of such a name from this host alone, and from no neighbour of it.
    return f"__Host-{name}" if _is_secure(settings) else name


def _set(
    response: Response, name: str, value: str, settings: Settings, max_age: int | None = None
) -> None:
    response.set_cookie(
        _name(name, settings),
        value,
        max_age=max_age,
        httponly=True,
        samesite="lax",
        secure=_is_secure(settings),
    )
