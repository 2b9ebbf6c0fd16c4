"""What the tests of several rooms share."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.browsing import Chromium, running_chromium
from tests.missing import missing_programs, wants
from tests.redis_server import RedisServer
from tracking.database import Database
from tracking.settings import Settings

# Services that the tests start would ignore it too, as under nohup: some tests send it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header() -> list[str]:
    """Says what is left out."""
    return [
        f"left out: the tests that want {name} (on Debian: apt install {name})"
        for name in missing_programs()
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what can't run on this machine."""
    missing = missing_programs()
    left_out = [item for item in items if any(wants(item, name) for name in missing)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


# How long an example takes is for benchmarks: a busy machine fails no test.
hypothesis.settings.register_profile("waymark", deadline=None)
hypothesis.settings.load_profile("waymark")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose data directory is the test's own, whatever the environment says."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_TIMEOUT", "0.5")
    return Settings.load()


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """A running browser."""
    async with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty database with today's schema, for copies: migrating takes longer."""
    path = tmp_path_factory.mktemp("migrated") / "waymark.db"

    async def migrate() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}", 5)
        await database.migrate()
        await database.close()

    asyncio.run(migrate())
    return path


@pytest.fixture
async def database(settings: Settings, migrated: Path) -> AsyncIterator[Database]:
    """An empty database with today's schema."""
    shutil.copy(migrated, settings.data_dir / "waymark.db")
    database = Database.of(settings)
    yield database
    await database.close()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory of the test's own whose path is short enough for a Unix socket in it."""
    path = Path(tempfile.mkdtemp(prefix="waymark-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def own_redis(short_dir: Path) -> Iterator[RedisServer]:
    """A running server of the test's own, which it may kill."""
    server = RedisServer(short_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A running server for all tests."""
    path = Path(tempfile.mkdtemp(prefix="waymark-"))
    server = RedisServer(path)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(path)


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """The shared server, emptied."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis
