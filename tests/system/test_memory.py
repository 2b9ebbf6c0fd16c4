"""Redis loses its memory: what SQL has stays right, and counting goes on."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from redirector.counters import PENDING, SEALED, parse
from tests.proxy import Fault
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
        with self.redis() as redis:
            waiting = redis.exists(PENDING, SEALED)
        unconfirmed = await self.deployment.unconfirmed_clicks()
        return not waiting and list(unconfirmed.values()) == [0]

    async def waits_in_redis(self) -> bool:
        """Whether a hundred clicks are in the pending counters, all confirmed."""
        with self.redis() as redis:
            pending = parse(redis.hgetall(PENDING)).clicks
        unconfirmed = await self.deployment.unconfirmed_clicks()
        return pending == CLICKS and list(unconfirmed.values()) == [0]

    def is_sealed(self) -> bool:
        """Whether a batch was sealed, which waits for SQL."""
        with self.redis() as redis:
            return bool(redis.exists(SEALED))

    def redis(self) -> Redis:
        """A blocking client."""
        return Redis(unix_socket_path=str(self.deployment.settings.redis_socket))

    async def restart_redis(self, copy: Path, *, keep: bool) -> None:
        """Stops the server, and starts it with the data it had before, which are copied when they
        are to be kept, and else come from the copy; without a copy it starts empty."""
        assert await self.deployment.redis.stop() == 0
        _exchange(self.deployment.settings.redis_dir, copy, keep=keep)
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


def _exchange(data: Path, copy: Path, *, keep: bool) -> None:
    if keep:
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("redis.sock", "lock"))
        return
    shutil.rmtree(data)
    if copy.exists():
        shutil.copytree(copy, data)


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
    """What was only in Redis is gone; what was flushed is not, and new clicks are counted."""
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    with scene.redis() as redis:
        redis.flushall()
    scene.free_flushers()
    await scene.click()
    await scene.counted(2 * CLICKS)


async def test_a_restart_without_the_append_only_file(scene: Scene, tmp_path: Path) -> None:
    """The same; the scripts are gone too, and are loaded again."""
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    await scene.restart_redis(tmp_path / "none", keep=False)
    scene.free_flushers()
    await scene.click()
    await scene.counted(2 * CLICKS)


async def test_an_older_copy(scene: Scene, tmp_path: Path) -> None:
    """A copy in which nothing waited takes nothing back, and new clicks are counted."""
    copy = tmp_path / "copy"
    await scene.restart_redis(copy, keep=True)
    await scene.click()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy, keep=False)
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_older_copy_with_pending_clicks(scene: Scene, tmp_path: Path) -> None:
    """Clicks that waited in the copy, and were flushed after it was made, are not counted again."""
    copy = tmp_path / "copy"
    scene.hold_flushers()
    await scene.click()
    await until(scene.waits_in_redis)
    await scene.restart_redis(copy, keep=True)
    scene.free_flushers()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy, keep=False)
    await scene.click()
    await scene.counted(3 * CLICKS)


async def test_an_older_copy_with_a_sealed_batch(scene: Scene, tmp_path: Path) -> None:
    """A batch that was sealed in the copy, and applied after it was made, is known by its id."""
    copy = tmp_path / "copy"
    path = scene.deployment.settings.data_dir / "waymark.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await scene.click()
        await until(scene.is_sealed)
        await scene.restart_redis(copy, keep=True)
        other.rollback()
    await scene.counted(2 * CLICKS)
    await scene.restart_redis(copy, keep=False)
    await scene.click()
    await scene.counted(3 * CLICKS)
