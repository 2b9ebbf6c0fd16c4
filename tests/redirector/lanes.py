"""A redirector whose lanes can be compared."""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from redirector.http.app import create_app
from redirector.http.express import STATE_KEY, Express
from redirector.http.protocol import Protocol
from redirector.links.cache import Links
from redirector.recording.recorder import Recorder
from tests.redirector.counting import journalled
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
    journals: Path
    codes: dict[int, str]
    links: Links
    recorder: Recorder
    taken: Clicks = field(default_factory=Counter)
    express_requests: int = 0
    asgi_requests: int = 0

    @contextmanager
    def hanging_disk(self) -> Iterator[None]:
        """Meanwhile nothing is written to the journal."""
        goes_on = threading.Event()
        self.recorder._journal._thread.submit(goes_on.wait, lambda _, error: None)
        try:
            yield
        finally:
            goes_on.set()

    def forget_links(self) -> None:
        """Empties the cache."""
        for code in TARGETS:
            self.links.forget(code)

    def take_clicks(self) -> Clicks:
        """What was counted since this was last asked."""
        clicks: Clicks = Counter()
        for (id, audience), number in journalled(self.journals, self.recorder.writer).items():
            clicks[self.codes[id], audience] += number
        new = clicks - self.taken
        self.taken = clicks
        return new


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
    """A redirector whose clicks wait until they are stored, with all links cached."""
    options = {"redis_url": redis.url, "commit_timeout": 30}
    settings = settings.model_copy(update=options)
    app = create_app(settings)
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
        lane = Lane(
            serving.server,
            serving.port,
            settings.journal_dir,
            codes,
            links,
            app.state.service.recorder,
        )
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
