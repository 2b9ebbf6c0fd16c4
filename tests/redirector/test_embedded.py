"""The embedded Redis as a process."""

import signal
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from redirector.batches import NumberedBatch
from redirector.counters import connection_pool
from redirector.flusher import Flusher
from redirector.redis_client import RedisClient
from tests.processes import failure, finished, started
from tests.redirector.older_servers import COUNTS, REDIS_6_2, REDIS_7_0, WRITER
from tests.waiting import until
from tracking import campaigns, clicks
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


async def test_it_is_durable_and_private(short_dir: Path) -> None:
    """Every write is on disk before its answer; no TCP port; a directory only its owner enters."""
    with started(MODULE, DATA_DIR=str(short_dir)):
        await answering(short_dir)
        with client(short_dir) as redis:
            options = redis.config_get("*")
        directory, file = short_dir / "redis", short_dir / "redis" / "redis.sock"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o700
    durable = {"appendonly": "yes", "appendfsync": "always", "port": "0"}
    assert {name: options[name] for name in durable} == durable


async def test_its_directory_may_be_relative(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is by default; and where the working directory's path is too long for a socket."""
    deep = short_dir / ("d" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    with started(MODULE, DATA_DIR="var"):
        await answering(Path("var"))


async def test_it_keeps_its_data_when_killed(short_dir: Path) -> None:
    """`kill -9` loses nothing that was answered, and a new start finds it."""
    with started(MODULE, DATA_DIR=str(short_dir)):
        await answering(short_dir)
        with client(short_dir) as redis:
            redis.set("kept", "yes")
    with started(MODULE, DATA_DIR=str(short_dir)):
        await answering(short_dir)
        with client(short_dir) as redis:
            assert redis.get("kept") == b"yes"


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
async def test_it_takes_over_what_an_older_server_left(
    short_dir: Path, database: Database, campaign: int, left: dict[str, bytes]
) -> None:
    """Not a click is lost: what waited is flushed, and the writer's spool is not sent again."""
    assert campaign == 1
    leave(short_dir / "redis", left)
    settings = Settings(data_dir=short_dir, redis_url=None)
    with started(MODULE, DATA_DIR=str(short_dir)) as process:
        assert process.stderr is not None
        assert "starting Valkey 9." in process.stderr.readline()
        await answering(short_dir)
        pool = connection_pool(settings, client_name="test")
        redis = AsyncRedis(connection_pool=pool)
        redis_client = RedisClient.of(settings)
        # The last batch once more, as from a spool, and one that is new.
        again = NumberedBatch(2, {"1:500001:human": 5})
        new = NumberedBatch(3, {"1:500001:human": 10})
        assert await redis_client.add(WRITER, 2, [again, new]) == 3
        flusher = Flusher(redis, database)
        while await flusher.flush():
            pass
        await redis_client.close()
        await redis.aclose()
        await pool.disconnect()
    async with database.read() as connection:
        counted = await clicks.ledger(connection)
    assert counted.hourly_sum == sum(COUNTS.values()) + 10


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
