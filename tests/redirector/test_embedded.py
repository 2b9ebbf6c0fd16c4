"""The embedded Redis as a process."""

import signal
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from redirector.embedded import data
from tests.processes import failure, finished, started
from tests.redirector.older_servers import COUNTS, REDIS_6_2, REDIS_7_0, WRITER
from tests.waiting import until
from tracking import campaigns, clicks, writers
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

MODULE = "redirector.embedded"


@pytest.fixture
async def campaign(database: Database) -> int:
    """The id of a campaign."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        return (await campaigns.create(connection, event.id, description="", code="a")).id


def client(directory: Path) -> Redis:
    """A client of the embedded server."""
    return Redis(unix_socket_path=str(directory / "redis" / "redis.sock"))


async def answering(directory: Path) -> None:
    """Waits until the server answers."""

    def answers() -> bool:
        try:
            with client(directory) as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    await until(answers)


async def test_it_is_private(short_dir: Path) -> None:
    """Nothing is kept on disk; no TCP port; a directory only its owner enters."""
    with started(MODULE, DATA_DIR=str(short_dir)):
        await answering(short_dir)
        with client(short_dir) as redis:
            options = redis.config_get("*")
        directory, file = short_dir / "redis", short_dir / "redis" / "redis.sock"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o700
    plain = {"appendonly": "no", "save": "", "port": "0"}
    assert {name: options[name] for name in plain} == plain


async def test_its_directory_may_be_relative(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is by default; and where the working directory's path is too long for a socket."""
    deep = short_dir / ("d" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    with started(MODULE, DATA_DIR="var"):
        await answering(Path("var"))


async def test_it_cleans_up(short_dir: Path) -> None:
    """SIGTERM ends the server itself, with status 0, and takes the pid file away."""
    pid_file = short_dir / "redis" / "redis.pid"
    with started(MODULE, DATA_DIR=str(short_dir)) as process:
        await answering(short_dir)
        with client(short_dir) as redis:
            assert redis.info("server")["process_id"] == process.pid
        assert pid_file.read_text().strip() == str(process.pid)
        process.send_signal(signal.SIGTERM)
        finished(process)
    assert process.returncode == 0
    assert not pid_file.exists()


async def test_a_directory_has_one_server(short_dir: Path) -> None:
    """A second start on the same data says so in a line, and the first goes on."""
    with started(MODULE, DATA_DIR=str(short_dir)):
        await answering(short_dir)
        assert failure(MODULE, DATA_DIR=str(short_dir)) == (
            1,
            f"redis: an embedded Redis runs in {short_dir / 'redis'} already\n",
        )
        await answering(short_dir)


def test_a_directory_that_can_not_be_written(short_dir: Path) -> None:
    """Where a file is in the way there is one line, and status 1."""
    (short_dir / "redis").write_text("a file")
    status, log = failure(MODULE, DATA_DIR=str(short_dir))
    assert status == 1
    assert log.startswith(f"redis: can't write to {short_dir / 'redis'}: ")
    assert log.count("\n") == 1


def test_it_waits_where_another_server_is_configured(short_dir: Path) -> None:
    """With REDIS_URL set no server starts, and the process lives until it is stopped."""
    url = "redis://127.0.0.1:1/0"
    with started(MODULE, DATA_DIR=str(short_dir), REDIS_URL=url) as process:
        assert process.stderr is not None
        assert "REDIS_URL is set" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        finished(process)
    assert process.returncode == 0
    assert not (short_dir / "redis").exists()


def leave(directory: Path, files: Mapping[str, bytes]) -> None:
    """Puts into the directory what a server has left there."""
    for name, content in files.items():
        file = directory / name
        for parent in reversed(file.relative_to(directory).parents):
            (directory / parent).mkdir(mode=0o700, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(content)


@pytest.mark.parametrize("left", [REDIS_6_2, REDIS_7_0], ids=["Redis 6.2", "Redis 7.0"])
async def test_it_takes_over_what_an_older_version_left(
    short_dir: Path,
    settings: Settings,
    database: Database,
    campaign: int,
    left: dict[str, bytes],
) -> None:
    """Not a click is lost: the flusher moves what waited, once; then no log is kept any more."""
    assert campaign == 1
    leave(short_dir / "redis", left)
    with started(MODULE, DATA_DIR=str(short_dir)) as process:
        assert process.stderr is not None
        assert "starting Valkey 9." in process.stderr.readline()
        await answering(short_dir)
        variables = {"DATA_DIR": str(short_dir), "DATABASE_URL": settings.sql_url}
        with started("redirector.flusher", **variables):

            async def is_moved() -> bool:
                async with database.read() as connection:
                    counted = await clicks.ledger(connection)
                return counted.hourly_sum == counted.clicks == sum(COUNTS.values())

            await until(is_moved)
            await until(lambda: not data.has_log(short_dir / "redis"))
        with client(short_dir) as redis:
            assert redis.config_get("appendonly") == {"appendonly": "no"}
    async with database.read() as connection:
        assert await writers.number_of(connection, WRITER) == 2


def test_it_does_not_start_on_what_it_can_not_read(short_dir: Path) -> None:
    """A line says who wrote it and what to do; the data is as it was."""
    left = {**REDIS_7_0, "appendonlydir/appendonly.aof.2.base.rdb": b"REDIS0012"}
    leave(short_dir / "redis", left)
    before = {path: path.read_bytes() for path in (short_dir / "redis" / "appendonlydir").iterdir()}
    status, log = failure(MODULE, DATA_DIR=str(short_dir))
    assert status == 1
    assert log.count("\n") == 1
    assert "was written by Redis 7.4 or later, which Valkey 9." in log
    assert "name a server that can in the setting REDIS_SERVER" in log
    assert {path: path.read_bytes() for path in before} == before


def test_a_server_that_is_none_is_a_wrong_setting(short_dir: Path) -> None:
    """Status 2, and the setting's name."""
    status, log = failure(MODULE, DATA_DIR=str(short_dir), REDIS_SERVER="/bin/false")
    assert (status, log) == (
        2,
        "redis: REDIS_SERVER: /bin/false is no Redis and no Valkey server\n",
    )
