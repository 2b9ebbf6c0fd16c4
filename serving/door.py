"""How many connections a process holds, and what is said of those that it did not keep."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Protocol

logger = logging.getLogger(__name__)

# Under which uvicorn's lifespan state holds the process's `Door`.
_STATE_KEY: Final = "door"

# Where one connection has to make room, this part of all that are idle or silent does: the search
# for them takes as long for one as for many.
_MAKES_ROOM: Final = 16

_SECONDS_BETWEEN_LINES: Final = 60.0


class Guest(Protocol):
    """A connection, as the door sees it."""

    def patience(self) -> tuple[int, float] | None:
        """How soon it may be closed for another's sake, the least first; None: not at all."""

    def turn_out(self) -> None:
        """Closes it at once."""


class Door:
    """What the connections of a process share.

    A stranger that opens many connections and says nothing must not keep visitors out: when there
    are as many as may be, those that have waited longest without a request are closed, first those
    that never sent one. Where none can be closed, the new one is.
    """

    def __init__(self, limit: int | None, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._loop = loop
        self._happened: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(
        cls, state: dict[str, Any], limit: int | None, loop: asyncio.AbstractEventLoop
    ) -> "Door":
        """The door of a process, which its first connection makes."""
        door = state.get(_STATE_KEY)
        if not isinstance(door, cls):
            door = state[_STATE_KEY] = cls(limit, loop)
        return door

    def enter(self, guest: Guest, guests: Iterable[Guest]) -> bool:
        """Whether a connection may stay, which is among `guests` already."""
        if self._limit is None:
            return True
        everyone = list(guests)
        if len(everyone) <= self._limit:
            return True
        patient = [
            (patience, other)
            for other in everyone
            if other is not guest and (patience := other.patience()) is not None
        ]
        if not patient:
            self.note(f"refused: all {self._limit} connections are at work (MAX_CONNECTIONS)")
            return False
        patient.sort(key=lambda pair: pair[0])
        for _, other in patient[: max(1, len(patient) // _MAKES_ROOM)]:
            self.note(f"closed while idle, for others: {self._limit} are open (MAX_CONNECTIONS)")
            other.turn_out()
        return True

    def note(self, what: str) -> None:
        """Counts what happened to a connection; a line a minute at most says what did."""
        self._happened[what] += 1
        if self._timer is None:
            self._say()

    def _say(self) -> None:
        self._timer = None
        if not self._happened:
            return
        counts = "; ".join(f"{number} {what}" for what, number in self._happened.most_common())
        self._happened.clear()
        logger.warning("connections: %s", counts)
        self._timer = self._loop.call_later(_SECONDS_BETWEEN_LINES, self._say)
