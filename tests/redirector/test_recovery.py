"""A database that can't be written for a while: who says so, and that all goes on by itself."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from redirector.counters.keys import counter_name
from redirector.upgrade.counters import PENDING
from tests.locking import execute
from tests.permissions import bound
from tests.processes import finished, free_port, launched
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking import campaigns, heartbeat, tokens
from tracking.clicks import Audience, Hour
from tracking.database import Database
from tracking.heartbeat import FlusherWatch
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings
from tracking.window import Window

Process = subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory with Redis in it, whose database has one campaign, `news1`."""

    path: Path
    redis: RedisServer
    database: Database
    event: Event
    campaign_id: int
    token: str

    def permit(self, mode: int) -> None:
        """Gives the database's files this mode."""
        for file in self.path.glob("waymark.db*"):
            file.chmod(mode)

    def launched(self, module: str, **settings: str) -> AbstractContextManager[Process]:
        """A process that permissions bind, though its user be root."""
        environment = {
            "DATA_DIR": str(self.path),
            "DATABASE_TIMEOUT": "0.5",
            "FLUSH_INTERVAL": "1",
            **settings,
        }
        return launched([*bound(), sys.executable, "-m", module], environment)

    def five_clicks(self) -> None:
        """Counts five clicks in Redis."""
        name = counter_name(self.campaign_id, Hour(500_000), Audience.HUMAN)
        with self.redis.client() as redis:
            redis.hset(PENDING, mapping={"id": "batch", name: 5})

    async def clicks(self) -> int:
        """The campaign's `click_count`."""
        async with self.database.read() as connection:
            [campaign] = await campaigns.list_(connection, self.event.id, Window(0, 2))
        return campaign.click_count


@pytest.fixture
async def data_directory(short_dir: Path) -> AsyncIterator[DataDirectory]:
    """All of it in `short_dir`; a flusher has run here before."""
    redis = RedisServer(short_dir)
    redis.start()
    database = Database.of(Settings(data_dir=short_dir))
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer", "https://shop.example/")
        campaign = await campaigns.create(connection, event.id, code="news1", description="News")
        token = await tokens.create(connection, event.organizer_id)
        await heartbeat.beat(connection, redis_reachable=True, interval=1)
    yield DataDirectory(short_dir, redis, database, event, campaign.id, token)
    await database.close()
    redis.stop()


def logged(process: Process, text: str) -> None:
    """Reads the process's log until this stands there."""
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, f"the process ended without saying {text!r}"


@pytest.mark.parametrize("interval", ["0.2", "3600"])
async def test_the_flusher_goes_on_when_it_may_write_again(
    data_directory: DataDirectory, interval: str
) -> None:
    """Within seconds, however rarely it flushes; the log says once each that SQL is away and back.

    All that it has open was opened read-only, and so is the index of the WAL that they share.
    """
    data_directory.five_clicks()
    data_directory.permit(0o400)
    with data_directory.launched("redirector.flusher", FLUSH_INTERVAL=interval) as flusher:
        logged(flusher, "SQL is away (attempt to write a readonly database)")
        assert await data_directory.clicks() == 0
        data_directory.permit(0o600)

        async def is_counted() -> bool:
            return await data_directory.clicks() == 5

        await until(is_counted)
        flusher.send_signal(signal.SIGTERM)
        log = finished(flusher)
    assert flusher.returncode == 0
    assert log.count("SQL is away") == 0
    assert log.count("SQL is back") == 1


async def test_health_tells_of_writing(data_directory: DataDirectory) -> None:
    """Both services say in words that clicks wait and why, links go on, and all is well again."""
    ports = {"redirector": free_port(), "api": free_port()}
    settings = {"REDIRECTOR_PORT": str(ports["redirector"]), "API_PORT": str(ports["api"])}
    data_directory.permit(0o400)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(verify=False))
        for module in ("redirector.flusher", *ports):
            stack.enter_context(data_directory.launched(module, **settings))

        async def said(service: str) -> dict[str, str]:
            try:
                answer = await client.get(f"http://127.0.0.1:{ports[service]}/healthz")
            except httpx.TransportError:
                return {"status": "none"}
            assert answer.status_code == (503 if answer.json()["status"] == "down" else 200)
            return dict(answer.json())

        async def both(status: str) -> bool:
            return [(await said(service))["status"] for service in ports] == [status] * 2

        async def wait_for_the_flusher() -> bool:
            reasons = [(await said(service)).get("reason") or "" for service in ports]
            return all("The flusher has reported nothing for" in reason for reason in reasons)

        await until(wait_for_the_flusher)
        assert await both("degraded")
        assert "Nothing can be written to the database" in (await said("api"))["reason"]
        link = f"http://127.0.0.1:{ports['redirector']}/acme/summer/c/news1/"
        assert (await client.get(link)).status_code == 302
        path = "/api/v1/organizers/acme/events/summer/campaigns/"
        posted = await client.post(
            f"http://127.0.0.1:{ports['api']}{path}",
            json={"description": "Flyer"},
            headers={"Authorization": f"Token {data_directory.token}"},
        )
        assert posted.status_code == 503
        data_directory.permit(0o600)
        await until(lambda: both("ok"), every=0.2)
        assert (await said("redirector"))["reason"] is None

        async def is_counted() -> bool:
            return await data_directory.clicks() == 1

        await until(is_counted)


async def test_a_flusher_that_waits_for_its_database_ends_when_it_is_told(
    data_directory: DataDirectory,
) -> None:
    """It need not have been able to do anything."""
    data_directory.permit(0)
    with data_directory.launched("redirector.flusher") as flusher:
        logged(flusher, "waiting for the database")
        flusher.send_signal(signal.SIGTERM)
        finished(flusher)
    assert flusher.returncode == 0
    data_directory.permit(0o600)


async def test_a_flusher_that_moves_nothing_says_nothing(data_directory: DataDirectory) -> None:
    """Though a report of its own would fit: on a disk that is nearly full, say."""
    file = data_directory.path / "waymark.db"
    await execute(file, "ALTER TABLE click_hours RENAME TO away")
    data_directory.five_clicks()
    watch = FlusherWatch()

    async def is_silent() -> bool:
        await watch.look(data_directory.database)
        return (watch.trouble or "").startswith("The flusher has reported nothing")

    with data_directory.launched("redirector.flusher") as flusher:
        logged(flusher, "SQL is away (no such table")
        await until(is_silent)
        await execute(file, "ALTER TABLE away RENAME TO click_hours")

        async def is_well() -> bool:
            return not await is_silent() and await data_directory.clicks() == 5

        await until(is_well)
        flusher.send_signal(signal.SIGTERM)
        assert "SQL is away" not in finished(flusher)
