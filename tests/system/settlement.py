"""The end of a test: all clicks have come to rest, and are compared with what visitors saw."""

import asyncio
from dataclasses import dataclass

from loadtest.api import Api
from loadtest.loopback import HOST
from loadtest.reconcile import Reckoning, compare, drain
from loadtest.tally import Tally
from tests.system.deployment import Deployment
from tests.waiting import until

_REST_SECONDS = 30.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign's clicks. Counted right: answered <= counted <= answered + broken."""

    code: str
    answered: int
    broken: int
    counted: int

    @property
    def right(self) -> bool:
        """Whether each click was counted once."""
        return self.answered <= self.counted <= self.answered + self.broken


@dataclass(frozen=True, slots=True)
class Settlement:
    """The comparison.

    Attributes:
        problems: what is wrong, a line each; none when all is well.
    """

    rows: tuple[Row, ...]
    problems: tuple[str, ...]


async def settle(deployment: Deployment, tally: Tally) -> Settlement:
    """Waits until nothing waits anywhere, or for half a minute, and compares."""
    problems: list[str] = []
    try:
        await until(lambda: _rests(deployment), within=_REST_SECONDS, every=_POLL_SECONDS)
    except AssertionError:
        left = deployment.clicks_on_disk()
        waiting = await deployment.waiting_clicks()
        problems.append(f"clicks are still under way: {left} on disk, {waiting} say the workers")
    reckoning = await asyncio.to_thread(_drain, deployment, tally)
    counts = await deployment.counts()
    problems += reckoning.complaints()
    if compare(tally, counts) != reckoning.differences:
        problems.append("the counts moved after they had come to rest")
    status, said = await deployment.audit()
    if status:
        problems.append(f"waymark audit: {said}")
    people = tally.people
    rows = tuple(
        Row(code, people.answered[code], people.broken[code], counted)
        for code, counted in sorted(counts.items())
    )
    return Settlement(rows, tuple(problems))


async def _rests(deployment: Deployment) -> bool:
    """Whether no click waits in a redirector's memory or on disk."""
    workers = deployment.worker_pids()
    waiting = await deployment.waiting_clicks()
    return (
        not deployment.clicks_on_disk()
        and set(waiting) == set(workers)
        and not any(waiting.values())
    )


def _drain(deployment: Deployment, tally: Tally) -> Reckoning:
    with Api(deployment.access()) as api:
        return drain(tally, api, f"http://{HOST}:{deployment.port}")
