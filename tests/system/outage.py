"""`python -m tests.system.outage`: what it costs the redirector that Redis is away.

One worker answers steady clicks; Redis is killed, stays away, and comes back. Prints the worker's
peak memory by the minute, how long redirects took before, during and after, and whether every
click was counted in the end.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.system.chaos.report import percentile
from tests.system.deployment import Deployment, logs
from tests.system.memory import resident_bytes
from tests.system.settlement import Settlement, settle
from tests.system.visitors import Visitors
from tracking.settings import Settings

CAMPAIGNS = 1000
VISITORS = 40
# Before Redis is killed, and after it is back.
_CALM_SECONDS = 10.0
_SAMPLE_SECONDS = 0.5
_MEBIBYTE = 2**20


class Outage:
    """A deployment with visitors, and what was seen of it."""

    def __init__(self, deployment: Deployment, visitors: Visitors) -> None:
        self._deployment = deployment
        self._visitors = visitors
        self._waiting = 0
        self._on_disk = 0

    async def phase(self, name: str, seconds: float) -> None:
        """Looks on for so long; prints peak memory a minute, and times of the whole phase."""
        began = time.monotonic()
        while (minute := time.monotonic() - began) < seconds:
            peak = await self._peak(min(60.0, seconds - minute))
            print(
                f"{name:8} {minute / 60:5.1f} min: peak {peak / _MEBIBYTE:6.1f} MiB,"
                f" {self._waiting} clicks wait, {self._on_disk / _MEBIBYTE:.2f} MiB of journals",
                flush=True,
            )
        # Only those of the phase: lists of ten minutes are long.
        times = [seconds for _, seconds in self._visitors.times]
        self._visitors.times.clear()
        median, high, highest = (1000 * percentile(times, share) for share in (0.5, 0.99, 1.0))
        print(
            f"{name:8} {len(times)} redirects, p50 {median:.2f} ms, p99 {high:.2f} ms,"
            f" slowest {highest:.1f} ms",
            flush=True,
        )

    async def _peak(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        peak = 0
        while time.monotonic() < end:
            peak = max(peak, resident_bytes(self._deployment.redirector.pid))
            await asyncio.sleep(_SAMPLE_SECONDS)
        self._waiting = sum((await self._deployment.waiting_clicks()).values())
        self._on_disk = sum(path.stat().st_size for path in self._deployment.journal_files())
        return peak


async def run(directory: Path, seconds: float, rate: float) -> bool:
    """The whole of it; whether every click was counted."""
    socket = Settings(data_dir=directory, redis_url=None).redis_socket
    # Past the proxy, which is slower than Redis.
    deployment = Deployment(directory, workers=1, flushers=1, apis=1, REDIS_URL=f"unix://{socket}")
    campaigns = await deployment.prepare(CAMPAIGNS)
    async with deployment.running():
        visitors = Visitors(deployment.port, campaigns)
        outage = Outage(deployment, visitors)
        crowd = asyncio.create_task(visitors.click(VISITORS, rate=rate))
        await outage.phase("before", _CALM_SECONDS)
        await deployment.redis.stop(signal.SIGKILL)
        await outage.phase("away", seconds)
        deployment.redis.start()
        await outage.phase("back", _CALM_SECONDS)
        visitors.leave()
        await crowd
        settlement = await settle(deployment, visitors.tally)
        stopped = await deployment.stop()
    problems = [*settlement.problems, *visitors.problems, *stopped]
    _print_totals(settlement, problems)
    if problems:
        print(logs(deployment.services))
    return not problems


def _print_totals(settlement: Settlement, problems: list[str]) -> None:
    answered, broken, counted = (
        sum(getattr(row, name) for row in settlement.rows)
        for name in ("answered", "broken", "counted")
    )
    print(f"{answered} answered, {broken} broken, {counted} counted")
    for problem in problems:
        print(f"WRONG: {problem}")


def main() -> int:
    """Runs and prints; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.outage")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long Redis is away")
    parser.add_argument("--rate", type=float, default=1000.0, help="clicks a second")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="waymark-"))
    print(f"Redis is away for {options.seconds:g} s, {options.rate:g} clicks a second")
    try:
        well = asyncio.run(run(directory, options.seconds, options.rate))
    finally:
        shutil.rmtree(directory)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
