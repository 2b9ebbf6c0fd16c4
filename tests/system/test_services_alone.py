"""Each service alone: its terminal closes, nobody reads its log, nobody knows its arguments."""

import dataclasses
import os
import pty
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from redirector.counters.keys import counter_name
from redirector.upgrade.counters import PENDING
from tests.processes import failure, finished, free_port, launched, started
from tests.redis_server import RedisServer
from tests.system import sessions
from tests.waiting import until
from tracking import campaigns, heartbeat
from tracking.clicks import Audience, Hour
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.window import Window

MODULES = ["redirector", "redirector.flusher", "redirector.embedded", "api", "dashboard"]


PORTS = {"redirector": "REDIRECTOR_PORT", "api": "API_PORT", "dashboard": "DASHBOARD_PORT"}
"""The setting of each one's port."""


@contextmanager
def _nobody_reads() -> Iterator[int]:
    """A pipe that is full, and whose reader stands still."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


@contextmanager
def _reader_is_gone() -> Iterator[int]:
    """A pipe without a reader: to write is EPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextmanager
def _terminal_is_gone() -> Iterator[int]:
    """A terminal whose window was closed: to write is EIO."""
    window, terminal = pty.openpty()
    os.close(window)
    yield terminal
    os.close(terminal)


@dataclass(frozen=True, slots=True)
class Loss:
    """What becomes of the log, whether SIGHUP is ignored from the start, which signal ends it."""

    log: Callable[[], AbstractContextManager[int]]
    number: signal.Signals
    nohup: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """What `python -m` starts, with which settings."""

    module: str
    variables: dict[str, str] = dataclasses.field(default_factory=dict)


LOSSES = {
    "nobody reads the log, SIGHUP": Loss(_nobody_reads, signal.SIGHUP),
    "the log's reader is gone, SIGHUP is ignored": Loss(
        _reader_is_gone, signal.SIGTERM, nohup=True
    ),
    "the log's terminal is gone, SIGINT": Loss(_terminal_is_gone, signal.SIGINT),
}
SERVICES = {
    "redirector": Service("redirector"),
    "redirector with workers": Service("redirector", {"REDIRECTOR_WORKERS": "2"}),
    "flusher": Service("redirector.flusher", {"FLUSH_INTERVAL": "3600"}),
    "api": Service("api"),
    "dashboard": Service("dashboard"),
}


@pytest.fixture
def variables(short_dir: Path, own_redis: RedisServer) -> dict[str, str]:
    """Settings of the services under test."""
    (short_dir / "data").mkdir(mode=0o700)
    return {
        "DATA_DIR": str(short_dir / "data"),
        "REDIS_URL": own_redis.url,
        "REDIRECTOR_PORT": str(free_port()),
        "API_PORT": str(free_port()),
        "DASHBOARD_PORT": str(free_port()),
    }


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
async def test_a_lost_log_or_terminal_changes_nothing(
    variables: dict[str, str], own_redis: RedisServer, service: Service, loss: Loss
) -> None:
    """It works, hears signals, and stops in order with status 0: the flusher after a last flush,
    the redirector with all its workers. A SIGHUP that was ignored at the start stays so."""
    variables |= service.variables
    database, event_id, campaign_id = await _prepared(Path(variables["DATA_DIR"]))
    command = [sys.executable, "-m", service.module]
    if loss.nohup:
        command = ["env", "--ignore-signal=HUP", *command]
    with loss.log() as log, launched(command, variables, log=log) as process:
        await until(lambda: _works(service.module, variables, database))
        with own_redis.client() as redis:
            mapping = {"id": "batch", counter_name(campaign_id, Hour(500_000), Audience.HUMAN): 5}
            redis.hset(PENDING, mapping=mapping)
        if loss.nohup:
            for pid in sessions.members(process.pid):
                os.kill(pid, signal.SIGHUP)
            assert await _works(service.module, variables, database)
        process.send_signal(loss.number)
        await until(lambda: process.poll() is not None)
        await until(lambda: not sessions.members(process.pid))
    assert process.returncode == 0
    async with database.read() as connection:
        [campaign] = await campaigns.list_(connection, event_id, Window(0, 1))
    await database.close()
    assert campaign.click_count == (5 if service.module == "redirector.flusher" else 0)


LISTENING = {
    "redirector": "answering links on",
    "api": "listening on",
    "dashboard": "listening on",
}


EARLY = {
    "redirector": Service("redirector"),
    "redirector with workers": Service("redirector", {"REDIRECTOR_WORKERS": "2"}),
    "api": Service("api"),
    "dashboard": Service("dashboard"),
}


@pytest.mark.parametrize("service", EARLY.values(), ids=EARLY)
async def test_a_signal_is_heard_from_the_first_line_on(
    variables: dict[str, str], service: Service
) -> None:
    """SIGTERM as soon as the log says where it listens, before the server does: it ends with 0."""
    with started(service.module, **variables, **service.variables) as process:
        assert process.stderr is not None
        assert next(line for line in process.stderr if LISTENING[service.module] in line)
        process.terminate()
        await until(lambda: process.poll() is not None)
    assert process.returncode == 0


async def test_a_hangup_does_not_stop_the_embedded_redis(short_dir: Path) -> None:
    """The server ignores SIGHUP, as Redis does; SIGTERM ends it in order."""
    socket = short_dir / "redis" / "redis.sock"

    def answers() -> bool:
        with suppress(RedisError), Redis(unix_socket_path=str(socket)) as redis:
            return bool(redis.ping())
        return False

    with started("redirector.embedded", DATA_DIR=str(short_dir)) as process:
        await until(answers)
        process.send_signal(signal.SIGHUP)
        for _ in range(10):
            assert answers()
        process.send_signal(signal.SIGTERM)
        finished(process)
    assert process.returncode == 0


def test_a_hangup_ends_who_waits_for_another_redis(variables: dict[str, str]) -> None:
    """`python -m redirector.embedded` with a `REDIS_URL` stops at SIGHUP with status 0."""
    with started("redirector.embedded", **variables) as process:
        assert process.stderr is not None
        assert "REDIS_URL is set" in process.stderr.readline()
        process.send_signal(signal.SIGHUP)
        finished(process)
    assert process.returncode == 0


@pytest.mark.parametrize("module", MODULES)
def test_help_is_shown_and_nothing_started(short_dir: Path, module: str) -> None:
    """`--help` says what the process is, whatever the settings are; nothing is written."""
    with started(module, "--help", DATA_DIR=str(short_dir), API_PORT="wrong") as process:
        shown, log = process.communicate()
    assert process.returncode == 0
    assert shown.startswith(f"usage: python -m {module} [-h]\n")
    assert f"`python -m {module}`: " in shown
    assert log == ""
    assert list(short_dir.iterdir()) == []


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_argument_is_an_error(short_dir: Path, module: str) -> None:
    """It is named, with status 2, and nothing is written."""
    status, log = failure(module, "--port=80", DATA_DIR=str(short_dir))
    assert status == 2
    assert log.endswith(f"python -m {module}: error: unrecognized arguments: --port=80\n")
    assert list(short_dir.iterdir()) == []


def test_a_wrong_setting_without_a_reader_is_status_2(short_dir: Path) -> None:
    """The line can't be written, and the status is the same."""
    command = [sys.executable, "-m", "api"]
    with _reader_is_gone() as log, launched(command, {"API_PORT": "0"}, log=log) as process:
        finished(process)
    assert process.returncode == 2


@pytest.mark.parametrize(("module", "says"), LISTENING.items())
def test_the_log_shows_urls(short_dir: Path, module: str, says: str) -> None:
    """With an IPv6 address in brackets, whether `HOST` has them or not."""
    port = str(free_port())
    variables = {"DATA_DIR": str(short_dir), **dict.fromkeys(PORTS.values(), "tcp://[::1]:80")}
    variables[PORTS[module]] = port
    with started(module, HOST="[::1]", **variables) as process:
        assert process.stderr is not None
        noted = process.stderr.readline()
        listening = next(line for line in process.stderr if says in line)
        socket.create_connection(("::1", int(port))).close()
    assert "_PORT is tcp://[::1]:80, " in noted
    assert listening.endswith(f"{says} http://[::1]:{port}\n")


async def _prepared(directory: Path) -> tuple[Database, int, int]:
    """A database with a campaign: with the ids of its event and of itself."""
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        campaign = await campaigns.create(connection, event.id, description="News")
    return database, event.id, campaign.id


async def _works(module: str, variables: dict[str, str], database: Database) -> bool:
    """Whether a service has begun its work."""
    if module == "redirector.flusher":
        async with database.read() as connection:
            return await heartbeat.last(connection) is not None
    port = variables[PORTS[module]]
    async with httpx.AsyncClient(verify=False) as client:
        with suppress(httpx.TransportError):
            return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    return False
