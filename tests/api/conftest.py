"""What the tests of the API share: one server for all, and an event of each test's own."""

import asyncio
import itertools
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.app import create_app
from serving.protocol import BoundedProtocol
from tracking import tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

# Events are made in batches: one by one, that would take most of the tests' time.
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Served:
    """The running server and its database's file."""

    url: str
    file: Path

    def database(self) -> Database:
        """A connection of the test's own."""
        return Database(f"sqlite+aiosqlite:///{self.file}", timeout=5.0)

    def rows(self) -> list[str]:
        """Everything that is stored, as SQL, but for when tokens were used: any request says so."""
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            uses = 'INSERT INTO "token_uses"'
            return [line for line in connection.iterdump() if not line.startswith(uses)]

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Checks that nothing was written meanwhile."""
        before = self.rows()
        yield
        assert self.rows() == before


@dataclass(frozen=True, slots=True)
class Organizer:
    """An organizer with the events `winter` and `spring`, and its tokens.

    Attributes:
        rival: another organizer, who has an event `winter` as well.
        full: for everything.
        read_only: may read everything.
        spring_only: for one event.
        stranger: the rival's.
    """

    slug: str
    rival: str
    full: str
    read_only: str
    spring_only: str
    revoked: str
    stranger: str


@dataclass(frozen=True, slots=True)
class Shop:
    """An event of the test's own, and a client.

    Attributes:
        client: carries the full token; its base URL is the event's.
    """

    served: Served
    organizer: Organizer
    slug: str
    client: httpx.AsyncClient

    @property
    def path(self) -> str:
        """The event's path, with a slash at its end."""
        return f"/api/v1/organizers/{self.organizer.slug}/events/{self.slug}/"

    @property
    def url(self) -> str:
        """The event's URL, with a slash at its end."""
        return f"{self.served.url}{self.path}"

    def url_of(self, organizer: str, event: str) -> str:
        """Another event's URL, with a slash at its end."""
        return f"{self.served.url}/api/v1/organizers/{organizer}/events/{event}/"

    async def campaign(self, **values: object) -> dict[str, object]:
        """Makes a campaign."""
        response = await self.client.post("campaigns/", json={"description": "Poster", **values})
        assert response.status_code == 201, response.text
        made: dict[str, object] = response.json()
        return made

    async def category(self, **values: object) -> dict[str, object]:
        """Makes a category."""
        response = await self.client.post("categories/", json={"name": "Tickets", **values})
        assert response.status_code == 201, response.text
        made: dict[str, object] = response.json()
        return made


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server in a thread of its own, over a SQLite file."""
    # Long enough for writes that queue on a busy machine, short enough to wait for in tests.
    settings = Settings(data_dir=tmp_path_factory.mktemp("api"), database_timeout=2.0)
    asyncio.run(_migrate(settings))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            lifespan="on",
            log_config=None,
            http=BoundedProtocol,
            proxy_headers=False,
            date_header=False,
            server_header=False,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", settings.data_dir / "waymark.db")
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="session")
def organizer(served: Served) -> Organizer:
    """The organizer of all tests' events."""
    return asyncio.run(_make_organizer(served))


@pytest.fixture(scope="session")
def new_events(served: Served, organizer: Organizer) -> Iterator[str]:
    """Slugs of events that no test has used yet."""

    def made() -> Iterator[str]:
        for start in itertools.count(step=_BATCH):
            slugs = [f"summer{number}" for number in range(start, start + _BATCH)]
            asyncio.run(_make_events(served, organizer, slugs))
            yield from slugs

    return made()


@pytest.fixture
def new_event(new_events: Iterator[str]) -> str:
    """The slug of an event of the test's own."""
    return next(new_events)


@pytest.fixture
async def shop(served: Served, organizer: Organizer, new_event: str) -> AsyncIterator[Shop]:
    """An event of the test's own, and a client."""
    # Loading certificates, which nothing here needs, would take longer than most of the tests.
    async with httpx.AsyncClient(
        headers={"Authorization": f"Token {organizer.full}"}, timeout=30, verify=False
    ) as client:
        shop = Shop(served, organizer, new_event, client)
        client.base_url = httpx.URL(shop.url)
        yield shop


async def _make_organizer(served: Served) -> Organizer:
    slug, rival = "acme", "zenith"
    database = served.database()
    async with database.write() as connection:
        await ensure_event(connection, slug, "winter")
        spring = await ensure_event(connection, slug, "spring")
        foreign = await ensure_event(connection, rival, "winter")
        owner = spring.organizer_id
        revoked = await tokens.create(connection, owner)
        found = await tokens.find(connection, revoked)
        assert found is not None
        await tokens.revoke(connection, found.id)
        made = Organizer(
            slug=slug,
            rival=rival,
            full=await tokens.create(connection, owner),
            read_only=await tokens.create(connection, owner, read_only=True),
            spring_only=await tokens.create(connection, owner, event_ids=[spring.id]),
            revoked=revoked,
            stranger=await tokens.create(connection, foreign.organizer_id),
        )
    await database.close()
    return made


async def _make_events(served: Served, organizer: Organizer, slugs: list[str]) -> None:
    database = served.database()
    async with database.write() as connection:
        for slug in slugs:
            await ensure_event(connection, organizer.slug, slug)
    await database.close()


async def _migrate(settings: Settings) -> None:
    database = Database.of(settings)
    await database.migrate()
    await database.close()
