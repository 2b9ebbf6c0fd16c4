"""The flusher's reports, and what others make of them."""

import time
from dataclasses import dataclass, replace

import pytest

from tracking import heartbeat
from tracking.database import Database
from tracking.heartbeat import FlusherWatch, Heartbeat, interval_of


async def test_a_flusher_that_never_ran_has_no_heartbeat(database: Database) -> None:
    """Before the first report there is none."""
    async with database.read() as connection:
        assert await heartbeat.last(connection) is None


@pytest.mark.parametrize("redis_reachable", [True, False])
async def test_the_last_report_counts(database: Database, redis_reachable: bool) -> None:
    """A report replaces the one before, with the time it was made at."""
    before = time.time()
    async with database.write() as connection:
        await heartbeat.beat(connection, redis_reachable=not redis_reachable)
        await heartbeat.beat(connection, redis_reachable=redis_reachable, interval=3)
    async with database.read() as connection:
        last = await heartbeat.last(connection)
        rows = await connection.exec_driver_sql("SELECT count(*) FROM flusher_status")
        assert rows.scalar_one() == 1
    assert last is not None
    assert last.redis_reachable is redis_reachable
    assert last.interval == 3
    assert before <= last.seen_at <= time.time()


@pytest.mark.parametrize(
    ("flush_interval", "interval"), [(0.05, 1), (1, 1), (4, 4), (10, 10), (3600, 10)]
)
def test_a_flusher_reports_about_as_often_as_it_flushes(
    flush_interval: float, interval: float
) -> None:
    """So that three of its intervals, and half a minute at most, tell that it is silent."""
    assert interval_of(flush_interval) == interval


START = 1_800_000_000.0


class Clock:
    """This process's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        monkeypatch.setattr("tracking.heartbeat.time.time", lambda: self.now)
        monkeypatch.setattr("tracking.heartbeat.time.monotonic", lambda: self.now - START)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is moved."""
    return Clock(monkeypatch)


@dataclass(frozen=True, slots=True)
class Case:
    """What a process that has just started finds, and what it makes of it.

    Attributes:
        skew: seconds that the flusher's clock is ahead.
        interval: of its reports; None = there never was one.
        reports: whether it goes on reporting.
        after: seconds later.
        trouble: the beginning of what it says then; None = nothing.
    """

    interval: float | None
    reports: bool
    after: int
    trouble: str | None
    skew: float = 0.0
    redis_reachable: bool = True


SILENT = "The flusher has reported nothing for "
NEVER = "No flusher has ever reported"
CASES = {
    "at the start": Case(1, False, 0, None),
    "a moment of silence": Case(1, False, 3, None),
    "three intervals": Case(1, False, 4, SILENT),
    "a rare flusher": Case(10, False, 30, None),
    "a rare flusher, silent": Case(10, False, 31, SILENT),
    "at most half a minute": Case(3600, False, 31, SILENT),
    "at least three seconds": Case(0.01, False, 3, None),
    "at work": Case(1, True, 100, None),
    "its clock is ahead": Case(1, True, 100, None, skew=3600),
    "its clock is behind": Case(1, True, 100, None, skew=-3600),
    "its clock is ahead, and it is silent": Case(1, False, 4, SILENT, skew=3600),
    "its clock is behind, and it has just started": Case(1, False, 3, None, skew=-3600),
    "never, at the start": Case(None, False, 30, None),
    "never": Case(None, False, 31, NEVER),
    "Redis is away for it": Case(1, True, 5, "The flusher can't reach Redis", 0, False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_silence_tells(clock: Clock, case: Case) -> None:
    """By this process's own clock, whatever the flusher's says."""
    watch = FlusherWatch()
    report = None
    if case.interval is not None:
        report = Heartbeat(case.redis_reachable, START + case.skew, case.interval)
    watch.see(report)
    for _ in range(case.after):
        clock.now += 1
        if report is not None and case.reports:
            report = replace(report, seen_at=report.seen_at + 1)
        watch.see(report)
    said = watch.trouble
    assert (said is None) == (case.trouble is None), said
    assert said is None or said.startswith(case.trouble or "")


def test_two_flushers_are_heard_as_one(clock: Clock) -> None:
    """Whichever of them reports, with whichever clock; when one ends the other is enough."""
    watch = FlusherWatch()
    for second in range(100):
        clock.now += 1
        behind = second % 2 and second < 50
        watch.see(Heartbeat(True, clock.now - 500 * behind, 1))
        assert watch.trouble is None
    assert watch.age == 0
    assert watch.redis == "ok"


def test_a_flusher_that_comes_back_is_noticed_at_once(clock: Clock) -> None:
    """And what it says of Redis is believed again."""
    watch = FlusherWatch()
    watch.see(Heartbeat(True, START, 1))
    clock.now += 60
    watch.see(Heartbeat(True, START, 1))
    assert (watch.trouble is None, watch.redis, watch.age) == (False, "unknown", 60)
    watch.see(Heartbeat(False, START + 60, 1))
    assert (watch.redis, watch.age) == ("away", 0)
    watch.see(Heartbeat(True, START + 61, 1))
    assert (watch.trouble, watch.redis) == (None, "ok")
