"""The embedded Redis as a process."""

import signal
import stat
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.processes import failure, finished, started
from tests.waiting import until

MODULE = "redirector.embedded"


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
