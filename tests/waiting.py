"""Waiting for what will come, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_DEADLINE_SECONDS = 20


async def until(
    condition: Callable[[], Awaitable[bool] | bool],
    *,
    within: float = _DEADLINE_SECONDS,
    every: float = 0.01,
) -> None:
    """Returns once the condition holds; fails when it does not come to hold.

    Args:
        within: seconds.
        every: seconds between two looks.
    """
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        if time.monotonic() > deadline:
            raise AssertionError("what was waited for did not come")
        await asyncio.sleep(every)
