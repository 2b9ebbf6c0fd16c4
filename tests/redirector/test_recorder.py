"""Group commit: every click reaches Redis once, whatever happens to replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio.connection import AbstractConnection

from redirector.counters import APPLIED, PENDING, RECORD, connection_pool
from redirector.recorder import MAX_FIELDS, Recorder
from tests.proxy import Fault, Proxy
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking.clicks import Audience
from tracking.settings import Settings


def connect(url: str) -> AbstractConnection:
    """A connection as the redirector makes it."""
    connection: AbstractConnection = connection_pool(
        Settings(redis_url=url), client_name="test"
    ).make_connection()
    return connection


@asynccontextmanager
async def recording(url: str, commit_timeout: float = 30) -> AsyncIterator[Recorder]:
    """A recorder at work; by default a click waits until it is confirmed."""
    recorder = Recorder(connect(url), commit_timeout)
    recorder.start()
    yield recorder
    await recorder.close(10)


async def click(recorder: Recorder, campaign_id: int) -> None:
    """Clicks as a redirect does."""
    await recorder.count(campaign_id, Audience.HUMAN)


def counted(server: RedisServer) -> dict[int, int]:
    """Clicks by campaign, as Redis has them."""
    with server.client() as client:
        totals: dict[int, int] = {}
        for name, clicks in client.hgetall(PENDING).items():
            campaign_id = int(name.split(b":")[0])
            totals[campaign_id] = totals.get(campaign_id, 0) + int(clicks)
        return totals


def scripts_run(server: RedisServer) -> int:
    """How many batches the server was sent."""
    with server.client() as client:
        stats = client.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_a_click_is_in_redis_before_its_redirect(redis: RedisServer) -> None:
    """Once the future is done, the click is stored."""
    async with recording(redis.url) as recorder:
        await click(recorder, 7)
        assert counted(redis) == {7: 1}
        assert recorder.unconfirmed_clicks == 0


async def test_clicks_share_batches(redis: RedisServer) -> None:
    """A thousand clicks at once take a handful of round trips, and all are counted."""
    async with recording(redis.url) as recorder:
        await click(recorder, 1)
        before = scripts_run(redis)
        await asyncio.gather(*(click(recorder, number % 10) for number in range(1000)))
        assert counted(redis) == {0: 100, 1: 101} | dict.fromkeys(range(2, 10), 100)
        assert scripts_run(redis) - before <= 3


async def test_lost_replies_count_once(redis: RedisServer) -> None:
    """A batch whose reply was lost is sent again under its number, and counts once."""
    async with Proxy(redis.socket).running() as proxy, recording(proxy.url) as recorder:
        await click(recorder, 1)
        proxy.fault = Fault.LOSE_REPLY
        clicks = [asyncio.create_task(click(recorder, 1)) for _ in range(5)]
        await until(lambda: proxy.lost_replies >= 3)
        proxy.fault = Fault.NONE
        await asyncio.gather(*clicks)
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert counted(redis) == {1: 6}


async def test_an_old_copy_of_a_batch_changes_nothing(redis: RedisServer) -> None:
    """What comes out of a network's depths later, with a number that was applied, is not added."""
    async with recording(redis.url) as recorder:
        await click(recorder, 1)
        await click(recorder, 1)
        with redis.client() as client:
            arguments = [recorder.writer, 1, "1:500000:human", 1]
            assert client.eval(RECORD.text, 2, PENDING, APPLIED, *arguments) == 0
        assert counted(redis) == {1: 2}


async def test_a_frozen_redis_holds_no_redirect(own_redis: RedisServer) -> None:
    """Redirects go on at the time-out, and the clicks arrive when Redis goes on."""
    async with recording(own_redis.url, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        own_redis.freeze()
        for _ in range(5):
            await click(recorder, 1)
        # Its silence is not yet an error: that takes ten times longer.
        assert not recorder.presence.away
        assert recorder.unconfirmed_clicks == 5
        own_redis.thaw()
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert counted(own_redis) == {1: 6}


async def test_a_killed_redis_loses_nothing_confirmed(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """`kill -9` of Redis keeps what was confirmed; the rest follows; the log says both once."""
    async with recording(own_redis.url, commit_timeout=0.05) as recorder:
        for _ in range(50):
            await click(recorder, 1)
        own_redis.kill()
        for _ in range(20):
            await click(recorder, 1)
        await until(lambda: recorder.presence.away)
        assert recorder.record(1, Audience.HUMAN) is None
        own_redis.start()
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert counted(own_redis) == {1: 71}
    messages = [record.message for record in caplog.records]
    assert sum("is away" in message for message in messages) == 1
    assert sum("is back" in message for message in messages) == 1


async def test_nobody_waits_for_a_redis_that_is_known_to_be_away(own_redis: RedisServer) -> None:
    """Whoever waits when Redis is lost is let go, however long the time-out."""
    async with recording(own_redis.url, commit_timeout=3600) as recorder:
        await click(recorder, 1)
        own_redis.kill()
        async with asyncio.timeout(20):
            await click(recorder, 1)
        assert recorder.unconfirmed_clicks == 1
        own_redis.start()
        await until(lambda: recorder.unconfirmed_clicks == 0)


async def test_an_absence_is_noticed_without_clicks(own_redis: RedisServer) -> None:
    """The health page need not wait for a visitor to learn that Redis is gone."""
    async with recording(own_redis.url) as recorder:
        await until(lambda: recorder.presence.known)
        assert str(recorder.presence) == "ok"
        own_redis.kill()
        await until(lambda: str(recorder.presence) == "away")


async def test_forgotten_scripts_are_sent_again(redis: RedisServer) -> None:
    """SCRIPT FLUSH costs nothing but a round trip."""
    async with recording(redis.url) as recorder:
        await click(recorder, 1)
        with redis.client() as client:
            client.script_flush()
        await click(recorder, 1)
        assert counted(redis) == {1: 2}


async def test_what_gathered_while_away_goes_in_parts(redis: RedisServer) -> None:
    """Many counters go in batches that Redis can digest, and none is lost."""
    async with recording(redis.url) as recorder:
        for campaign_id in range(3 * MAX_FIELDS + 1):
            recorder.record(campaign_id, Audience.HUMAN)
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert counted(redis) == dict.fromkeys(range(3 * MAX_FIELDS + 1), 1)
        with redis.client() as client:
            assert int(client.hget(APPLIED, recorder.writer) or 0) >= 4


async def test_closing_waits_for_the_last_clicks(redis: RedisServer) -> None:
    """Clicks that nobody waits for are in Redis when the recorder is closed."""
    recorder = Recorder(connect(redis.url), 30)
    recorder.start()
    for _ in range(10):
        recorder.record(1, Audience.HUMAN)
    await recorder.close(10)
    assert counted(redis) == {1: 10}


async def test_closing_without_redis_says_what_is_lost(
    short_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing does not wait for ever, and names the clicks that were never confirmed."""
    recorder = Recorder(connect(f"unix://{short_dir}/nobody.sock"), 0.01)
    recorder.start()
    await click(recorder, 1)
    await recorder.close(0.01)
    assert "1 clicks were never confirmed by Redis" in caplog.text


async def test_a_visitor_who_leaves_takes_nobody_along(redis: RedisServer) -> None:
    """The clicks of a batch share a future; cancelling one request leaves the others waiting."""
    async with recording(redis.url) as recorder:
        first = asyncio.create_task(click(recorder, 1))
        second = asyncio.create_task(click(recorder, 1))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert counted(redis) == {1: 2}
