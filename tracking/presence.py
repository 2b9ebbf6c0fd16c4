"""Whether something the process needs is there, said in the log once a change."""

import logging
from dataclasses import dataclass, field


@dataclass(slots=True)
class Presence:
    """Presence of Redis or SQL, as the last attempt to use it found it.

    Attributes:
        name: as it is to stand in the log: `Redis`, `SQL`.
        meanwhile: what happens while it is away, for the log.
        known: whether it was tried at all.
        error: what the last attempt failed of; "" while it is not away.
    """

    name: str
    meanwhile: str
    logger: logging.Logger
    known: bool = field(default=False, init=False)
    away: bool = field(default=False, init=False)
    error: str = field(default="", init=False)

    def lost(self, error: Exception) -> None:
        """Notes that an attempt failed."""
        if not self.away:
            self.logger.warning("%s is away (%s): %s", self.name, error, self.meanwhile)
        self.known = self.away = True
        self.error = str(error)

    def found(self) -> None:
        """Notes that an attempt succeeded."""
        if self.away:
            self.logger.warning("%s is back", self.name)
        self.known, self.away = True, False
        self.error = ""

    def __str__(self) -> str:
        if not self.known:
            return "unknown"
        return "away" if self.away else "ok"
