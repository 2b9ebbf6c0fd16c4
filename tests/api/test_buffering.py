"""Pages of large items: whole, of one moment, and no burden for others while nobody reads them."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Shop
from tests.processes import free_port, started
from tests.waiting import until
from tracking import categories, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

LIST = "/api/v1/organizers/acme/events/summer/categories/"
ITEMS = 50
# A page of almost 8 MiB, which is as much as it may have.
TEXTS = dict.fromkeys(("de", "en", "fr"), "x" * 50_000)
PAGE_BYTES = ITEMS * 3 * 50_000
MAX_PER_TOKEN = 4


async def fill(database: Database, event_id: int, texts: dict[str, str]) -> None:
    """Makes a page of categories with these texts."""
    async with database.write() as connection:
        for position in range(ITEMS):
            await categories.create(
                connection,
                event_id,
                name=texts,
                internal_name="0",
                description=None,
                position=position,
                is_addon=False,
            )


async def test_a_large_page_is_as_a_small_one(shop: Shop) -> None:
    """Every item once and in order, in JSON of the same form, whichever parts it is made of."""
    chance = random.Random(7)
    sizes = chance.choices([1, 100, 20_000, 40_000], k=70)
    made = [
        await shop.category(
            name={"en": "é" * size, "de": '"\\\u2028'}, position=chance.randrange(9)
        )
        for size in sizes
    ]
    expected = sorted(made, key=lambda each: (each["position"], each["id"]))
    collected = []
    for page in (1, 2):
        path = f"categories/?page={page}"
        listed = await shop.client.get(path)
        assert listed.status_code == 200
        assert len(listed.content) > 256 * 1024
        answer = listed.json()
        assert listed.content == httpx.Response(200, json=answer).content
        assert list(answer) == ["count", "next", "previous", "results"]
        assert (answer["count"], len(answer["results"])) == (70, 50 if page == 1 else 20)
        assert (answer["next"] is None, answer["previous"] is None) == (page == 2, page == 1)
        collected += answer["results"]
        head = await shop.client.head(path)
        assert head.content == b""
        for headers in (head.headers, listed.headers):
            headers.pop("Date")
        assert head.headers == listed.headers
        assert listed.headers["Content-Type"] == "application/json"
        if "Last-Modified" in listed.headers:
            since = {"If-Modified-Since": listed.headers["Last-Modified"]}
            assert (await shop.client.get(path, headers=since)).status_code == 304
    assert collected == expected
    backwards = await shop.client.get("categories/?ordering=-id&page_size=20&is_addon=false")
    assert backwards.json()["results"] == sorted(made, key=lambda each: -int(str(each["id"])))[:20]


async def test_a_large_page_is_of_one_moment(shop: Shop) -> None:
    """While all of its items are changed together, again and again, a page never has a mixture."""
    database = shop.served.database()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", shop.slug)
    await fill(database, event.id, {"en": "x" * 30_000})
    written = 0

    async def write() -> None:
        nonlocal written
        ids = [each["id"] for each in (await shop.client.get("categories/")).json()["results"]]
        while True:
            written += 1
            async with database.write() as connection:
                for id in ids:
                    await categories.change(
                        connection, event.id, id, {"internal_name": str(written)}
                    )

    writer = asyncio.create_task(write())
    await until(lambda: written > 1)
    try:
        moments = set()
        for _ in range(12):
            listed = (await shop.client.get("categories/")).json()["results"]
            assert len({each["internal_name"] for each in listed}) == 1
            moments.add(listed[0]["internal_name"])
        assert len(moments) > 1
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer
        await database.close()


@dataclass(frozen=True)
class Service:
    """A process with a large page, and tokens that may read it.

    Attributes:
        greedy: of slow readers.
        other: of somebody else.
    """

    port: int
    pid: int
    greedy: tuple[str, ...]
    other: str

    def headers(self, token: str) -> dict[str, str]:
        """What a request with this token has."""
        return {"Authorization": f"Token {token}"}

    @property
    def url(self) -> str:
        """The large list's."""
        return f"http://127.0.0.1:{self.port}{LIST}"

    def peak_bytes(self) -> int:
        """The most memory that the process ever had, proc(5)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0


@asynccontextmanager
async def service_of(directory: Path) -> AsyncIterator[Service]:
    """Starts it, with the page written before."""
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        made = [await tokens.create(connection, event.organizer_id) for _ in range(5)]
    await fill(database, event.id, TEXTS)
    await database.close()
    port = free_port()
    timeouts = {"DATABASE_TIMEOUT": "1", "LIST_TIMEOUT": "60"}
    settings = {"DATA_DIR": str(directory), "API_PORT": str(port), **timeouts}
    with started("api", **settings) as process:
        service = Service(port, process.pid, tuple(made[:-1]), made[-1])
        async with httpx.AsyncClient(verify=False) as client:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    url = f"{service.url}?page_size=1&ordering=id"
                    headers = service.headers(made[0])
                    return (await client.head(url, headers=headers)).status_code == 200
                return False

            await until(answers)
        yield service


@contextmanager
def slow_reader(service: Service, token: str) -> Iterator[socket.socket]:
    """A client that asks for the page and reads no more than the head of the answer."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", service.port))
        client.sendall(
            f"GET {LIST} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\r\n".encode()
        )
        yield client


async def head_of(client: socket.socket) -> bytes:
    """The first bytes of an answer."""
    return await asyncio.to_thread(client.recv, 100)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A process of the test's own."""
    async with service_of(tmp_path) as service:
        yield service


async def test_slow_readers_hold_no_memory_and_nobody_up(service: Service) -> None:
    """As many as a token may have: the page is not in memory, others are served, and no more."""
    async with httpx.AsyncClient(timeout=30, verify=False) as client:
        before = service.peak_bytes()
        asking = service.greedy * MAX_PER_TOKEN
        readers = [slow_reader(service, token) for token in asking]
        sockets = [reader.__enter__() for reader in readers]
        for each in sockets:
            assert (await head_of(each)).startswith(b"HTTP/1.1 200 ")
        # All that is read at once is held for each, and a part of one page.
        assert service.peak_bytes() - before < 3 * PAGE_BYTES
        refused = await client.get(service.url, headers=service.headers(service.greedy[0]))
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
        small = await client.get(f"{service.url}99/", headers=service.headers(service.greedy[0]))
        assert small.status_code == 404
        whole = await client.get(service.url, headers=service.headers(service.other))
        assert len(whole.content) > PAGE_BYTES
        assert len(whole.json()["results"]) == ITEMS
        for reader in readers:
            reader.__exit__(None, None, None)

        async def is_free() -> bool:
            head = await client.head(service.url, headers=service.headers(service.greedy[0]))
            return head.status_code == 200

        await until(is_free)
