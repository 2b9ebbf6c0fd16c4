"""An answer that comes before its request is over."""

import asyncio
from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

# Whoever sends on for longer, or more, than this does not listen.
_SECONDS = 2.0
_BYTES = 16 * 1024 * 1024


class LingeringResponse(JSONResponse):
    """Answers at once, then reads what the client still sends, for a while, and closes.

    Closing a connection whose data was not read resets it, and with it goes the answer that the
    client has not read yet (RFC 9112, section 9.6).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as an ASGI application."""
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await _drop(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drop(receive: Receive) -> None:
    dropped = 0
    while dropped < _BYTES:
        message: Message = await receive()
        if not message.get("more_body", False):
            return
        dropped += len(message["body"])
