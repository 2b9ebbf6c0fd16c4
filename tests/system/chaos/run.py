"""A run: visitors click and clients edit while everything goes wrong; then the settlement."""

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.system.chaos.chronicle import Chronicle
from tests.system.chaos.clients import Clients
from tests.system.chaos.havoc import Havoc
from tests.system.chaos.plan import Kind, plan
from tests.system.deployment import Deployment, logs
from tests.system.hanging_disk import HangingDisk, NoFileSystemError
from tests.system.settlement import Row, settle
from tests.system.visitors import Visitors

CAMPAIGNS = 50
VISITORS = 40
CLICKS_PER_SECOND = 500


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found.

    Attributes:
        struck: faults by kind.
        others: requests that are not in the rows, by what they were.
        times: seconds that redirects took, by what they met with.
        orphans: processes that outlived the one that had started them, by service.
        tracebacks: in the logs.
        problems: what is wrong, a line each; none when the contract was kept.
        logs: of every process.
    """

    struck: Counter[Kind]
    rows: tuple[Row, ...]
    others: Counter[str]
    times: dict[str, list[float]]
    orphans: dict[str, int]
    tracebacks: int
    problems: tuple[str, ...]
    logs: str


async def run(directory: Path, seed: int, seconds: float) -> Result:
    """Runs a seed's plan for so many seconds, waits until all is at rest, and compares.

    Args:
        directory: for the data; short, since a Unix socket's path is.
    """
    deployment = Deployment(directory)
    deployment.add_standby()
    campaigns = await deployment.prepare(CAMPAIGNS)
    chronicle = Chronicle()
    async with AsyncExitStack() as stack:
        disk = _journals_disk(deployment, stack, chronicle)
        await stack.enter_async_context(deployment.running())
        chronicle.note("everything runs")
        visitors = Visitors(deployment.port, campaigns)
        havoc = Havoc(deployment, visitors, chronicle, disk)
        visitors.may_be_unavailable = lambda: havoc.sql_away
        clients = Clients(deployment, visitors, campaigns)
        async with asyncio.TaskGroup() as group:
            group.create_task(visitors.click(VISITORS, rate=CLICKS_PER_SECOND))
            group.create_task(clients.work())
            await havoc.run(plan(seed, seconds), seconds)
            chronicle.note("all faults have ended")
            visitors.leave()
            clients.leave()
        chronicle.note(await _recovered(deployment, havoc))
        settlement = await settle(deployment, visitors.tally)
        chronicle.note("all clicks are at rest")
        stopped = await deployment.stop()
        chronicle.note("everyone has stopped")
    services = deployment.services
    said = logs(services)
    return Result(
        struck=chronicle.struck,
        rows=settlement.rows,
        others=visitors.others + clients.done,
        times=_times(visitors, chronicle),
        orphans={service.name: service.orphans for service in services if service.orphans},
        tracebacks=said.count("Traceback"),
        problems=(
            *settlement.problems,
            *havoc.problems,
            *visitors.problems,
            *clients.problems,
            *(problem for service in services for problem in service.problems),
            *stopped,
        ),
        logs=said,
    )


def _journals_disk(
    deployment: Deployment, stack: AsyncExitStack, chronicle: Chronicle
) -> HangingDisk | None:
    """A disk for the journals that can hang, where this machine can have one."""
    directory = deployment.settings.journal_dir
    directory.mkdir()
    image = deployment.settings.data_dir / "journals.img"
    try:
        return stack.enter_context(HangingDisk.mounted(directory, image))
    except NoFileSystemError as error:
        chronicle.note(f"left out: {Kind.HANG.value} ({error})")
        return None


async def _recovered(deployment: Deployment, havoc: Havoc) -> str:
    try:
        await deployment.wait_until_well()
    except AssertionError:
        havoc.problems.append("not everyone became well again")
        return havoc.problems[-1]
    return "everyone is well"


def _times(visitors: Visitors, chronicle: Chronicle) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    for began, seconds in visitors.times:
        times[chronicle.weather(began, seconds)].append(seconds)
    return times
