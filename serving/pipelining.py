"""Pipelined requests take turns, so that who sends many at once keeps nobody else waiting."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

# Under which uvicorn's lifespan state holds the process's `PipelinedRequests`.
_STATE_KEY: Final = "pipelined_requests"

# So many are begun before the loop looks at the network again: about a millisecond through ASGI. A
# visitor's click takes some rounds of the loop, which 50 connections made 13 ms long each.
AT_ONCE: Final = 4


class PipelinedRequests:
    """Those of a process's connections that wait behind one which was just answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._scheduled = False

    @classmethod
    def of(cls, state: dict[str, Any], loop: asyncio.AbstractEventLoop) -> "PipelinedRequests":
        """Those of a process, which its first connection makes."""
        requests = state.get(_STATE_KEY)
        if not isinstance(requests, cls):
            requests = state[_STATE_KEY] = cls(loop)
        return requests

    def wait(self, begin: Callable[[], None]) -> None:
        """Calls `begin` when those that came before had their turn, and the network its."""
        self._waiting.append(begin)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._take_turns)

    def _take_turns(self) -> None:
        for _ in range(min(AT_ONCE, len(self._waiting))):
            # By the loop, for which one that fails is no reason to leave out the others.
            self._loop.call_soon(self._waiting.popleft())
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._take_turns)
