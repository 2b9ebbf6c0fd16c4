"""A server with an app that does what a test tells it, behind limits of the test's own."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.types import Receive, Scope, Send

from serving.limits import Limits
from tests.serving import running
from tests.serving.client import Client, Watched, connected

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

# More than any of these tests takes; a test of one of them has it shorter.
LONG = 60


class Bounded(Watched):
    """With limits that a test does not wait long for."""

    limits = Limits(body_seconds=LONG, write_seconds=LONG, linger_seconds=LONG)


class Hasty(Watched):
    """With the shortest."""

    limits = Limits(body_seconds=0.2, write_seconds=0.2, linger_seconds=0.2)


@dataclass
class App:
    """Answers with 204, or what it is told to.

    Attributes:
        reads: whether it reads a request's body before it answers.
        body: the answer's; none: 204.
        may_answer: when it may.
        asked: how many requests came.
        gone: how many of them were over before their body was there.
        received: bytes of bodies.
    """

    reads: bool = False
    body: bytes = b""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    answered: int = 0
    gone: int = 0
    received: int = 0

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        self.asked += 1
        while self.reads:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            self.received += len(message["body"])
            if not message["more_body"]:
                break
        await self.may_answer.wait()
        headers = [(b"content-length", b"%d" % len(self.body))] if self.body else []
        status = 200 if self.body else 204
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
        self.answered += 1


@dataclass(frozen=True, slots=True)
class Served:
    """A server at work with its app."""

    server: uvicorn.Server
    port: int
    app: App


@asynccontextmanager
async def served(
    app: App,
    protocol: type[Watched] = Bounded,
    *,
    head_seconds: int = LONG,
    max_connections: int | None = None,
) -> AsyncIterator[Served]:
    """The app behind the protocol."""
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="uvloop",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=head_seconds,
        limit_concurrency=max_connections,
    )
    async with running(config) as serving:
        yield Served(serving.server, serving.port, app)


@asynccontextmanager
async def one(app: App, protocol: type[Watched] = Bounded, **options: int) -> AsyncIterator[Client]:
    """A client of such a server."""
    async with served(app, protocol, **options) as server, connected(server) as client:
        yield client


def statuses(client: Client) -> list[int]:
    """Of the answers so far."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", client.received)]
