"""`python -m tests.system.chaos`: a run of any length, with a seed that can be run again."""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.system.chaos.report import report
from tests.system.chaos.run import Result, run

_MOST_SECONDS = 3600.0


async def _run(directory: Path, seed: int, seconds: float) -> Result:
    task = asyncio.current_task()
    assert task is not None
    # The blocks are left in order then, so that no process stays behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(directory, seed, seconds)


def main() -> int:
    """Runs and prints; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long things go wrong")
    parser.add_argument("--seed", type=int, default=None, help="what goes wrong, and when")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    seconds = min(options.seconds, _MOST_SECONDS)
    directory = Path(tempfile.mkdtemp(prefix="waymark-"))
    print(
        f"seed {seed}, {seconds:g} s: python -m tests.system.chaos --seed {seed} "
        f"--seconds {seconds:g}",
        flush=True,
    )
    try:
        result = asyncio.run(_run(directory, seed, seconds))
    finally:
        shutil.rmtree(directory)
    if result.problems:
        print(result.logs)
    print(report(result))
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
