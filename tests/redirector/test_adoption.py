"""Spools of ended processes: each is sent by itself, whatever is wrong with another."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from redirector.adoption import Adopter
from redirector.batches import NumberedBatch
from redirector.spool import Spool
from redirector.survey import survey
from tests.permissions import allow, permissions_bind
from tests.redirector.counting import connect, counted
from tests.redis_server import RedisServer
from tracking.clicks import Audience
from tracking.database import Database
from tracking.settings import Settings

# Before and behind them the directory has a file that can't be used.
WRITERS = ["1" * 32, "8" * 32]


def leave(spool_dir: Path, writer: str, clicks: int = 1) -> Path:
    """What a process with these clicks leaves behind."""
    spool = Spool.create(spool_dir, writer)
    spool.append(NumberedBatch(1, {"7:500000:human": clicks}), sent=False)
    spool.close()
    return spool_dir / f"{writer}.spool"


def clicks(redis: RedisServer) -> int:
    """How many Redis has counted."""
    return counted(redis).get((7, Audience.HUMAN), 0)


@pytest.fixture
def spool_dir(settings: Settings) -> Path:
    """Where the spools are."""
    return settings.spool_dir


@pytest.fixture
async def adopter(
    redis: RedisServer, database: Database, settings: Settings
) -> AsyncIterator[Adopter]:
    """An adopter, bound by permissions."""
    with permissions_bind():
        adopter = Adopter(connect(redis.url), database, settings.spool_dir)
        yield adopter
        await adopter.close()


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "not readable": lambda path: leave(path.parent, path.stem).chmod(0),
    "not writable": lambda path: leave(path.parent, path.stem).chmod(0o400),
    "no spool": lambda path: path.write_text("hello"),
    "a directory": Path.mkdir,
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
async def test_one_that_can_not_be_used_stops_no_other(
    adopter: Adopter,
    spool_dir: Path,
    redis: RedisServer,
    make: Callable[[Path], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it is, it is said once, and the others are counted, and locked by nobody."""
    for writer in WRITERS:
        leave(spool_dir, writer)
    unusable = [spool_dir / f"{digit * 32}.spool" for digit in "09"]
    for path in unusable:
        make(path)
    for _ in range(3):
        await adopter.adopt()
    assert clicks(redis) == 2
    for path in unusable:
        assert caplog.text.count(f"the spool {path.name} is left alone") == 1
    assert [waiting for waiting in survey(spool_dir).waiting if waiting.owned] == []


async def test_one_that_can_be_used_again_is(
    adopter: Adopter, spool_dir: Path, redis: RedisServer
) -> None:
    """Nothing is given up for good."""
    path = leave(spool_dir, WRITERS[0])
    path.chmod(0)
    await adopter.adopt()
    assert clicks(redis) == 0
    path.chmod(0o600)
    await adopter.adopt()
    assert clicks(redis) == 1
    assert not path.exists()


async def test_one_that_can_not_be_deleted_is_counted_once(
    adopter: Adopter, spool_dir: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent, stays until it can go, and is not sent again meanwhile."""
    path = leave(spool_dir, WRITERS[0], 5)
    allow(spool_dir, 0o500)
    for _ in range(3):
        await adopter.adopt()
    assert clicks(redis) == 5
    assert caplog.text.count("is left alone: Permission denied") == 1
    allow(spool_dir, 0o700)
    await adopter.adopt()
    assert clicks(redis) == 5
    assert not path.exists()


async def test_a_directory_that_can_not_be_listed_is_said_once(
    adopter: Adopter, spool_dir: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is nobody else's trouble, and over when it is over."""
    caplog.set_level(logging.WARNING)
    leave(spool_dir, WRITERS[0])
    allow(spool_dir, 0)
    for _ in range(3):
        await adopter.adopt()
    allow(spool_dir, 0o700)
    await adopter.adopt()
    assert clicks(redis) == 1
    assert [record.message for record in caplog.records] == [
        "the spools' directory is away (Permission denied): nothing there is adopted",
        "the spools' directory is back",
    ]
