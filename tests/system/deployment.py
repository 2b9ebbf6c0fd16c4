"""Waymark as an operator deploys it: each part a process of its own, several of most."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

from loadtest.api import Access, Api, Campaign
from loadtest.loopback import HOST, free_ports
from loadtest.process import ROOT, clean_environment
from redirector.journal.directory import files
from redirector.journal.survey import survey
from tests.proxy import Proxy
from tests.system import health, sessions
from tests.system.redis_service import RedisService
from tests.system.service import Service
from tests.waiting import until
from tracking import campaigns, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

ORGANIZER = "org"
EVENT = "event"

# Ten Python processes that start at once on two busy cores take their time.
_READY_SECONDS = 60.0
# Looking around costs time that those who start need.
_POLL_SECONDS = 0.2
_COMMAND_SECONDS = 60.0


def link(code: str) -> str:
    """The path of a campaign's link."""
    return f"/{ORGANIZER}/{EVENT}/c/{code}/"


def target(code: str, edition: int = 0) -> str:
    """Where a campaign leads: it names the campaign, so that a mix-up shows."""
    return f"https://shop.example/{code}/{edition}"


class Deployment:
    """The embedded Redis, a redirector, flushers and APIs on one database.

    The redirector reaches Redis through `network`, the flushers through `flusher_network`, and a
    replica through `replication`.

    Args:
        directory: holds the data; short, since a Unix socket's path is.
        workers: processes of the redirector.
        redirector: more settings of its own.

    Attributes:
        redis: the server that is in use.
        standby: another, which can become its replica, or None.
    """

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 4,
        flushers: int = 2,
        apis: int = 2,
        **redirector: str,
    ) -> None:
        self.settings = Settings(data_dir=directory, database_timeout=0.5, redis_url=None)
        self.network = Proxy(self.settings.redis_socket)
        self.flusher_network = Proxy(self.settings.redis_socket)
        self.replication = Proxy(self.settings.redis_socket)
        self.port, *self.api_ports = free_ports(1 + apis)
        self.worker_count = workers
        self.redis = RedisService("redis 1", self.settings, self._environment())
        self.standby: RedisService | None = None
        # The others are made when the proxies have their ports.
        self._flusher_count = flushers
        self._redirector_settings = redirector
        self.redirector: Service = self.redis
        self.flushers: list[Service] = []
        self.apis: list[Service] = []
        self._token = ""

    @property
    def services(self) -> list[Service]:
        """All of them, in the order in which they are to be stopped."""
        return [self.redirector, *self.apis, *self.flushers, *self.redis_servers]

    @property
    def redis_servers(self) -> list[RedisService]:
        """The one in use, and the other."""
        return [self.redis] if self.standby is None else [self.redis, self.standby]

    def add_standby(self) -> None:
        """There is to be another server, too."""
        other = self.settings.model_copy(update={"data_dir": self.settings.data_dir / "standby"})
        environment = {**self._environment(), "DATA_DIR": str(other.data_dir)}
        self.standby = RedisService("redis 2", other, environment)

    def promote_standby(self) -> None:
        """Lets new connections lead to the other server."""
        assert self.standby is not None
        self.redis, self.standby = self.standby, self.redis
        for proxy in (self.network, self.flusher_network, self.replication):
            proxy.target = self.redis.socket

    def clicks_on_disk(self) -> int:
        """How many clicks in journals SQL has not."""
        with closing(sqlite3.connect(self.settings.database_path)) as database:
            numbers = dict(database.execute("SELECT id, number FROM writers"))
        return sum(
            record.clicks
            for journal in survey(self.settings.journal_dir).waiting
            for record in journal.beyond(numbers.get(journal.writer, 0))
        )

    def journal_files(self) -> list[Path]:
        """The journals, of the living and of the dead."""
        return files(self.settings.journal_dir)

    def access(self, number: int = 0) -> Access:
        """What a client of one of the APIs has to know."""
        return Access(f"http://{HOST}:{self.api_ports[number]}", ORGANIZER, EVENT, self._token)

    async def prepare(self, count: int) -> list[Campaign]:
        """Makes the database, with some campaigns to click."""
        database = Database.of(self.settings)
        await database.migrate()
        async with database.write() as connection:
            event = await ensure_event(connection, ORGANIZER, EVENT)
            self._token = await tokens.create(connection, event.organizer_id)
            made = [
                await campaigns.create(
                    connection, event.id, description=code, code=code, external_target=target(code)
                )
                for code in (f"link{number:02}" for number in range(count))
            ]
        await database.close()
        return [Campaign(each.id, each.code, each.external_target, 0) for each in made]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Deployment"]:
        """Everything runs and is well in the block; at the end nothing is left of it."""
        async with (
            self.network.running(),
            self.flusher_network.running(),
            self.replication.running(),
        ):
            settings = {
                "REDIRECTOR_PORT": str(self.port),
                "REDIRECTOR_WORKERS": str(self.worker_count),
                "REDIS_URL": self.network.url,
                **self._redirector_settings,
            }
            self.redirector = self._service("redirector", "redirector", **settings)
            self.flushers = [
                self._service(
                    f"flusher {number}", "redirector.flusher", REDIS_URL=self.flusher_network.url
                )
                for number in range(1, self._flusher_count + 1)
            ]
            self.apis = [
                self._service(f"api {number}", "api", API_PORT=str(port))
                for number, port in enumerate(self.api_ports, 1)
            ]
            try:
                for service in reversed(self.services):
                    service.start()
                await self.wait_until_well()
                yield self
            finally:
                for service in self.services:
                    await service.destroy()

    async def wait_until_well(self) -> None:
        """Returns when everyone answers and lacks nothing, all workers included."""
        for port in (self.port, *self.api_ports):
            await _soon(partial(health.is_well, port))
        await _soon(self._all_workers_are_well)

    async def waiting_clicks(self) -> dict[int, int]:
        """What waits for SQL in the workers that could be reached, by process id."""
        reports = await health.reports(self.port, self.worker_pids())
        return {pid: report.waiting_clicks for pid, report in reports.items()}

    async def unjournalled_clicks(self) -> dict[int, int]:
        """What is not on disk, of the workers that could be reached, by pid."""
        reports = await health.reports(self.port, self.worker_pids())
        return {pid: report.unjournalled_clicks for pid, report in reports.items()}

    def worker_pids(self) -> list[int]:
        """The processes that answer redirects."""
        return self.redirector.workers if self.worker_count > 1 else [self.redirector.pid]

    async def counts(self, number: int = 0) -> dict[str, int]:
        """`click_count` by code, as one of the APIs tells it."""

        def read() -> dict[str, int]:
            with Api(self.access(number)) as api:
                return {campaign.code: campaign.click_count for campaign in api.campaigns()}

        return await asyncio.to_thread(read)

    async def audit(self) -> tuple[int, str]:
        """Runs `waymark audit`; its exit status and what it said."""
        return await asyncio.to_thread(self._audit)

    async def stop(self) -> list[str]:
        """Ends everyone in order; what went wrong, a line each."""
        wrong: list[str] = []
        for stage in ([self.redirector, *self.apis], self.flushers, self.redis_servers):
            statuses = await asyncio.gather(
                *(service.stop() for service in stage), return_exceptions=True
            )
            for service, status in zip(stage, statuses, strict=True):
                if isinstance(status, BaseException):
                    wrong.append(f"{service.name} did not stop: {status}")
                elif status:
                    wrong.append(f"{service.name} stopped with status {status}")
                if left := sessions.members(service.pid):
                    wrong.append(f"{service.name} left processes behind: {left}")
        return wrong

    def _service(self, name: str, module: str, **more: str) -> Service:
        return Service(name, module, {**self._environment(), **more})

    def _environment(self) -> dict[str, str]:
        directory = self.settings.data_dir
        return {
            **clean_environment(directory),
            "HOST": HOST,
            "DATA_DIR": str(directory),
            "DATABASE_TIMEOUT": str(self.settings.database_timeout),
        }

    async def _all_workers_are_well(self) -> bool:
        workers = self.worker_pids()
        if len(workers) != self.worker_count:
            return False
        reports = await health.reports(self.port, workers)
        well = [report for report in reports.values() if report.status == "ok"]
        return len(well) == self.worker_count

    def _audit(self) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "redirector.commands.cli", "audit"],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()


async def _soon(condition: Callable[[], Awaitable[bool]]) -> None:
    await until(condition, within=_READY_SECONDS, every=_POLL_SECONDS)


def logs(services: Sequence[Service]) -> str:
    """The log of every process, for people who look for what went wrong."""
    return "\n".join(f"--- {each.name}\n" + "\n".join(each.log) for each in services)
