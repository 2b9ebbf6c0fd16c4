"""One organizer's searches, orders and large pages hold up nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.errors import ApiError
from api.expensive_reads import MAX_AT_ONCE, ExpensiveReads
from tests.processes import free_port, started
from tests.waiting import until
from tracking import campaigns, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.pools import READERS
from tracking.settings import Settings

EVENT = "/api/v1/organizers/{}/events/summer/"
# A table whose rows have no end, in the place of the one that searches read.
ENDLESS_TEXTS = (
    "DROP TABLE campaign_texts",
    """
    CREATE VIEW campaign_texts AS
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT events.id AS event_id, i AS campaign_id, 'text ' || i AS text FROM events, n
    """,
)


SEARCH = "campaigns/?search=zzz"


@dataclass(frozen=True)
class Access:
    """A token, and whose it is."""

    organizer: str
    token: str


@dataclass(frozen=True)
class Service:
    """A process in which no search ends by itself.

    Attributes:
        greedy: of one organizer.
        crowd: of others, more than there are connections.
        modest: of yet another.
    """

    client: httpx.AsyncClient
    greedy: list[Access]
    crowd: list[Access]
    modest: Access

    async def get(self, access: Access, path: str) -> httpx.Response:
        """Asks for a part of the organizer's event."""
        headers = {"Authorization": f"Token {access.token}"}
        return await self.client.get(EVENT.format(access.organizer) + path, headers=headers)


@asynccontextmanager
async def service_of(directory: Path, list_timeout: str) -> AsyncIterator[Service]:
    """Starts it, with a campaign of each organizer."""
    organizers = ["acme"] * 3 + [f"rival{number}" for number in range(READERS + 1)] + ["zenith"]
    made = []
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    async with database.write() as connection:
        for organizer in organizers:
            event = await ensure_event(connection, organizer, "summer")
            await campaigns.create(connection, event.id, description="Poster")
            made.append(Access(organizer, await tokens.create(connection, event.organizer_id)))
        for statement in ENDLESS_TEXTS:
            await connection.exec_driver_sql(statement)
    await database.close()
    port = free_port()
    settings = {"DATA_DIR": str(directory), "API_PORT": str(port), "LIST_TIMEOUT": list_timeout}
    url = f"http://127.0.0.1:{port}"
    with started("api", **settings):
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as client:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return (await client.get("/healthz")).status_code == 200
                return False

            await until(answers)
            yield Service(client, made[:3], made[3:-1], made[-1])


async def test_searches_hold_up_nothing_that_costs_little(tmp_path: Path) -> None:
    """While one organizer's many searches are under way, and then those of many, all are served."""
    async with service_of(tmp_path, "60") as service:
        searches: list[asyncio.Task[httpx.Response]] = []

        async def search(accesses: list[Access]) -> None:
            """Begins them; then everybody is answered what costs little."""
            searches.extend(asyncio.create_task(service.get(access, SEARCH)) for access in accesses)
            for access in (service.modest, *service.greedy) * READERS:
                for path in ("", "campaigns/", "campaigns/?ordering=-click_count", "categories/"):
                    answer = await service.get(access, path)
                    assert answer.status_code == 200, answer.text

        await search(service.greedy * 8)
        # Another's turn does not come behind all of that organizer's.
        path = "campaigns/?ordering=description,-click_count"
        assert (await service.get(service.modest, path)).status_code == 200
        await search(service.crowd)
        assert not any(each.done() for each in searches)
        for each in searches:
            each.cancel()
        await asyncio.gather(*searches, return_exceptions=True)


async def test_a_search_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """More often than there are connections: each is told so, and all are usable again."""
    async with service_of(tmp_path, "0.2") as service:
        for _ in range(READERS + 1):
            search = await service.get(service.greedy[0], SEARCH)
            assert search.status_code == 503
            assert search.json() == {"detail": "It took too long to read. Please ask for less."}
            assert search.headers["Retry-After"] == "5"
        many = [service.get(service.greedy[0], SEARCH) for _ in range(5)]
        refused = [answer for answer in await asyncio.gather(*many) if "Too many" in answer.text]
        assert refused
        assert all(answer.status_code == 503 for answer in refused)
        assert all(answer.headers["Retry-After"] == "5" for answer in refused)
        listed = await service.get(service.greedy[0], "campaigns/?ordering=description,-id")
        assert listed.status_code == 200


async def test_turns_are_shared_out(database: Database) -> None:
    """Each organizer has one at a time, all together a few; who waits too long is refused."""
    patient, reads = ExpensiveReads(database, 60), ExpensiveReads(database, 0.01)
    async with AsyncExitStack() as held:
        for organizer in range(MAX_AT_ONCE):
            await held.enter_async_context(reads.read(organizer))
        for organizer in range(MAX_AT_ONCE + 1):
            with pytest.raises(ApiError, match="Too many") as refused:
                await held.enter_async_context(reads.read(organizer))
            assert refused.value.status == 503
    async with reads.read(0):
        with pytest.raises(ApiError):
            async with reads.read(0):
                pass
        async with reads.read(1):
            pass
    served: list[int] = []

    async def read(organizer: int) -> None:
        async with patient.read(organizer):
            served.append(organizer)

    async with patient.read(0), patient.read(1):
        waiting = [asyncio.create_task(read(organizer)) for organizer in (0, 0, 0, 0, 2, 3)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    # Of those that wait behind one organizer, another's comes before the second.
    assert sorted(served) == [0, 0, 0, 0, 2, 3]
    assert max(served.index(2), served.index(3)) < len(served) - 2
