"""When tokens were last used: noted in the background, roughly, and never in anybody's way."""

import asyncio
import logging
import time

from tracking import tokens
from tracking.background import finish
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.tokens import Token

logger = logging.getLogger(__name__)

# A use is written when the last one that is known is older than this, in seconds: enough to tell
# a token in use from a forgotten one, and at most six writes an hour for each.
PRECISION = 600.0
# While the database is busy or away the next request tries again, but not each.
_RETRY_SECONDS = 10.0
_CLOSE_SECONDS = 2.0


class TokenUses:
    """Notes uses of tokens, for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tried_at: dict[int, float] = {}
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, token: Token) -> None:
        """The token is used now. Returns at once, whatever the state of the database."""
        now = time.time()
        # A clock may have been set back: a use in the future is as wrong as an old one.
        if token.last_used_at is not None and abs(now - token.last_used_at) < PRECISION:
            return
        if abs(now - self._tried_at.get(token.id, 0.0)) < _RETRY_SECONDS:
            return
        self._tried_at[token.id] = now
        write = asyncio.create_task(self._write(token.id, now))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def close(self) -> None:
        """Waits for what is being written, but not for a disk that hangs."""
        await finish(*self._writes, at_most=_CLOSE_SECONDS)

    async def _write(self, token_id: int, now: float) -> None:
        try:
            async with self._database.write_if_idle() as connection:
                await tokens.note_use(connection, token_id, now)
        except DatabaseUnavailableError:
            return  # a later request tries again
        except Exception:
            logger.exception("the use of a token could not be noted")
