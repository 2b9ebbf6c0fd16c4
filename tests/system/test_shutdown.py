"""The redirector is told to stop while visitors wait for their answers."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loadtest.api import Campaign
from tests.proxy import Fault
from tests.system import sessions
from tests.system.browser import Browser, get
from tests.system.deployment import Deployment
from tests.system.settlement import Settlement, settle
from tests.system.visitors import Visitors
from tests.waiting import until

IN_FLIGHT = 200
WORKERS = pytest.mark.parametrize("workers", [1, 2])

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def deployed(
    directory: Path, workers: int
) -> AsyncIterator[tuple[Deployment, Visitors, list[Campaign]]]:
    """A redirector whose visitors wait for Redis too, as long as it is there."""
    settings = {"COMMIT_TIMEOUT": "30", "DURABILITY": "both"}
    deployment = Deployment(directory, workers=workers, flushers=1, apis=1, **settings)
    campaigns = await deployment.prepare(3)
    async with deployment.running():
        yield deployment, Visitors(deployment.port, campaigns), campaigns


async def waiting(
    deployment: Deployment, visitors: Visitors, campaigns: list[Campaign]
) -> "asyncio.Future[list[None]]":
    """Two hundred requests that have come, when nothing passes between the redirector and Redis."""
    browsers = [Browser(deployment.port) for _ in range(IN_FLIGHT)]
    # Links are in the caches, and connections are accepted, before anything waits.
    for campaign in campaigns:
        await asyncio.gather(*(visitors.ask(browser, campaign.code) for browser in browsers))

    async def rests() -> bool:
        return not any((await deployment.waiting_clicks()).values())

    await until(rests, every=0.1)
    answered_before = visitors.tally.people.answered.total()
    deployment.network.fault = Fault.STALL

    async def ask(number: int, browser: Browser) -> None:
        await visitors.ask(browser, campaigns[number % len(campaigns)].code)
        browser.close()

    requests = asyncio.gather(*(ask(*numbered) for numbered in enumerate(browsers)))

    async def all_came() -> bool:
        waiting = sum((await deployment.waiting_clicks()).values())
        # The redirector may give up on Redis, and answer, before the last has come.
        answered = visitors.tally.people.answered.total() - answered_before
        return waiting + answered >= IN_FLIGHT

    await until(all_came)
    unanswered = IN_FLIGHT + answered_before - visitors.tally.people.answered.total()
    print(f"{unanswered} requests are in flight")
    return requests


async def reckoned(deployment: Deployment, visitors: Visitors) -> Settlement:
    """The settlement, for which the redirector, stopped by now, is started again."""
    deployment.network.fault = Fault.NONE
    deployment.redirector.start()
    await deployment.wait_until_well()
    return await settle(deployment, visitors.tally)


@WORKERS
async def test_each_gets_an_answer(short_dir: Path, workers: int) -> None:
    """SIGTERM with 200 requests in flight: each gets its 302, all are counted, the status is 0."""
    async with deployed(short_dir, workers) as (deployment, visitors, campaigns):
        requests = await waiting(deployment, visitors, campaigns)
        deployment.redirector.send(signal.SIGTERM)
        deployment.network.fault = Fault.NONE
        status = await deployment.redirector.ended()
        await requests
        settlement = await reckoned(deployment, visitors)
        stopped = await deployment.stop()
    assert status == 0
    assert visitors.tally.people.broken.total() == 0
    assert visitors.tally.people.answered.total() == visitors.sent.total()
    assert (visitors.problems, settlement.problems, stopped) == ([], (), [])


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_corrupts_nothing(short_dir: Path, second: signal.Signals) -> None:
    """Told twice, as Ctrl-C tells all processes of a terminal, while Redis does not answer: who was
    led on is counted, and nobody twice; the status is 0. At a second SIGINT, which means at once,
    those who wait are cut off or get an error, and may have been counted."""
    async with deployed(short_dir, workers=2) as (deployment, visitors, campaigns):
        idle = Browser(deployment.port)
        await idle.ask(get("/healthz"))
        requests = await waiting(deployment, visitors, campaigns)
        processes = {deployment.redirector.pid, *deployment.worker_pids()}
        for pid in processes:
            sessions.kill(pid, second)
        # A process that begins to stop closes the connections on which nobody waits.
        await until(lambda: idle.is_closed)
        idle.close()
        for pid in processes:
            sessions.kill(pid, second)
        status = await deployment.redirector.ended()
        await requests
        settlement = await reckoned(deployment, visitors)
        stopped = await deployment.stop()
    assert status == 0
    assert (settlement.problems, stopped) == ((), [])
    if second is signal.SIGTERM:
        assert visitors.problems == []


async def test_stopping_without_redis_loses_nothing(short_dir: Path) -> None:
    """Redis is away when the redirector is told to stop, and until it has: clicks are on disk."""
    async with deployed(short_dir, workers=2) as (deployment, visitors, campaigns):
        requests = await waiting(deployment, visitors, campaigns)
        deployment.network.fault = Fault.CUT
        status = await deployment.redirector.stop()
        await requests
        settlement = await reckoned(deployment, visitors)
        stopped = await deployment.stop()
    assert status == 0
    assert visitors.tally.people.broken.total() == 0
    assert (visitors.problems, settlement.problems, stopped) == ([], (), [])
