"""The link cache: bounded, fresh, asked once, and of use while SQL is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from redirector.links.cache import CHANGES_PER_READ, Links
from redirector.links.destination import Rules
from tests.locking import execute
from tests.redirector.lookups import WatchedDatabase
from tests.waiting import until
from tracking import campaigns
from tracking.background import cancel, start_vital
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings

RULES = Rules("/{organizer}/{event}/", forward_query=True, public_origin="https://links.example")


def request_line(code: str) -> bytes:
    """Of a request for a link of the event."""
    return b"GET /acme/summer/c/%b/ HTTP/1.1" % code.encode()


@pytest.fixture
async def counting(settings: Settings, database: Database) -> AsyncIterator[WatchedDatabase]:
    """The same file as `database`, through an engine that counts."""
    counting = WatchedDatabase.of(settings)
    yield counting
    await counting.close()


@pytest.fixture
async def event(database: Database) -> Event:
    """An event to make campaigns in."""
    async with database.write() as connection:
        return await ensure_event(connection, "acme", "summer")


@asynccontextmanager
async def following(links: Links) -> AsyncIterator[None]:
    """Follows the change feed meanwhile."""
    task = start_vital(links.follow_changes())
    await until(lambda: links.presence.known)
    yield
    await cancel(task)


async def make(database: Database, event: Event, *codes: str) -> list[int]:
    """Ids of new campaigns with these codes."""
    async with database.write() as connection:
        return [
            (await campaigns.create(connection, event.id, code=code, description=code)).id
            for code in codes
        ]


async def retarget(database: Database, event: Event, id: int, target: str) -> None:
    """Edits a campaign's target."""
    async with database.write() as connection:
        await campaigns.change(connection, event.id, id, {"external_target": target})


async def test_a_link_is_read_once(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """Once known, a link is answered without SQL."""
    [id] = await make(database, event, "news1")
    links = Links(counting, 10, RULES)
    for _ in range(5):
        link = await links.find("news1")
        assert link is not None
        assert (link.campaign_id, link.request_line) == (id, request_line("news1"))
        assert link.location == b"/acme/summer/"
        assert links.by_request_line == {link.request_line: link}
    assert counting.lookups == 1


async def test_misses_at_once_are_one_query(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """However many ask for however many unknown links, SQL is asked once, and once for the rest."""
    codes = [f"code{number}" for number in range(100)]
    await make(database, event, *codes)
    links = Links(counting, 1000, RULES)
    found = await asyncio.gather(*(links.find(code) for code in codes * 5))
    assert [link and link.request_line for link in found] == [*map(request_line, codes * 5)]
    assert counting.lookups == 1


async def test_unknown_codes_are_remembered(counting: WatchedDatabase) -> None:
    """A scanner that asks for the same unknown code does not reach SQL."""
    links = Links(counting, 10, RULES)
    for _ in range(5):
        assert await links.find("nothing") is None
    assert counting.lookups == 1


async def test_the_cache_is_bounded(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """Beyond its size the cache drops what was used least recently."""
    await make(database, event, "a", "b", "c")
    links = Links(counting, 2, RULES)
    for code in ("a", "b", "a", "c"):
        await links.find(code)
    assert [links.cached(code) is not None for code in ("a", "b", "c")] == [True, False, True]
    assert set(links.by_request_line) == {request_line("a"), request_line("c")}


async def test_unknown_codes_are_bounded(counting: WatchedDatabase) -> None:
    """A scanner with ever new codes does not fill the memory."""
    links = Links(counting, 10, RULES)
    await asyncio.gather(*(links.find(f"x{number}") for number in range(10_050)))
    assert len(links._unknown) == 10_000


async def test_changes_arrive(
    counting: WatchedDatabase,
    database: Database,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Edited, created, renamed and deleted campaigns, and a moved shop, are all noticed."""
    monkeypatch.setattr("redirector.links.cache.UNKNOWN_SECONDS", 3600)
    [edited, renamed, deleted, _] = await make(database, event, "e", "r", "d", "shop")
    links = Links(counting, 10, RULES)
    async with following(links):
        for code in ("e", "r", "d", "shop", "new", "r2"):
            await links.find(code)
        await retarget(database, event, edited, "https://x.example/")
        await make(database, event, "new")
        async with database.write() as connection:
            await campaigns.change(connection, event.id, renamed, {"code": "r2"})
            await campaigns.remove(connection, event.id, deleted)
            await ensure_event(connection, "acme", "summer", "https://shop.example/")

        async def all_noticed() -> bool:
            e, r, r2, d, new, shop = [
                await links.find(code) for code in ("e", "r", "r2", "d", "new", "shop")
            ]
            return (
                e is not None
                and e.location == b"https://x.example/"
                and (r, d) == (None, None)
                and r2 is not None
                and new is not None
                and shop is not None
                and shop.location == b"https://shop.example/"
            )

        await until(all_noticed)


async def test_many_changes_at_once_arrive(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """A write that changes more links than one reading of the feed takes is noticed whole."""
    codes = [f"code{number}" for number in range(2 * CHANGES_PER_READ + 1)]
    await make(database, event, *codes)
    links = Links(counting, len(codes), RULES)
    async with following(links):
        await asyncio.gather(*(links.find(code) for code in codes))
        async with database.write() as connection:
            await ensure_event(connection, "acme", "summer", "https://shop.example/")
        await until(lambda: not any(links.cached(code) for code in codes))


async def test_a_change_during_a_query_is_not_missed(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """What a query read before a change, and brings home after it, is not kept."""
    [id] = await make(database, event, "news1")
    links = Links(counting, 10, RULES)
    counting.hold()
    asking = asyncio.create_task(links.find("news1"))
    await until(lambda: counting.lookups == 1)
    await retarget(database, event, id, "https://x.example/")
    links.forget("news1")
    counting.let()
    await asking
    assert links.cached("news1") is None
    again = await links.find("news1")
    assert again is not None
    assert again.location == b"https://x.example/"


async def test_known_links_outlive_sql(
    settings: Settings, database: Database, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    """With the database gone, known links go on, others fail clearly; the log says both once."""
    await make(database, event, "news1", "news2")
    file = Path(settings.data_dir) / "waymark.db"
    own = Database.of(settings)
    links = Links(own, 10, RULES)
    async with following(links):
        await links.find("news1")
        await own.close()
        await database.close()
        file.rename(file.with_suffix(".away"))
        await until(lambda: links.presence.away)
        assert await links.find("news1") is not None
        with pytest.raises(DatabaseUnavailableError):
            await links.find("news2")
        file.with_suffix(".away").rename(file)
        await until(lambda: not links.presence.away)
        assert await links.find("news2") is not None
    await own.close()
    messages = [record.message for record in caplog.records]
    assert sum("SQL is away" in message for message in messages) == 1
    assert sum("SQL is back" in message for message in messages) == 1


async def test_who_was_blind_starts_afresh(
    database: Database, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the feed was not read for long, the cache is not trusted any more."""
    await make(database, event, "news1")
    links = Links(database, 10, RULES)
    async with following(links):
        await links.find("news1")
        monkeypatch.setattr("redirector.links.cache._MAX_BLIND_SECONDS", -1)
        await until(lambda: links.cached("news1") is None)


async def test_whatever_goes_wrong_everyone_gets_an_answer(
    counting: WatchedDatabase,
    database: Database,
    event: Event,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A row that makes no sense fails those who asked with it; the next query is a fresh one."""
    await make(database, event, "news1", "news2")
    links = Links(counting, 10, RULES)
    file = settings.data_dir / "waymark.db"
    await execute(file, "UPDATE organizers SET slug = CAST('acme' AS BLOB)")
    asked = [asyncio.create_task(links.find(code)) for code in ("news1", "news1", "news2")]
    async with asyncio.timeout(20):
        await asyncio.wait(asked)
    assert [type(task.exception()) for task in asked] == [DatabaseUnavailableError] * 3
    assert caplog.text.count("links can't be looked up") == 1
    await execute(file, "UPDATE organizers SET slug = 'acme'")
    async with asyncio.timeout(20):
        assert await links.find("news1") is not None


async def test_who_waits_for_a_query_that_is_ended_gets_an_answer(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """Those it asked for and those who came later, forgotten links too; then all is as before."""
    await make(database, event, "news1", "news2")
    links = Links(counting, 10, RULES)
    counting.hold()
    asked = [asyncio.create_task(links.find("news1"))]
    await until(lambda: counting.lookups == 1)
    links.forget("news1")
    asked.append(asyncio.create_task(links.find("news2")))
    await asyncio.sleep(0)
    assert links._loader is not None
    links._loader.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait(asked)
    assert [type(task.exception()) for task in asked] == [DatabaseUnavailableError] * 2
    counting.let()
    assert await links.find("news1") is not None


async def test_one_visitor_leaving_lets_the_others_wait(
    counting: WatchedDatabase, database: Database, event: Event
) -> None:
    """A cancelled request does not take the query away from those who share it."""
    await make(database, event, "news1")
    links = Links(counting, 10, RULES)
    counting.hold()
    first, second = (asyncio.create_task(links.find("news1")) for _ in range(2))
    await until(lambda: counting.lookups == 1)
    first.cancel()
    counting.let()
    assert await second is not None
