"""Redis loses its memory: what SQL has stays right, and counting goes on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.proxy import Fault
from tests.redirector.counting import clicks_in_redis
from tests.system.browser import Browser
from tests.system.deployment import Deployment
from tests.system.visitors import Visitors
from tests.waiting import until

CODE = "link00"
CLICKS = 100
_BROWSERS = 10

pytestmark = pytest.mark.timeout(240)


class Scene:
    """A deployment with one campaign, whose clicks are counted by hand."""

    def __init__(self, deployment: Deployment, visitors: Visitors) -> None:
        self.deployment = deployment
        self.visitors = visitors

    async def click(self) -> None:
        """A hundred clicks, all answered."""

        async def visit() -> None:
            browser = Browser(self.deployment.port)
            for _ in range(CLICKS // _BROWSERS):
                await self.visitors.ask(browser, CODE)
            browser.close()

        await asyncio.gather(*(visit() for _ in range(_BROWSERS)))
        assert self.visitors.problems == []
        assert self.visitors.tally.people.broken.total() == 0

    async def counted(self, clicks: int) -> None:
        """Waits for the count; it must not be passed by, then or soon after."""

        async def is_counted() -> bool:
            count = (await self.deployment.counts())[CODE]
            assert count <= clicks, f"{count} counted, of {clicks}"
            return count == clicks

        await until(is_counted, every=0.1)
        # Whatever still waits in Redis or at the redirector comes through now.
        await until(self.rests, every=0.1)
        assert await is_counted()

    async def rests(self) -> bool:
        """Whether nothing waits anywhere."""
        waiting = await self.deployment.waiting_clicks()
        return not self.deployment.clicks_on_disk() and list(waiting.values()) == [0]

    def waits_in_redis(self) -> bool:
        """Whether a hundred clicks are in Redis."""
        with self.redis() as redis:
            return sum(clicks_in_redis(redis).values()) == CLICKS

    def is_sealed(self) -> bool:
        """Whether a batch was sealed, which waits for SQL."""
        with self.redis() as redis:
            return bool(redis.keys("waymark:*:sealed"))

    def redis(self) -> Redis:
        """A blocking client."""
        return self.deployment.redis.client()

    async def restart_redis(self, copy: bytes | None) -> None:
        """Stops the server, and starts it with a copy of what it had, or empty."""
        assert await self.deployment.redis.stop() == 0
        if copy is not None:
            self.deployment.redis.snapshot.write_bytes(copy)
        self.deployment.redis.start()
        await until(self.redis_answers)

    def redis_answers(self) -> bool:
        """Whether the server has started."""
        with suppress(RedisError), self.redis() as redis:
            redis.ping()
            return True
        return False

    def hold_flushers(self) -> None:
        """What is confirmed stays in Redis."""
        self.deployment.flusher_network.fault = Fault.CUT

    def free_flushers(self) -> None:
        """It goes on into SQL."""
        self.deployment.flusher_network.fault = Fault.NONE


@pytest.fixture
async def scene(short_dir: Path) -> AsyncIterator[Scene]:
    """A hundred clicks are counted already."""
    deployment = Deployment(short_dir, workers=1, flushers=2, apis=1)
    campaigns = await deployment.prepare(1)
    async with deployment.running():
        scene = Scene(deployment, Visitors(deployment.port, campaigns))
        await scene.click()
        await scene.counted(CLICKS)
        yield scene
        assert await deployment.stop() == []


async def test_flushall(scene: Scene) -> None:
    """What was only in Redis is sent again, and new clicks are counted."""
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    with scene.redis() as redis:
        redis.flushall()
    scene.free_flushers()
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_empty_server(scene: Scene) -> None:
    """The same; the scripts are gone too, and are loaded again."""
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    await scene.restart_redis(None)
    scene.free_flushers()
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_older_copy(scene: Scene) -> None:
    """A copy in which nothing waited takes nothing back, and new clicks are counted."""
    copy = scene.deployment.redis.copy()
    await scene.click()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy)
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_older_copy_with_clicks(scene: Scene) -> None:
    """Clicks that waited in the copy, and were flushed after it was made, are not counted again."""
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    copy = scene.deployment.redis.copy()
    scene.free_flushers()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy)
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_older_copy_with_a_sealed_batch(scene: Scene) -> None:
    """A batch that was sealed in the copy, and applied after it was made, is known by its range."""
    path = scene.deployment.settings.data_dir / "waymark.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await scene.click()
        await until(scene.is_sealed)
        copy = scene.deployment.redis.copy()
        other.rollback()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy)
    await scene.click()
    await scene.counted(3 * CLICKS)
