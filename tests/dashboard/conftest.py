"""What the tests of the dashboard share: a running one, people with every role, nasty names."""

import re
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from dashboard.app import create_app
from serving.protocol import BoundedProtocol
from tests.tracking.counting import batch_of
from tracking import campaigns, clicks, heartbeat, orders, organizers, tokens
from tracking.access import sessions, shares, users
from tracking.access.users import Role
from tracking.clicks import Audience, hour_of
from tracking.database import Database
from tracking.organizers import EventDetails
from tracking.settings import Settings

NASTY = "\"'><script>alert(1)</script></title>{{7*7}}"
"""A name that would break a page which does not escape it."""

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Content:
    """What there is: an event of `acme`'s with links, another without, one of a stranger's."""

    campaign: int
    share: str
    campaign_share: str
    token: int
    users: Mapping[str, int]


class Visitor:
    """A browser without scripts: keeps cookies, and sends forms as pages have them."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, address: str) -> httpx.Response:
        """Asks for a page; is not led on."""
        return await self.client.get(address)

    async def token(self, address: str = "/account/") -> str:
        """The token of a form on a page."""
        page = (await self.get(address)).text
        found = _TOKEN.search(page)
        assert found is not None, page
        return found[1]

    async def post(
        self, address: str, *, origin: str | None = None, **fields: str
    ) -> httpx.Response:
        """Sends a form with a token of theirs, from this server unless another is said."""
        if "csrf" not in fields:
            fields["csrf"] = await self.token()
        headers = {"Origin": str(self.client.base_url).rstrip("/") if origin is None else origin}
        return await self.client.post(address, data=fields, headers=headers)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A running dashboard."""

    url: str
    settings: Settings
    content: Content

    def database(self) -> Database:
        """A connection of the test's own."""
        return Database(self.settings.sql_url, timeout=5.0)

    async def session(self, who: str) -> str:
        """A new session's secret: of the user with this role, or `stranger`."""
        database = self.database()
        async with database.write() as connection:
            secret = await sessions.open_(connection, self.content.users[who], "a test")
        await database.close()
        return secret

    @asynccontextmanager
    async def visitor(self, who: str = "") -> AsyncIterator[Visitor]:
        """A browser; signed in as somebody unless `who` is empty."""
        cookies = {"waymark-session": await self.session(who)} if who else {}
        async with httpx.AsyncClient(
            base_url=self.url, cookies=cookies, timeout=30, verify=False
        ) as client:
            yield Visitor(client)


@pytest.fixture
async def dashboard(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Dashboard]:
    """A real server in a thread of its own, over a SQLite file."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    shutil.copy(migrated, tmp_path / "waymark.db")
    with _port() as listener:
        port = listener.getsockname()[1]
        settings = Settings(data_dir=tmp_path, database_timeout=2.0, dashboard_port=port)
        content = await _fill(settings)
        with _running(settings, listener):
            yield Dashboard(f"http://127.0.0.1:{port}", settings, content)


def _port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def _running(settings: Settings, listener: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        create_app(settings),
        lifespan="on",
        log_config=None,
        http=BoundedProtocol,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


async def _fill(settings: Settings) -> Content:
    database = Database(settings.sql_url, timeout=5.0)
    async with database.write() as connection:
        event = await organizers.ensure_event(
            connection,
            "acme",
            "fest",
            name=NASTY,
            organizer_name=NASTY,
            details=EventDetails(timezone="Europe/Berlin"),
        )
        await organizers.ensure_event(connection, "acme", "empty")
        other = await organizers.ensure_event(connection, "rival", "fest")
        made = await campaigns.create(
            connection,
            event.id,
            description=NASTY,
            code="poster",
            external_target="https://x.example/?a=<b>",
        )
        await campaigns.create(connection, event.id, description="=Formula", code="-flyer")
        await orders.attribute(connection, event.id, made.id, "A1")
        people = {}
        for role in Role:
            user = await users.create(connection, f"{role}@acme.example")
            await users.set_role(connection, user.id, event.organizer_id, role)
            people[role.value] = user.id
        stranger = await users.create(connection, "admin@rival.example")
        await users.set_role(connection, stranger.id, other.organizer_id, Role.ADMIN)
        people["stranger"] = stranger.id
        share = await shares.create(connection, event.id, None, name=NASTY)
        of_campaign = await shares.create(connection, event.id, made.id, name="A partner")
        await tokens.create(connection, event.organizer_id, name=NASTY)
        [token] = await tokens.list_(connection, event.organizer_id)
        await heartbeat.beat(connection, redis_reachable=True)
    now = hour_of(token.created_at)
    async with database.write() as connection:
        await clicks.apply(
            connection,
            [
                batch_of(
                    (made.id, now, Audience.HUMAN, 12),
                    (made.id, now - 30, Audience.HUMAN, 3),
                    (made.id, now, Audience.BOT, 2),
                )
            ],
        )
    await database.close()
    return Content(made.id, share, of_campaign, token.id, people)
