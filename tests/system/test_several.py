"""Several of everything, and nothing goes wrong."""

import asyncio
from pathlib import Path

import pytest

from tests.system.deployment import Deployment
from tests.system.settlement import settle
from tests.system.visitors import Visitors
from tests.waiting import until

CLICKS = 1500


@pytest.mark.timeout(240)
async def test_all_counts_are_equal(short_dir: Path) -> None:
    """Four workers, two flushers, two APIs: what was answered is what both APIs count."""
    deployment = Deployment(short_dir, workers=4, flushers=2, apis=2)
    campaigns = await deployment.prepare(10)
    async with deployment.running():
        visitors = Visitors(deployment.port, campaigns)
        crowd = asyncio.create_task(visitors.click(20, rate=500))
        await until(lambda: visitors.tally.people.answered.total() >= CLICKS)
        visitors.leave()
        await crowd
        settlement = await settle(deployment, visitors.tally)
        counts = [await deployment.counts(number) for number in range(2)]
        stopped = await deployment.stop()
    answered = visitors.tally.people.answered
    assert visitors.problems == []
    assert settlement.problems == ()
    assert visitors.tally.people.broken.total() == 0
    assert {code: count for code, count in counts[0].items() if count} == dict(answered)
    assert counts[0] == counts[1]
    # They were there, and were not counted.
    assert visitors.tally.bots.answered.total() > 0
    assert visitors.others["head"] > 0
    assert visitors.others["prefetch"] > 0
    assert visitors.others["page"] > 0
    assert stopped == []
