"""Whether something the process needs is there, said in the log when that changes."""

import logging
import time
from dataclasses import dataclass, field
from typing import Final

# What comes and goes is said once so often, in seconds,
_QUIET_SECONDS: Final = 60.0
# but what stays away for so long is said.
_LASTING_SECONDS: Final = 5.0
# What is started at the same time may take so long, in seconds, before it is missed.
_GRACE_SECONDS: Final = 5.0


class Start:
    """The start of the process, near which waiting is no alarm.

    Attributes:
        graced_until: on the monotonic clock. Who is no process of Waymark's has no grace.
    """

    graced_until = float("-inf")

    @classmethod
    def begin(cls) -> None:
        """To be called when a process of Waymark's starts."""
        cls.graced_until = time.monotonic() + _GRACE_SECONDS


@dataclass(slots=True)
class Presence:
    """Presence of Redis or SQL, as the last attempt to use it found it.

    That it is away is said at once, and that it is back. Of those absences that begin within a
    minute of the last one that was said only those that last are said, and how many the others
    were. So whatever the log said last is so still, or was seconds ago.

    Attributes:
        name: as it is to stand in the log: `Redis`, `SQL`.
        meanwhile: what happens while it is away, for the log.
        when_lost: for the log, in place of "`name` is away".
        when_found: for the log, in place of "`name` is back".
        starts_too: whether it may be started at the same time as this process.
        known: whether it was found, or is away.
        missing: whether the last attempt failed.
        away: whether it is missing, and not just waited for at the process's start.
        error: what the last attempt failed of; "" while it is not missing.
    """

    name: str
    meanwhile: str
    logger: logging.Logger
    when_lost: str = ""
    when_found: str = ""
    starts_too: bool = False
    known: bool = field(default=False, init=False)
    missing: bool = field(default=False, init=False)
    away: bool = field(default=False, init=False)
    error: str = field(default="", init=False)
    _said: bool = field(default=False, init=False)
    _said_at: float | None = field(default=None, init=False)
    _away_since: float = field(default=0.0, init=False)
    _unsaid: int = field(default=0, init=False)

    def lost(self, error: Exception) -> None:
        """Notes that an attempt failed."""
        now = time.monotonic()
        waited_for, self.missing, self.error = self.missing, True, str(error)
        if self.starts_too and not self.known and now < Start.graced_until:
            if not waited_for:
                self.logger.info("waiting for %s", self.name)
            return
        if not self.away:
            self._away_since = now
            self._said = False
        self.known = self.away = True
        if not self._said and (self._is_due(now) or now - self._away_since >= _LASTING_SECONDS):
            self._summarize()
            lost = self.when_lost or f"{self.name} is away"
            self.logger.warning("%s (%s): %s", lost, error, self.meanwhile)
            self._said, self._said_at = True, now

    def found(self) -> None:
        """Notes that an attempt succeeded."""
        if self.away and self._said:
            self.logger.warning("%s", self.when_found or f"{self.name} is back")
        elif self.away:
            self._unsaid += 1
        elif self.missing:
            self.logger.info("%s is there", self.name)
        self.known, self.missing, self.away = True, False, False
        self.error = ""
        if self._unsaid and self._is_due(time.monotonic()):
            self._summarize()

    def _is_due(self, now: float) -> bool:
        return self._said_at is None or now - self._said_at >= _QUIET_SECONDS

    def _summarize(self) -> None:
        """Says how often it was away unsaid."""
        if self._unsaid:
            self.logger.warning("%s was away for moments, too (%d)", self.name, self._unsaid)
            self._unsaid, self._said_at = 0, time.monotonic()

    def __str__(self) -> str:
        if not self.known:
            return "unknown"
        return "away" if self.away else "ok"
