"""Tasks that a process can't do without."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress

logger = logging.getLogger(__name__)


def start_vital(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Runs what must go on for as long as the process.

    If it fails all the same, the process stops in order, and whoever started it starts it again:
    better than to go on with a deaf cache, or with clicks that nobody records.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(_stop_process_on_failure)
    return task


async def cancel(task: asyncio.Task[None]) -> None:
    """Ends a task and waits until it has."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _stop_process_on_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.critical("a vital task failed: the process stops", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
