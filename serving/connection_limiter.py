"""How many connections a process holds, and what is said of those that it did not keep."""

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import Set
from typing import Any, Final, Protocol

logger = logging.getLogger(__name__)

# Under which uvicorn's lifespan state holds the process's `ConnectionLimiter`.
_STATE_KEY: Final = "connection_limiter"

# Where one connection has to be evicted, one in so many of those that may be is: the search for
# them takes as long for one as for many.
_EVICTED_SHARE: Final = 16

_LOG_SECONDS: Final = 60.0

# When no file can be opened, uvloop accepts and closes what comes, and tells nobody.
_CHECK_SECONDS: Final = 1.0


class Evictable(Protocol):
    """A connection, as the limiter sees it."""

    def eviction_rank(self) -> tuple[int, float] | None:
        """How soon it may be closed for another's sake, the least first; None: not at all."""

    def evict(self) -> None:
        """Closes it at once."""


class ConnectionLimiter:
    """Keeps the connections of a process to their limit; they share it.

    A stranger that opens many connections and has us wait must not keep visitors out: when there
    are as many as may be, those that have lasted longest are closed, first those that never sent a
    request, then the idle, then those that owe a body or have not read an answer. Where all are
    being answered, the new one is.
    """

    def __init__(self, limit: int | None, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._loop = loop
        self._happened: Counter[str] = Counter()
        self._summary: asyncio.TimerHandle | None = None
        self._check: asyncio.TimerHandle | None = None

    @classmethod
    def of(
        cls, state: dict[str, Any], limit: int | None, loop: asyncio.AbstractEventLoop
    ) -> "ConnectionLimiter":
        """The limiter of a process, which its first connection makes."""
        limiter = state.get(_STATE_KEY)
        if not isinstance(limiter, cls):
            limiter = state[_STATE_KEY] = cls(limit, loop)
        return limiter

    def admit(self, connection: Evictable, connections: Set[Evictable]) -> bool:
        """Whether a connection may stay, which is among `connections` already."""
        if self._check is None:
            self._check_later(connections)
        if self._limit is None or len(connections) <= self._limit:
            return True
        if number := self._evict(connections - {connection}):
            self.note(f"closed for others, since {self._limit} are open (MAX_CONNECTIONS)", number)
            return True
        self.note(f"refused: all {self._limit} are at work (MAX_CONNECTIONS)")
        return False

    def _evict(self, connections: Set[Evictable]) -> int:
        """Closes those that have waited longest; how many."""
        ranked = [
            (rank, connection)
            for connection in connections
            if (rank := connection.eviction_rank()) is not None
        ]
        ranked.sort(key=lambda pair: pair[0])
        evicted = ranked[: math.ceil(len(ranked) / _EVICTED_SHARE)]
        for _, connection in evicted:
            connection.evict()
        return len(evicted)

    def _check_later(self, connections: Set[Evictable]) -> None:
        self._check = self._loop.call_later(_CHECK_SECONDS, self._check_open_files, connections)

    def _check_open_files(self, connections: Set[Evictable]) -> None:
        self._check = None
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            self._evict(connections)
            self.note(f"not accepted, for a second: {error.strerror}")
        if connections:
            self._check_later(connections)

    def note(self, what: str, number: int = 1) -> None:
        """Counts what happened to connections; a line a minute at most says what did."""
        self._happened[what] += number
        if self._summary is None:
            self._log_summary()

    def _log_summary(self) -> None:
        self._summary = None
        if not self._happened:
            return
        counts = "; ".join(f"{number} {what}" for what, number in self._happened.most_common())
        self._happened.clear()
        logger.warning("connections: %s", counts)
        self._summary = self._loop.call_later(_LOG_SECONDS, self._log_summary)
