"""`waymark run`: what is checked before anything is made, then everything started."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from redirector.counters.connection import connection_pool
from redirector.embedded.binary import find_binary
from tracking import data_dir, process, sample, supervisor
from tracking.cli import NAME, on_database
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError, WaymarkError
from tracking.process import reported_errors
from tracking.procfile import read_procfile
from tracking.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run")(run)


def run(
    procfile: Annotated[Path, typer.Option(metavar="FILE", help="The processes to start.")] = Path(
        "Procfile"
    ),
) -> None:
    """Start all processes; give an empty database something to click."""
    with reported_errors(NAME):
        settings = Settings.load()
        commands = read_procfile(procfile)
        if settings.redis_url is None:
            find_binary(settings.redis_server)
        data_dir.require_directory(settings)
        with _alone(settings):
            _check_addresses(settings)
            on_database(sample.ensure, make=True)
            status = _run(settings, commands)
    raise typer.Exit(status)


def _run(settings: Settings, commands: dict[str, str]) -> int:
    host = settings.reachable_host
    addresses = [
        (host, settings.redirector_port),
        (host, settings.api_port),
        (host, settings.dashboard_port),
    ]

    async def redis_works() -> bool:
        return await _answers(settings)

    return supervisor.run(
        commands, addresses, lambda: _greeting(settings), lasting={"redis": redis_works}
    )


def _check_addresses(settings: Settings) -> None:
    ports = {
        "REDIRECTOR_PORT": settings.redirector_port,
        "API_PORT": settings.api_port,
        "DASHBOARD_PORT": settings.dashboard_port,
    }
    for setting, port in ports.items():
        process.listen(settings.host, port, setting).close()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Meanwhile nobody else can run in this `DATA_DIR`.

    Raises:
        WaymarkError: somebody does, or the directory can't be written.
    """
    data_dir.make_directory(settings.data_dir)
    # The directory itself: a file in it could not be made on a full disk.
    directory = os.open(settings.data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise WaymarkError(
            f"Waymark runs in this DATA_DIR already ({settings.data_dir.absolute()})"
        ) from None
    finally:
        os.close(directory)


async def _answers(settings: Settings) -> bool:
    """Whether Redis answers, when it has read its data."""
    redis = Redis(connection_pool=connection_pool(settings, client_name="waymark-run"))
    try:
        with suppress(RedisError, OSError):
            return bool(await redis.ping())
        return False
    finally:
        await redis.aclose()
        await redis.connection_pool.disconnect()


async def _greeting(settings: Settings) -> str:
    database = Database.of(settings)
    try:
        to_terminal = sys.stdout is not None and sys.stdout.isatty()
        made = await sample.introduce(database, to_terminal=to_terminal)
    except DatabaseUnavailableError:  # its services say so
        made = sample.Sample(present=False, token=None, free_code="")
    finally:
        await database.close()
    return sample.greeting(settings, made)
