"""Group commit: every click reaches Redis once, whatever happens to replies."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from redirector.adoption import Adopter
from redirector.batches import MAX_FIELDS, NumberedBatch
from redirector.counters import APPLIED, PENDING
from redirector.flusher import Flusher
from redirector.recorder import Recorder
from redirector.spool_files import spool_files
from redirector.survey import survey
from tests.disk import room_for
from tests.permissions import allow, permissions_bind
from tests.proxy import Fault, Proxy
from tests.redirector import counting
from tests.redirector.counting import connect
from tests.redirector.disk import refuse_reading
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking.clicks import Audience
from tracking.database import Database
from tracking.settings import Settings

# A batch of one click, under whichever number it is.
ONE_CLICK = {"1:500000:human": 1}


@asynccontextmanager
async def recording(
    url: str, spool_dir: Path, commit_timeout: float = 30
) -> AsyncIterator[Recorder]:
    """A recorder at work; by default a click waits for Redis for very long."""
    database = database_beside(spool_dir)
    recorder = Recorder(connect(url), database, spool_dir, commit_timeout)
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close(10)
        await database.close()


def database_beside(spool_dir: Path) -> Database:
    """The test's database, as another process opens it."""
    return Database(f"sqlite+aiosqlite:///{spool_dir.parent / 'waymark.db'}", 5)


@pytest.fixture
def spool_dir(database: Database, settings: Settings) -> Path:
    """Where the test's recorders keep clicks while Redis is away."""
    return settings.spool_dir


async def all_in_redis(recorder: Recorder) -> None:
    """Waits until nothing is left in memory or on disk."""
    await until(lambda: recorder.unconfirmed_clicks == 0)
    await until(lambda: not recorder.presence.away)
    assert recorder.spooled_clicks == 0


async def click(recorder: Recorder, campaign_id: int) -> None:
    """Clicks as a redirect does."""
    await recorder.count(campaign_id, Audience.HUMAN)


def counted(server: RedisServer) -> dict[int, int]:
    """Clicks by campaign, as Redis has them."""
    return {id: clicks for (id, _), clicks in counting.counted(server).items()}


def scripts_run(server: RedisServer) -> int:
    """How many batches the server was sent."""
    with server.client() as client:
        stats = client.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_a_click_is_in_redis_before_its_redirect(redis: RedisServer, spool_dir: Path) -> None:
    """Once the future is done, the click is stored."""
    async with recording(redis.url, spool_dir) as recorder:
        await click(recorder, 7)
        assert counted(redis) == {7: 1}
        assert recorder.unconfirmed_clicks == 0


async def test_clicks_share_batches(redis: RedisServer, spool_dir: Path) -> None:
    """A thousand clicks at once take a handful of round trips, and all are counted."""
    async with recording(redis.url, spool_dir) as recorder:
        await click(recorder, 1)
        before = scripts_run(redis)
        await asyncio.gather(*(click(recorder, number % 10) for number in range(1000)))
        assert counted(redis) == {0: 100, 1: 101} | dict.fromkeys(range(2, 10), 100)
        assert scripts_run(redis) - before <= 3


async def test_clicks_that_are_arriving_join_the_batch(redis: RedisServer, spool_dir: Path) -> None:
    """A batch is held back while each look at the network brings another click."""
    async with recording(redis.url, spool_dir) as recorder:
        await click(recorder, 1)
        before = scripts_run(redis)
        answered: list[int] = []
        for number in range(4):
            recorder.record(1, Audience.HUMAN, partial(answered.append, number))
            await asyncio.sleep(0)
        await until(lambda: len(answered) == 4)
        assert scripts_run(redis) - before == 1
        assert counted(redis) == {1: 5}


async def test_a_batch_is_not_held_back_for_ever(redis: RedisServer, spool_dir: Path) -> None:
    """Clicks that come without a pause are answered all the same."""
    async with recording(redis.url, spool_dir) as recorder:
        answered: list[int] = []
        clicks = 0
        while not answered:
            recorder.record(1, Audience.HUMAN, partial(answered.append, clicks))
            clicks += 1
            assert clicks < 1_000_000
            await asyncio.sleep(0)
        await until(lambda: len(answered) == clicks)
        assert counted(redis) == {1: clicks}


async def test_answers_are_released_in_order(redis: RedisServer, spool_dir: Path) -> None:
    """Who clicked first is answered first."""
    answered: list[int] = []
    async with recording(redis.url, spool_dir) as recorder:
        for number in range(100):
            recorder.record(number % 10, Audience.HUMAN, partial(answered.append, number))
        await until(lambda: len(answered) == 100)
    assert answered == list(range(100))


async def test_lost_replies_count_once(redis: RedisServer, spool_dir: Path) -> None:
    """A batch whose reply was lost is sent again under its number, and counts once."""
    async with Proxy(redis.socket).running() as proxy, recording(proxy.url, spool_dir) as recorder:
        await click(recorder, 1)
        proxy.fault = Fault.LOSE_REPLY
        await asyncio.gather(*(click(recorder, 1) for _ in range(5)))
        await until(lambda: proxy.lost_replies >= 3)
        await asyncio.gather(*(click(recorder, 1) for _ in range(5)))
        proxy.fault = Fault.NONE
        await all_in_redis(recorder)
        assert counted(redis) == {1: 11}


async def test_an_old_copy_of_a_batch_changes_nothing(redis: RedisServer, spool_dir: Path) -> None:
    """What comes out of a network's depths later, with a number that was applied, is not added."""
    async with recording(redis.url, spool_dir) as recorder:
        await click(recorder, 1)
        await click(recorder, 1)
        other = connect(redis.url)
        assert await other.add(recorder.writer, 0, [NumberedBatch(1, ONE_CLICK)]) == 2
        await other.close()
        assert counted(redis) == {1: 2}


async def test_a_frozen_redis_holds_no_redirect(own_redis: RedisServer, spool_dir: Path) -> None:
    """At the time-out clicks are on disk and answered, and in Redis when it goes on."""
    async with recording(own_redis.url, spool_dir, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        own_redis.freeze()
        for _ in range(5):
            await click(recorder, 1)
        assert (recorder.unconfirmed_clicks, recorder.spooled_clicks) == (0, 5)
        own_redis.thaw()
        await all_in_redis(recorder)
        assert counted(own_redis) == {1: 6}
        assert survey(spool_dir).waiting == []


async def test_a_killed_redis_loses_nothing_confirmed(
    own_redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`kill -9` of Redis keeps what was confirmed; the rest follows; the log says both once."""
    async with recording(own_redis.url, spool_dir, commit_timeout=2) as recorder:
        for _ in range(50):
            await click(recorder, 1)
        own_redis.kill()
        for _ in range(20):
            await click(recorder, 1)
        assert recorder.presence.away
        [spool] = survey(spool_dir).waiting
        assert (spool.clicks, spool.owned, spool.torn) == (20, True, 0)
        own_redis.start()
        await all_in_redis(recorder)
        assert counted(own_redis) == {1: 70}
    messages = [record.message for record in caplog.records]
    assert sum("is away" in message for message in messages) == 1
    assert sum("is back" in message for message in messages) == 1


async def test_nobody_waits_for_a_redis_that_is_known_to_be_away(
    own_redis: RedisServer, spool_dir: Path
) -> None:
    """Whoever waits when Redis is lost is answered from the disk, however long the time-out."""
    async with recording(own_redis.url, spool_dir, commit_timeout=3600) as recorder:
        await click(recorder, 1)
        own_redis.kill()
        async with asyncio.timeout(20):
            await click(recorder, 1)
            await click(recorder, 1)
        assert recorder.spooled_clicks == 2
        own_redis.start()
        await all_in_redis(recorder)
        assert counted(own_redis) == {1: 3}


async def test_an_ended_writers_spool_is_adopted(own_redis: RedisServer, spool_dir: Path) -> None:
    """What a dead process left on disk is counted by one that lives, and only once."""
    async with recording(own_redis.url, spool_dir, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        own_redis.freeze()
        for _ in range(5):
            await click(recorder, 1)
        database = database_beside(spool_dir)
        adopter = Adopter(connect(own_redis.url), database, spool_dir)
        await adopter.adopt()
        assert recorder.spooled_clicks == 5  # its owner lives
    # The owner has ended without Redis; the batch that it sent to the frozen one is counted there.
    own_redis.thaw()
    assert [spool.owned for spool in survey(spool_dir).waiting] == [False]
    await adopter.adopt()
    await adopter.close()
    await database.close()
    assert counted(own_redis) == {1: 6}
    assert survey(spool_dir).waiting == []


async def test_with_a_full_disk_redirects_go_on(
    own_redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without Redis and disk clicks wait in memory, which health and log say; then all count."""
    async with recording(own_redis.url, spool_dir, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        own_redis.kill()
        await click(recorder, 1)
        with room_for(0):
            for _ in range(30):
                await click(recorder, 1)
            assert (recorder.unconfirmed_clicks, recorder.spooled_clicks) == (30, 1)
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert recorder.spooled_clicks == 31
        await click(recorder, 1)
        own_redis.start()
        await all_in_redis(recorder)
        assert counted(own_redis) == {1: 33}
    assert caplog.text.count("clicks are neither in Redis nor on disk") == 1


async def test_with_a_full_disk_redis_takes_what_waits(
    own_redis: RedisServer, spool_dir: Path
) -> None:
    """Redis may come back before the disk does: batches go there in the order of their numbers."""
    async with recording(own_redis.url, spool_dir, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        own_redis.freeze()
        await click(recorder, 1)
        await click(recorder, 1)
        with room_for(0):
            for _ in range(30):
                await click(recorder, 1)
            own_redis.thaw()
            await all_in_redis(recorder)
            await click(recorder, 1)
            assert counted(own_redis) == {1: 34}


async def test_an_absence_is_noticed_without_clicks(
    own_redis: RedisServer, spool_dir: Path
) -> None:
    """The health page need not wait for a visitor to learn that Redis is gone."""
    async with recording(own_redis.url, spool_dir) as recorder:
        await until(lambda: recorder.presence.known)
        assert str(recorder.presence) == "ok"
        own_redis.kill()
        await until(lambda: str(recorder.presence) == "away")


async def test_forgotten_scripts_are_sent_again(redis: RedisServer, spool_dir: Path) -> None:
    """SCRIPT FLUSH costs nothing but a round trip."""
    async with recording(redis.url, spool_dir) as recorder:
        await click(recorder, 1)
        with redis.client() as client:
            client.script_flush()
        await click(recorder, 1)
        assert counted(redis) == {1: 2}


async def test_many_counters_go_in_parts(redis: RedisServer, spool_dir: Path) -> None:
    """Many counters go in batches that Redis can digest, and none is lost."""
    async with recording(redis.url, spool_dir) as recorder:
        for campaign_id in range(3 * MAX_FIELDS + 1):
            recorder.record(campaign_id, Audience.HUMAN, lambda: None)
        await until(lambda: recorder.unconfirmed_clicks == 0)
        assert counted(redis) == dict.fromkeys(range(3 * MAX_FIELDS + 1), 1)
        with redis.client() as client:
            assert int(client.hget(APPLIED, recorder.writer) or 0) >= 4


async def test_closing_waits_for_the_last_clicks(redis: RedisServer, spool_dir: Path) -> None:
    """Clicks that nobody waits for are in Redis when the recorder is closed."""
    async with recording(redis.url, spool_dir) as recorder:
        for _ in range(10):
            recorder.record(1, Audience.HUMAN, lambda: None)
    assert counted(redis) == {1: 10}


async def test_closing_without_redis_leaves_clicks_on_disk(
    short_dir: Path, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing does not wait for Redis, and says how many clicks it leaves."""
    async with recording(f"unix://{short_dir}/nobody.sock", spool_dir, 0.01) as recorder:
        await click(recorder, 1)
    assert "1 clicks stay on disk" in caplog.text
    assert [spool.clicks for spool in survey(spool_dir).waiting] == [1]


async def test_closing_without_anything_says_what_is_lost(
    short_dir: Path, database: Database, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing does not wait for ever, and names the clicks that were never stored."""
    recorder = Recorder(connect(f"unix://{short_dir}/nobody.sock"), database, spool_dir, 0.01)
    await recorder.start()
    with room_for(0):
        await click(recorder, 1)
        await recorder.close(0.01)
    assert "1 clicks were never stored" in caplog.text


async def test_a_visitor_who_leaves_takes_nobody_along(redis: RedisServer, spool_dir: Path) -> None:
    """The clicks of a batch share a future; cancelling one request leaves the others waiting."""
    async with recording(redis.url, spool_dir) as recorder:
        first = asyncio.create_task(click(recorder, 1))
        second = asyncio.create_task(click(recorder, 1))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert counted(redis) == {1: 2}


async def test_a_redis_without_memory_is_found_out(
    redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After FLUSHALL clicks are counted as before, and the log says what happened."""
    async with recording(redis.url, spool_dir) as recorder:
        for _ in range(3):
            await click(recorder, 1)
        with redis.client() as client:
            client.flushall()
        for _ in range(2):
            await click(recorder, 1)
        await all_in_redis(recorder)
        assert counted(redis) == {1: 2}
    assert caplog.text.count("Redis has lost its memory") == 1


async def test_what_was_flushed_is_not_sent_to_a_redis_that_forgot_it(
    redis: RedisServer, database: Database, spool_dir: Path
) -> None:
    """A batch whose reply was lost is in SQL already: it is known there by its number."""
    client = Redis(unix_socket_path=str(redis.socket))
    async with Proxy(redis.socket).running() as proxy, recording(proxy.url, spool_dir) as recorder:
        await click(recorder, 1)
        proxy.fault = Fault.LOSE_REPLY
        await click(recorder, 2)
        await until(lambda: recorder.presence.away)
        await click(recorder, 3)
        assert counted(redis)[2] == 1
        await Flusher(client, database).flush()
        await client.flushall()
        proxy.fault = Fault.NONE
        await all_in_redis(recorder)
        assert counted(redis) == {3: 1}
    await client.aclose()


async def test_what_was_not_flushed_is_sent_again(redis: RedisServer, spool_dir: Path) -> None:
    """The same batch, which Redis forgot before SQL had it."""
    async with Proxy(redis.socket).running() as proxy, recording(proxy.url, spool_dir) as recorder:
        await click(recorder, 1)
        proxy.fault = Fault.LOSE_REPLY
        await click(recorder, 2)
        await until(lambda: recorder.presence.away)
        with redis.client() as client:
            client.flushall()
        proxy.fault = Fault.NONE
        await all_in_redis(recorder)
        assert counted(redis) == {2: 1}


async def test_a_spool_that_can_not_be_read_keeps_nobody_from_redis(
    own_redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Clicks go there again, and those on disk are counted once it can be read."""
    async with recording(own_redis.url, spool_dir, commit_timeout=5) as recorder:
        await click(recorder, 1)
        own_redis.kill()
        for _ in range(3):
            await click(recorder, 2)
        refuse_reading(recorder._spool)
        await click(recorder, 3)
        own_redis.start()
        await all_in_redis(recorder)
        await click(recorder, 4)
        assert counted(own_redis) == {1: 1, 4: 1}
        assert caplog.text.count("the spool can't be read") == 1
        database = database_beside(spool_dir)
        adopter = Adopter(connect(own_redis.url), database, spool_dir)
        await adopter.adopt()
        await adopter.close()
        await database.close()
        assert counted(own_redis) == {1: 1, 2: 3, 3: 1, 4: 1}


async def test_a_click_under_way_goes_to_redis_when_the_spool_can_not_be_read(
    own_redis: RedisServer, spool_dir: Path
) -> None:
    """It waits for the disk, which takes nothing more and gives nothing back; it counts once."""
    async with recording(own_redis.url, spool_dir, commit_timeout=0.05) as recorder:
        await click(recorder, 1)
        await all_in_redis(recorder)
        own_redis.freeze()
        await click(recorder, 1)
        await click(recorder, 2)
        refuse_reading(recorder._spool)
        with room_for(0):
            await click(recorder, 3)
            own_redis.thaw()
            await all_in_redis(recorder)
            assert counted(own_redis) == {1: 2, 3: 1}
        await click(recorder, 4)
        assert counted(own_redis) == {1: 2, 3: 1, 4: 1}


async def test_a_damaged_batch_keeps_nobody_from_redis(
    own_redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its clicks are lost, which the log says; the others count."""
    async with recording(own_redis.url, spool_dir, commit_timeout=5) as recorder:
        await click(recorder, 1)
        own_redis.kill()
        for campaign_id in (2, 3, 4):
            await click(recorder, campaign_id)
        [path] = spool_files(spool_dir)
        path.write_bytes(path.read_bytes().replace(b'"3:', b'"5:'))
        own_redis.start()
        await all_in_redis(recorder)
        await click(recorder, 6)
        assert counted(own_redis) == {1: 1, 2: 1, 4: 1, 6: 1}
    assert caplog.text.count("its 1 clicks are lost") == 1
    assert caplog.text.count("Redis is away") == 1


async def test_a_spool_that_can_not_be_deleted_keeps_nobody_from_redis(
    own_redis: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used again in the next outage, and nothing in it counts twice."""
    with permissions_bind():
        async with recording(own_redis.url, spool_dir, commit_timeout=5) as recorder:
            for outage in (1, 2, 3):
                own_redis.kill()
                await click(recorder, outage)
                allow(spool_dir, 0o500)
                own_redis.start()
                await all_in_redis(recorder)
                assert recorder.spooled_clicks == 0
            assert len(survey(spool_dir).waiting) == 1
        database = database_beside(spool_dir)
        adopter = Adopter(connect(own_redis.url), database, spool_dir)
        await adopter.adopt()
        allow(spool_dir, 0o700)
        await adopter.close()
        await database.close()
    assert counted(own_redis) == {1: 1, 2: 1, 3: 1}
    assert "the empty spool can't be deleted" in caplog.text
    assert "Redis is away" in caplog.text


async def test_clicks_count_under_the_hour_they_were_made(
    own_redis: RedisServer, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they wait in memory for hours, since neither Redis nor the disk takes them."""
    now = 500_000 * 3600 + 3599.0
    monkeypatch.setattr("redirector.recorder.time.time", lambda: now)
    async with recording(own_redis.url, spool_dir, commit_timeout=5) as recorder:
        own_redis.kill()
        with room_for(0):
            for hour in (500_000, 500_001, 500_002):
                await until(lambda: recorder._hour == hour)  # noqa: B023 - waited for in this turn
                await click(recorder, 1)
                await click(recorder, 1)
                now += 3600
        own_redis.start()
        await all_in_redis(recorder)
    with own_redis.client() as client:
        fields = {name.decode() for name in client.hgetall(PENDING)}
    assert {f"1:{hour}:human" for hour in (500_000, 500_001, 500_002)} <= fields
    assert counted(own_redis) == {1: 6}


async def test_closing_does_not_wait_for_a_disk_that_hangs(
    short_dir: Path, database: Database, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is in the midst of; the process's end does not wait for it either."""
    recorder = Recorder(connect(f"unix://{short_dir}/nobody.sock"), database, spool_dir, 0.01)
    await recorder.start()
    await click(recorder, 1)
    goes_on = threading.Event()
    hanging = asyncio.create_task(recorder._spool._thread.run(goes_on.wait))
    waiting = asyncio.create_task(click(recorder, 1))
    async with asyncio.timeout(15):
        await recorder.close(0.01)
    assert recorder._spool._thread._thread.daemon
    assert "1 clicks were never stored" in caplog.text
    waiting.cancel()
    goes_on.set()
    await hanging
