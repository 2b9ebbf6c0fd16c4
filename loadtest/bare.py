"""`python -m loadtest.bare PORT`: uvicorn with a constant 302, which counts nothing."""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

from loadtest.loopback import HOST
from tracking import process

_START = {
    "type": "http.response.start",
    "status": 302,
    "headers": [(b"location", b"https://tickets.example/"), (b"content-length", b"0")],
}
_BODY = {"type": "http.response.body", "body": b""}


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers."""
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    process.hold_stop_signals()
    uvicorn.run(
        app,
        host=HOST,
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
