"""`python -m redirector` and `python -m redirector.flusher`, each alone, in any order."""

import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from redirector.counters.keys import counter_name
from redirector.upgrade.counters import PENDING
from tests.processes import failure, finished, free_port, started
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking import campaigns, heartbeat
from tracking.clicks import Audience, Hour
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.window import Window

HOUR = Hour(500_000)
SERVICES = ["redirector", "redirector.flusher"]


def environment(directory: Path, **more: str) -> dict[str, str]:
    """The settings of a process under test."""
    return {"DATA_DIR": str(directory), "DATABASE_TIMEOUT": "0.5", **more}


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_setting_is_one_line(service: str, short_dir: Path) -> None:
    """The line names the variable, and the status is 2; two wrong ones are two lines."""
    status, log = failure(service, **environment(short_dir, FLUSH_INTERVAL="soon", API_PORT="0"))
    assert status == 2
    assert sorted(line.split(":")[1].strip() for line in log.splitlines()) == [
        "API_PORT",
        "FLUSH_INTERVAL",
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_newer_database_is_one_line(service: str, short_dir: Path) -> None:
    """A schema of a later version is left alone."""
    with closing(sqlite3.connect(short_dir / "waymark.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    (short_dir / "waymark.db").chmod(0o600)
    before = (short_dir / "waymark.db").read_bytes()
    port = str(free_port())
    status, log = failure(service, **environment(short_dir, REDIRECTOR_PORT=port))
    assert (status, log.count("\n")) == (1, 1)
    assert "newer" in log
    assert (short_dir / "waymark.db").read_bytes() == before


@pytest.mark.parametrize("service", SERVICES)
def test_a_directory_that_can_not_be_written_is_one_line(service: str, short_dir: Path) -> None:
    """A data directory below a file can't be made."""
    (short_dir / "file").touch()
    port = str(free_port())
    status, log = failure(service, **environment(short_dir / "file" / "d", REDIRECTOR_PORT=port))
    assert (status, log.count("\n")) == (1, 1)
    assert "DATA_DIR" in log


def test_a_port_in_use_is_one_line(short_dir: Path) -> None:
    """The line names the setting, and nothing was written."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        status, log = failure("redirector", **environment(short_dir, REDIRECTOR_PORT=port))
    assert (status, log.count("\n")) == (1, 1)
    assert "REDIRECTOR_PORT" in log
    assert list(short_dir.iterdir()) == []


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_order_of_starts_does_not_matter(short_dir: Path, workers: str) -> None:
    """Redirector and flusher first, Redis last: clicks are counted, all stop with status 0."""
    server = RedisServer(short_dir)
    port = str(free_port())
    variables = environment(short_dir, REDIRECTOR_PORT=port, REDIRECTOR_WORKERS=workers)
    database = Database.of(Settings(data_dir=short_dir))
    with (
        started("redirector.flusher", **variables) as flusher,
        started("redirector", **variables) as redirector,
    ):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as client:
            await until(lambda: _status(client, "/healthz", 200))
            async with database.write() as connection:
                event = await ensure_event(connection, "acme", "summer")
                await campaigns.create(connection, event.id, code="news1", description="News")
            await until(lambda: _status(client, "/acme/summer/c/news1/", 302))
            for _ in range(20):
                assert (await client.get("/acme/summer/c/news1/")).status_code == 302
            server.start()
            await until(lambda: _counted(database, event.id, 21))
        redirector.send_signal(signal.SIGTERM)
        redirector_log = finished(redirector)
        flusher.send_signal(signal.SIGTERM)
        flusher_log = finished(flusher)
    server.stop()
    await database.close()
    assert (redirector.returncode, flusher.returncode) == (0, 0)
    # A process that was slow to start has found Redis there.
    assert redirector_log.count("Redis is away") == redirector_log.count("Redis is back")
    assert flusher_log.count("Redis is away") == flusher_log.count("Redis is back")


@dataclass(frozen=True, slots=True)
class Ready:
    """What a flusher works on: Redis, and a database with a campaign."""

    redis: RedisServer
    database: Database
    event_id: int
    campaign_id: int

    def five_clicks(self) -> None:
        """Counts five clicks in Redis."""
        name = counter_name(self.campaign_id, HOUR, Audience.HUMAN)
        with self.redis.client() as redis:
            redis.hset(PENDING, mapping={"id": "batch", name: 5})


@pytest.fixture
async def ready(short_dir: Path) -> AsyncIterator[Ready]:
    """All of it in `short_dir`."""
    redis = RedisServer(short_dir)
    redis.start()
    database = Database.of(Settings(data_dir=short_dir))
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        campaign = await campaigns.create(connection, event.id, description="News")
    yield Ready(redis, database, event.id, campaign.id)
    await database.close()
    redis.stop()


async def test_the_last_flush_takes_all(short_dir: Path, ready: Ready) -> None:
    """A flusher that is told to stop moves what waits before it ends."""
    with started("redirector.flusher", **environment(short_dir, FLUSH_INTERVAL="3600")) as flusher:
        assert flusher.stderr is not None
        while "flushing every" not in flusher.stderr.readline():
            pass
        # The first flush is over once the flusher has reported itself.
        await until(lambda: _reported(ready.database))
        with ready.redis.client() as redis:
            redis.hset(
                PENDING,
                mapping={
                    "id": "batch",
                    counter_name(ready.campaign_id, HOUR, Audience.HUMAN): 5,
                },
            )
        flusher.send_signal(signal.SIGTERM)
        finished(flusher)
    assert await _counted(ready.database, ready.event_id, 5)


async def test_a_last_flush_that_failed_is_told(short_dir: Path, ready: Ready) -> None:
    """Redis is gone: what waits there is not in SQL."""
    with started("redirector.flusher", **environment(short_dir)) as flusher:
        ready.five_clicks()
        await until(lambda: _counted(ready.database, ready.event_id, 5))
        ready.redis.kill()
        flusher.send_signal(signal.SIGTERM)
        log = finished(flusher)
    ready.redis.start()
    assert flusher.returncode == 0
    assert "stopped; the last flush failed (Redis: " in log
    assert "stopped after a last flush" not in log


@pytest.mark.parametrize("service", ["redirector.flusher", "redirector"])
async def test_waiting_for_redis_at_the_start_is_no_alarm(service: str, short_dir: Path) -> None:
    """A line says that it is waited for."""
    server = RedisServer(short_dir)
    with started(service, **environment(short_dir, REDIRECTOR_PORT=str(free_port()))) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while lines[-1] and "Redis" not in lines[-1]:
            lines.append(process.stderr.readline())
        server.start()
        process.send_signal(signal.SIGTERM)
        finished(process)
    server.stop()
    assert "INFO" in lines[-1]
    assert "waiting for Redis" in lines[-1]


async def test_a_locked_database_delays_the_flush(short_dir: Path, ready: Ready) -> None:
    """While another process holds SQLite's lock clicks wait in Redis; the log says so once."""
    variables = environment(short_dir, FLUSH_INTERVAL="0.05", DATABASE_TIMEOUT="0.1")
    with started("redirector.flusher", **variables) as flusher:
        await until(lambda: _reported(ready.database))
        with closing(sqlite3.connect(short_dir / "waymark.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with ready.redis.client() as redis:
                redis.hset(
                    PENDING,
                    mapping={
                        "id": "batch",
                        counter_name(ready.campaign_id, HOUR, Audience.HUMAN): 5,
                    },
                )
            assert flusher.stderr is not None
            while "SQL is away" not in flusher.stderr.readline():
                pass
            other.rollback()
        await until(lambda: _counted(ready.database, ready.event_id, 5))
        flusher.send_signal(signal.SIGTERM)
        log = finished(flusher)
    assert "SQL is away" not in log
    assert log.count("SQL is back") == 1
    assert "Traceback" not in log


async def _status(client: httpx.AsyncClient, path: str, status: int) -> bool:
    try:
        return (await client.get(path)).status_code == status
    except httpx.TransportError:
        return False


async def _counted(database: Database, event_id: int, clicks: int) -> bool:
    async with database.read() as connection:
        [campaign] = await campaigns.list_(connection, event_id, Window(0, 2))
    assert campaign.click_count <= clicks
    return campaign.click_count == clicks


async def _reported(database: Database) -> bool:
    async with database.read() as connection:
        return await heartbeat.last(connection) is not None
