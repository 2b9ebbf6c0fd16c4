"""`GET /healthz`: whether this process can do its work, and what it knows of the others."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.errors import RETRY_AFTER
from api.state import database_of
from tracking import heartbeat
from tracking.errors import DatabaseUnavailableError
from tracking.heartbeat import Heartbeat

# A load balancer asks again after a few seconds, and waits about as long.
_PATIENCE = 2.0
# The flusher reports every ten seconds: after three times that it is gone.
_FRESH = 30.0


async def health(request: Request) -> Response:
    """200 when SQL answers, else 503. Redis is as the flusher last saw it: the API never asks."""
    try:
        async with asyncio.timeout(_PATIENCE), database_of(request).read() as connection:
            report = await heartbeat.last(connection)
    except (DatabaseUnavailableError, TimeoutError):
        return JSONResponse(
            {"status": "down", "sql": "away", **_flusher(None)},
            status_code=503,
            headers={"Retry-After": str(RETRY_AFTER)},
        )
    return JSONResponse({"status": "ok", "sql": "ok", **_flusher(report)})


def _flusher(report: Heartbeat | None) -> dict[str, str | float | None]:
    if report is None:
        return {"redis": "unknown", "flusher_seen_seconds_ago": None}
    # Another machine's clock may be ahead of this one.
    age = max(0.0, time.time() - report.seen_at)
    reachable = "ok" if report.redis_reachable else "away"
    return {
        "redis": reachable if age <= _FRESH else "unknown",
        "flusher_seen_seconds_ago": round(age, 1),
    }
