"""A redirector whose lanes can be compared, and a client that decides what a packet is."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from redirector.app import create_app
from redirector.counters import PENDING
from redirector.express import STATE_KEY, Express
from redirector.links import Links
from redirector.protocol import Protocol
from serving.protocol import BoundedProtocol
from tests.redirector.counting import counted
from tests.redis_server import RedisServer
from tests.serving import running
from tests.waiting import until
from tracking import campaigns
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

TARGETS = {
    "news1": "https://shop.example/tickets?a=1#top",
    "plain": "https://shop.example/tickets",
    "fragment": "https://shop.example/#a?b#c",
    "open": "https://shop.example/tickets?a=1&",
    "letters": "https://shop.example/caf\u00e9?n=%20\u00fc",
    "long": "https://shop.example/" + "x" * 2000,
    "shop": "",
}

Clicks = Counter[tuple[str, str]]
"""Clicks by code and audience."""


class _Watched(BoundedProtocol):
    """Counts the bytes that have come."""

    received = 0

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        self.received += len(data)
        super().data_received(data)


class WatchedExpress(_Watched, Protocol):
    """The protocol with the express lane."""


class WatchedStarlette(_Watched):
    """The protocol without."""


@dataclass(slots=True)
class Lane:
    """A redirector at work with the campaigns of `TARGETS`, all of acme's summer.

    Attributes:
        express_requests: how many were taken into the express lane.
        asgi_requests: how many came to Starlette.
    """

    server: uvicorn.Server
    port: int
    redis: RedisServer
    codes: dict[int, str]
    links: Links
    express_requests: int = 0
    asgi_requests: int = 0

    def connections(self) -> set[_Watched]:
        """The server's ends of what is connected."""
        return cast("set[_Watched]", set(self.server.server_state.connections))

    def forget_links(self) -> None:
        """Empties the cache."""
        for code in TARGETS:
            self.links.forget(code)

    def take_clicks(self) -> Clicks:
        """What Redis has counted since this was last asked."""
        clicks: Clicks = Counter()
        for (id, audience), number in counted(self.redis).items():
            clicks[self.codes[id], audience] += number
        with self.redis.client() as client:
            client.delete(PENDING)
        return clicks


async def create_campaigns(database: Database) -> dict[int, str]:
    """Creates the campaigns of `TARGETS`; their codes by id."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        return {
            (
                await campaigns.create(
                    connection, event.id, code=code, description=code, external_target=target
                )
            ).id: code
            for code, target in TARGETS.items()
        }


@asynccontextmanager
async def lane(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    protocol: type[_Watched] = WatchedExpress,
    *,
    access_log: bool = False,
    proxy_headers: bool = False,
    root_path: str = "",
    timeout_keep_alive: int = 60,
) -> AsyncIterator[Lane]:
    """A redirector whose clicks wait until Redis has confirmed them, with all links cached."""
    options = {"redis_url": redis.url, "commit_timeout": 30}
    app = create_app(settings.model_copy(update=options))
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=access_log,
        proxy_headers=proxy_headers,
        root_path=root_path,
        timeout_keep_alive=timeout_keep_alive,
    )
    async with running(config) as serving:
        links = app.state.service.links
        lane = Lane(serving.server, serving.port, redis, codes, links)
        # Its first look at the change feed empties the cache.
        await until(lambda: links.presence.known)
        for code in TARGETS:
            await links.find(code)
        _watch(lane, config, serving.server.lifespan.state[STATE_KEY])
        yield lane


def _watch(lane: Lane, config: uvicorn.Config, express: Express) -> None:
    """Has the lane count what passes at its two ends."""
    record, app = express.record, config.loaded_app

    def counting_record(campaign_id: int, audience: Audience, answer: Callable[[], None]) -> None:
        lane.express_requests += 1
        record(campaign_id, audience, answer)

    async def counting_app(scope: Scope, receive: Receive, send: Send) -> None:
        lane.asgi_requests += 1
        await app(scope, receive, send)

    express.record = counting_record
    config.loaded_app = counting_app


class Client(asyncio.Protocol):
    """A connection whose packets come to the server one by one, as they are sent.

    Attributes:
        received: all that came back.
        closed_at: when the server closed it, in the event loop's time.
        peer: the server's end.
    """

    transport: asyncio.Transport
    peer: _Watched

    def __init__(self) -> None:
        self.received = b""
        self.closed = False
        self.closed_at = 0.0
        self._sent = 0

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Called at the end."""
        self.closed = True
        self.closed_at = asyncio.get_running_loop().time()

    async def send(self, *packets: bytes) -> None:
        """Sends packets, each when the server has got the one before."""
        for packet in packets:
            if self.closed:
                return
            self.transport.write(packet)
            self._sent += len(packet)
            await until_soon(lambda: self.closed or self.peer.received >= self._sent)

    async def idle(self) -> None:
        """Returns once the server has answered what it has got."""
        await until_soon(lambda: self.closed or self.is_answered())

    def is_answered(self) -> bool:
        """Whether the server has answered what it has got."""
        cycle = cast("RequestResponseCycle | None", self.peer.cycle)
        return cycle is None or cycle.response_complete

    def heads(self) -> int:
        """How many answers came so far."""
        return self.received.count(b"HTTP/1.1 ")


async def until_soon(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds, which takes the event loop a few turns."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


@asynccontextmanager
async def connected(lane: Lane) -> AsyncIterator[Client]:
    """A client with a connection of its own."""
    before = lane.connections()
    loop = asyncio.get_running_loop()
    client = Client()
    client.transport, _ = await loop.create_connection(lambda: client, "127.0.0.1", lane.port)
    await until(lambda: len(lane.connections() - before) == 1)
    [client.peer] = lane.connections() - before
    yield client
    client.transport.abort()
