"""The hub: one query a second for each event that somebody watches, however many do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.engine import Engine

from dashboard.live.hub import Hub, Watcher
from tests.tracking.counting import apply, batch_of
from tests.waiting import until
from tracking import campaigns
from tracking.access import sessions, shares, users
from tracking.access.users import Role
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import Event, ensure_event


@pytest.fixture
async def followed(database: Database) -> tuple[Event, int, int]:
    """An event, a campaign of it, and a session that may look."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        campaign = await campaigns.create(connection, event.id, description="Poster")
        user = await users.create(connection, "mara@example.org")
        await users.set_role(connection, user.id, event.organizer_id, Role.VIEWER)
        secret = await sessions.open_(connection, user.id, "a browser")
        session = await sessions.find(connection, secret)
    assert session is not None
    return event, campaign.id, session.id


@pytest.fixture
async def queries() -> AsyncIterator[list[str]]:
    """What is asked of SQL while it lasts."""
    asked: list[str] = []

    def note(*arguments: object) -> None:
        asked.append(str(arguments[2]))

    sql_event.listen(Engine, "before_cursor_execute", note)
    yield asked
    sql_event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[Hub]:
    """A hub that follows nothing yet; it ends before its database."""
    hub = Hub(database)
    yield hub
    await hub.close()


async def test_two_hundred_screens_ask_once_a_second(
    database: Database, followed: tuple[Event, int, int], hub: Hub, queries: list[str]
) -> None:
    """All are told of a click; meanwhile there is a query a second, and none when all have gone."""
    event, campaign, session = followed
    async with AsyncExitStack() as screens:
        watchers = [
            await screens.enter_async_context(
                hub.watching(event, Watcher(frozenset({campaign}), session=session))
            )
            for _ in range(200)
        ]
        first = await asyncio.gather(*(each.next() for each in watchers))
        assert {counts.clicks for counts in first if counts} == {0}
        queries.clear()
        await asyncio.sleep(2.2)
        pulses = [query for query in queries if "event_hours" in query]
        assert 1 <= len(pulses) <= 3
        # Nothing changed: no campaign's counts are read.
        assert not [query for query in queries if "click_count" in query]
        await apply(database, batch_of((campaign, 500_000, Audience.HUMAN, 3)))
        told = await asyncio.gather(*(each.next() for each in watchers))
        assert {(counts.clicks, counts.campaigns[campaign]) for counts in told if counts} == {
            (3, (3, 0))
        }
    assert hub.followed == 0
    queries.clear()
    await asyncio.sleep(1.2)
    assert not [query for query in queries if "event_hours" in query]


async def test_a_screen_of_one_campaign(
    database: Database, followed: tuple[Event, int, int], hub: Hub
) -> None:
    """It is told what that campaign has, bots apart, and of the event's other ones nothing."""
    event, campaign, session = followed
    async with database.write() as connection:
        other = await campaigns.create(connection, event.id, description="Flyer")
    await apply(
        database,
        batch_of(
            (campaign, 500_000, Audience.HUMAN, 3),
            (campaign, 500_000, Audience.BOT, 2),
            (other.id, 500_000, Audience.HUMAN, 50),
        ),
    )
    async with hub.watching(event, Watcher(only=campaign, session=session)) as watcher:
        counts = await watcher.next()
    assert counts is not None
    assert (counts.clicks, counts.not_counted, counts.campaigns) == (3, 2, {})


async def test_who_may_not_look_any_more_is_sent_away(
    database: Database, followed: tuple[Event, int, int], hub: Hub
) -> None:
    """A session that is closed, a role that is taken away, an address that is revoked."""
    event, _, session = followed
    async with database.write() as connection:
        secret = await shares.create(connection, event.id, None, name="The board")
        share = await shares.find(connection, secret)
    assert share is not None
    async with (
        hub.watching(event, Watcher(session=session)) as by_session,
        hub.watching(event, Watcher(share=share.id)) as by_share,
    ):
        assert await by_session.next() is not None
        assert await by_share.next() is not None
        async with database.write() as connection:
            await connection.exec_driver_sql("DELETE FROM memberships")
        assert await _last(by_session)
        async with database.write() as connection:
            await shares.revoke(connection, event.id, share.id)
        assert await _last(by_share)


async def _last(watcher: Watcher) -> bool:
    async with asyncio.timeout(20):
        while await watcher.next() is not None:
            pass
    return True


async def test_sql_that_is_away_for_a_while(
    database: Database, followed: tuple[Event, int, int], hub: Hub
) -> None:
    """What was clicked meanwhile is told when it is back."""
    event, campaign, session = followed
    async with hub.watching(event, Watcher(session=session)) as watcher:
        assert await watcher.next() is not None
        path = database._path
        away = path.rename(path.with_suffix(".away"))
        path.touch(0o600)
        await asyncio.sleep(1.5)
        path.unlink()
        away.rename(path)
        await apply(database, batch_of((campaign, 500_000, Audience.HUMAN, 3)))
        found = []

        async def told() -> bool:
            counts = await watcher.next()
            found.append(counts.clicks if counts else None)
            return found[-1] == 3

        await until(told)
