"""Headers that every answer of the API has, whatever made it."""

from email.utils import formatdate

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from serving.security import SECURITY_HEADERS, content_security_policy

# Nobody's browser is to guess what an answer is, to tell where it was read, or to show it within
# another page. What is answered is for who asked, as it was then: no cache keeps it.
_DEFAULTS = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": content_security_policy(),
    "Cache-Control": "no-store",
}


class Api(FastAPI):
    """FastAPI whose answers all have them, those to errors that nobody foresaw too.

    Its answers have a `Date` of their own, so that no other date in them is later (RFC 9110,
    section 8.8.2.1): a server that would add one, as uvicorn does, read the clock up to a second
    earlier.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _DEFAULTS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Date", formatdate(usegmt=True))
            await send(message)

        await super().__call__(scope, receive, send_with_headers)
