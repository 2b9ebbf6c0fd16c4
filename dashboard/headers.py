"""What every answer says to browsers: load nothing from elsewhere, be framed by nobody."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.security import SECURITY_HEADERS, content_security_policy
from tracking.settings import Settings

_POLICY: Final = content_security_policy(
    connect_src="'self'",
    font_src="'self'",
    form_action="'self'",
    img_src="'self'",
    script_src="'self'",
    style_src="'self'",
)
_HEADERS: Final = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Under `no-referrer` a browser sends `Origin: null` with a form (Fetch, "serializing a request
    # origin"), and nobody could tell our forms from others'.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
_TRANSPORT_SECURITY = "max-age=31536000"  # a year, in seconds


def security_headers(settings: Settings) -> dict[str, str]:
    """What every answer says."""
    headers = dict(_HEADERS)
    if settings.dashboard_origin.startswith("https:"):
        headers["Strict-Transport-Security"] = _TRANSPORT_SECURITY
    return headers


class SecurityHeaders:
    """Adds the headers to every answer, unless it says otherwise itself."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = security_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
