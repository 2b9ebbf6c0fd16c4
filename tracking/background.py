"""Tasks that a process can't do without, and how they end."""

import asyncio
import logging
import signal
from collections.abc import Coroutine

logger = logging.getLogger(__name__)

# A task that was told to end ends at once, unless it waits for a disk that hangs.
_END_SECONDS = 2.0


def start_vital(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Runs what must go on for as long as the process.

    If it fails all the same, the process stops in order, and whoever started it starts it again:
    better than to go on with a deaf cache, or with clicks that nobody records.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(_stop_process_on_failure)
    return task


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """Ends tasks, and waits until they have, or for two seconds.

    A failure of theirs is not raised: it was in the log when it happened, and who is stopping has
    more to do.
    """
    for task in tasks:
        task.cancel()
    await finish(*tasks, at_most=_END_SECONDS)


async def finish(*tasks: asyncio.Task[None], at_most: float) -> None:
    """Waits until tasks have ended, however they do, or for so many seconds."""
    if tasks:
        await asyncio.wait(tasks, timeout=at_most)


def _stop_process_on_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.critical("a vital task failed: the process stops", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
