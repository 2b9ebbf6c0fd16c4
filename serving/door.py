"""How many connections a process holds, and what is said of those that it did not keep."""

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import Set
from typing import Any, Final, Protocol

logger = logging.getLogger(__name__)

# Under which uvicorn's lifespan state holds the process's `Door`.
_STATE_KEY: Final = "door"

# Where one connection has to make room, this part of all that are idle or silent does: the search
# for them takes as long for one as for many.
_MAKES_ROOM: Final = 16

_SECONDS_BETWEEN_LINES: Final = 60.0

# When no file can be opened, uvloop accepts and closes what comes, and tells nobody: so somebody
# has to look.
_SECONDS_BETWEEN_LOOKS: Final = 1.0


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
        self._line: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None

    @classmethod
    def of(
        cls, state: dict[str, Any], limit: int | None, loop: asyncio.AbstractEventLoop
    ) -> "Door":
        """The door of a process, which its first connection makes."""
        door = state.get(_STATE_KEY)
        if not isinstance(door, cls):
            door = state[_STATE_KEY] = cls(limit, loop)
        return door

    def enter(self, guest: Guest, guests: Set[Guest]) -> bool:
        """Whether a connection may stay, which is among `guests` already."""
        if self._look is None:
            self._look = self._loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look_for_files, guests)
        if self._limit is None or len(guests) <= self._limit:
            return True
        if number := self._make_room(guests - {guest}):
            self.note(f"closed while idle, since {self._limit} are open (MAX_CONNECTIONS)", number)
            return True
        self.note(f"refused: all {self._limit} are at work (MAX_CONNECTIONS)")
        return False

    def _make_room(self, guests: Set[Guest]) -> int:
        """Closes those that have waited longest; how many."""
        patient = [
            (patience, guest) for guest in guests if (patience := guest.patience()) is not None
        ]
        patient.sort(key=lambda pair: pair[0])
        turned_out = patient[: math.ceil(len(patient) / _MAKES_ROOM)]
        for _, guest in turned_out:
            guest.turn_out()
        return len(turned_out)

    def _look_for_files(self, guests: Set[Guest]) -> None:
        self._look = None
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            self._make_room(guests)
            self.note(f"not accepted, for a second: {error.strerror}")
        if guests:
            self._look = self._loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look_for_files, guests)

    def note(self, what: str, number: int = 1) -> None:
        """Counts what happened to connections; a line a minute at most says what did."""
        self._happened[what] += number
        if self._line is None:
            self._say()

    def _say(self) -> None:
        self._line = None
        if not self._happened:
            return
        counts = "; ".join(f"{number} {what}" for what, number in self._happened.most_common())
        self._happened.clear()
        logger.warning("connections: %s", counts)
        self._line = self._loop.call_later(_SECONDS_BETWEEN_LINES, self._say)
