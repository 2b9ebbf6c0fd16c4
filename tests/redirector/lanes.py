"""A redirector whose lanes can be compared."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import Receive, Scope, Send

from redirector.app import create_app
from redirector.counters import PENDING
from redirector.express import STATE_KEY, Express
from redirector.links import Links
from redirector.protocol import Protocol
from tests.redirector.counting import counted
from tests.redis_server import RedisServer
from tests.serving import running
from tests.serving.client import Watched
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


class WatchedExpress(Watched, Protocol):
    """The protocol with the express lane."""


class WatchedStarlette(Watched):
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
    protocol: type[Watched] = WatchedExpress,
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
