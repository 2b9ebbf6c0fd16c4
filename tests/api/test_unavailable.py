"""When SQL can't be used, and when the program itself is wrong: still JSON, and no stack trace."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest

from api.app import create_app
from tests.api.conftest import Shop
from tests.disk import room_for
from tests.locking import locked
from tests.serving import serving
from tests.waiting import until
from tracking import heartbeat, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.tables import flusher_status

AWAY = {"detail": "The database can't be used right now. Please try again."}


@dataclass(frozen=True)
class Service:
    """A server over the test's own database, which it may break."""

    database: Database
    settings: Settings
    client: httpx.AsyncClient


@pytest.fixture
async def service(database: Database, settings: Settings) -> AsyncIterator[Service]:
    """A server with the event `acme/summer`."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        token = await tokens.create(connection, event.organizer_id)
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Token {token}"}, timeout=30, verify=False
        ) as client,
    ):
        yield Service(database, settings, client)


PATH = "/api/v1/organizers/acme/events/summer/campaigns/"


async def test_a_locked_database_stops_writes_alone(shop: Shop) -> None:
    """Writes are 503 with a time to come back at; reads go on; afterwards all is well."""
    made = await shop.campaign()
    item = f"campaigns/{made['id']}/"
    async with locked(shop.served.file) as other:
        for method, path in (
            ("POST", "campaigns/"),
            ("PUT", item),
            ("PATCH", item),
            ("DELETE", item),
        ):
            response = await shop.client.request(method, path, json={"description": "x"})
            assert (response.status_code, response.json()) == (503, AWAY), method
            assert response.headers["Retry-After"] == "5"
            assert response.headers["Allow"]
        assert (await shop.client.get(item)).json() == made
        assert (await shop.client.get("campaigns/")).json()["results"] == [made]
        assert (await shop.client.get(f"{shop.served.url}/healthz")).status_code == 200
        other.execute("ROLLBACK")
    patched = await shop.client.patch(item, json={"description": "Flyer"})
    assert patched.json() == {**made, "description": "Flyer"}


async def test_a_database_that_is_none_is_503(settings: Settings) -> None:
    """A file that SQLite can't read: the server starts, says so, and answers 503."""
    settings.data_dir.joinpath("waymark.db").write_bytes(b"no database" * 1000)
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        response = await client.get(PATH, headers={"Authorization": "Token x"})
        assert (response.status_code, response.json()) == (503, AWAY)
        assert response.headers["Retry-After"] == "5"
        health = await client.get("/healthz")
        assert health.status_code == 503
        assert health.headers["Retry-After"] == "5"
        assert health.json() == {
            "status": "down",
            "reason": "The database can't be read (file is not a database).",
            "sql": "away",
            "redis": "unknown",
            "flusher_seen_seconds_ago": None,
        }
        head = await client.head("/healthz")
        assert (head.status_code, head.content) == (503, b"")


async def test_the_database_is_made_ready_as_soon_as_it_can_be(settings: Settings) -> None:
    """A server that starts before its database can be used serves once it can."""
    file = settings.data_dir / "waymark.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with (
            serving(create_app(settings)) as url,
            httpx.AsyncClient(base_url=url, timeout=30, verify=False) as client,
        ):
            assert (await client.get("/healthz")).status_code == 503
            other.execute("ROLLBACK")
            async with asyncio.timeout(30):
                while (await client.get("/healthz")).status_code != 200:
                    pass
            unknown = await client.get(PATH, headers={"Authorization": "Token x"})
            assert unknown.status_code == 401


async def test_a_mistake_of_the_program_is_a_500_that_tells_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong is in the log, and not in the answer."""
    async with service.database.write() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO categories (event_id, name, position, is_addon) VALUES (1, '{', 0, 0)"
        )
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        response = await service.client.get(PATH.replace("campaigns", "categories"))
    assert response.status_code == 500
    assert response.json() == {"detail": "An internal error happened; it was logged."}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Traceback" in caplog.text


@dataclass(frozen=True)
class Report:
    """What the flusher said, how long ago, and what the health page makes of it at its start."""

    redis_reachable: bool
    age: float
    redis: str
    status: str


REPORTS = {
    "fresh, reachable": Report(True, 0, "ok", "ok"),
    "fresh, away": Report(False, 0, "away", "degraded"),
    "old, reachable": Report(True, 31, "unknown", "ok"),
    "old, away": Report(False, 3600, "unknown", "degraded"),
    "from the future": Report(True, -5, "ok", "ok"),
}


@pytest.mark.parametrize("case", REPORTS.values(), ids=REPORTS.keys())
async def test_health_repeats_the_flusher(
    database: Database, settings: Settings, case: Report
) -> None:
    """Redis is as the flusher last saw it, unless that was too long ago."""
    async with database.write() as connection:
        await heartbeat.beat(connection, redis_reachable=case.redis_reachable)
        seen_at = flusher_status.c.seen_at - case.age
        await connection.execute(flusher_status.update().values(seen_at=seen_at))
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        response = await client.get("/healthz")
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("flusher_seen_seconds_ago") >= max(0, case.age)
    assert (answer.pop("reason") is None) == (case.status == "ok")
    assert answer == {"status": case.status, "sql": "ok", "redis": case.redis}


async def test_health_tells_that_nothing_can_be_written(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL can be read, so that the process goes on, and says in words what it can't do."""
    monkeypatch.setattr("serving.health._WRITING_SECONDS", 0.1)

    async def says(status: str) -> bool:
        response = await service.client.get("/healthz")
        assert response.status_code == 200
        reason = response.json()["reason"]
        assert reason is None or reason.startswith("Nothing can be written to the database (")
        assert (response.json()["status"] == "ok") == (reason is None)
        return bool(response.json()["status"] == status)

    await until(lambda: says("ok"))
    with room_for(0):
        await until(lambda: says("degraded"))
        assert await says("degraded")
    await until(lambda: says("ok"))
    assert caplog.text.count("can't write to the database (") == 1
    assert caplog.text.count("the database can be written to again") == 1


async def test_health_needs_no_token_and_no_flusher(service: Service) -> None:
    """Without a report, at first, Redis is unknown; HEAD works, other methods don't."""
    async with httpx.AsyncClient(base_url=service.client.base_url, verify=False) as client:
        get, head = await client.get("/healthz"), await client.head("/healthz")
        assert get.json() == {
            "status": "ok",
            "reason": None,
            "sql": "ok",
            "redis": "unknown",
            "flusher_seen_seconds_ago": None,
        }
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == str(len(get.content))
        for method in ("POST", "DELETE", "OPTIONS"):
            response = await client.request(method, "/healthz")
            assert response.status_code == 405
            assert response.headers["Allow"] == "GET, HEAD"
            assert response.json() == {"detail": f'Method "{method}" not allowed.'}
