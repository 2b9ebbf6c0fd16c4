"""`GET /healthz`: whether this process can do its work, and what it knows of the others."""

import asyncio
import logging
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracking import heartbeat
from tracking.database import Database
from tracking.errors import DatabaseBusyError, DatabaseUnavailableError
from tracking.heartbeat import FlusherWatch
from tracking.presence import Presence

logger = logging.getLogger(__name__)

RETRY_AFTER = 5
"""Seconds after which asking again may help: longer than most locks, and most requests, last."""

# A load balancer asks again after a few seconds, and waits about as long.
_PATIENCE = 2.0
# However often health is asked for, the disk is written to for it once in so many seconds.
_WRITING_SECONDS = 5.0


class Health:
    """What one process knows of its database and of the flusher."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._flusher = FlusherWatch()
        self._writing = Presence(
            "the database",
            "writes are answered with 503",
            logger,
            when_lost="can't write to the database",
            when_found="the database can be written to again",
        )
        self._written_at = float("-inf")

    async def follow(self) -> None:
        """Watches the flusher, for ever."""
        await self._flusher.follow(self._database)

    async def report(self) -> dict[str, object]:
        """What the health page says.

        `down` when SQL can't be read; `degraded` when nothing can be written, or no clicks come.
        """
        error = await self._reading_error()
        if error is not None:
            return self._said("down", f"The database can't be read ({error}).", sql="away")
        await self._check_writing()
        reasons = []
        if self._writing.away:
            reasons.append(f"Nothing can be written to the database ({self._writing.error}).")
        if self._flusher.trouble is not None:
            reasons.append(self._flusher.trouble)
        return self._said("degraded" if reasons else "ok", " ".join(reasons) or None, sql="ok")

    def _said(self, status: str, reason: str | None, *, sql: str) -> dict[str, object]:
        age = self._flusher.age
        return {
            "status": status,
            "reason": reason,
            "sql": sql,
            "redis": self._flusher.redis,
            "flusher_seen_seconds_ago": None if age is None else round(age, 1),
        }

    async def _reading_error(self) -> str | None:
        try:
            async with self._database.read(at_most=_PATIENCE) as connection:
                self._flusher.see(await heartbeat.last(connection))
        except DatabaseUnavailableError as error:
            return str(error)
        return None

    async def _check_writing(self) -> None:
        now = time.monotonic()
        if now - self._written_at < _WRITING_SECONDS:
            return
        self._written_at = now
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._database.check_writing()
        except DatabaseBusyError:
            return  # somebody is writing
        except TimeoutError:
            self._writing.lost(TimeoutError("it takes too long"))
        except DatabaseUnavailableError as error:
            self._writing.lost(error)
        else:
            self._writing.found()


async def health(request: Request) -> Response:
    """200 while SQL can be read, else 503. Redis is as the flusher saw it: nobody here asks it."""
    own: Health = request.state.health
    report = await own.report()
    if report["status"] == "down":
        return JSONResponse(report, 503, {"Retry-After": str(RETRY_AFTER)})
    return JSONResponse(report)
