"""What the log says of what comes and goes."""

import logging

import pytest

from tracking.presence import Presence, Start

AWAY = "Redis is away (late): clicks wait"
BACK = "Redis is back"

# When it was lost (-) and found (+), in seconds, and what is logged of it.
CASES: dict[str, tuple[list[tuple[float, str]], list[str]]] = {
    "there": ([(0, "+"), (1, "+")], []),
    "away": ([(0, "-"), (1, "-"), (100, "-")], [AWAY]),
    "away and back": ([(0, "-"), (0.1, "+"), (1, "+")], [AWAY, BACK]),
    "a minute apart": ([(0, "-"), (0.1, "+"), (61, "-"), (61.1, "+")], [AWAY, BACK] * 2),
    "to and fro": (
        [(0, "-"), (0.1, "+"), *((at / 2, "-+"[at % 2]) for at in range(2, 119)), (59.5, "+")],
        [AWAY, BACK],
    ),
    "to and fro, then there": (
        [(0, "-"), (0.1, "+"), (9, "-"), (9.1, "+"), (20, "-"), (20.1, "+"), (61, "+"), (62, "+")],
        [AWAY, BACK, "Redis was away for moments, too (2)"],
    ),
    "to and fro, then away": (
        [(0, "-"), (0.1, "+"), (9, "-"), (9.1, "+"), (20, "-"), (24, "-"), (25, "-"), (26, "-")],
        [AWAY, BACK, "Redis was away for moments, too (1)", AWAY],
    ),
    "to and fro, then away and back": (
        [(0, "-"), (0.1, "+"), (20, "-"), (25, "-"), (26, "+")],
        [AWAY, BACK, AWAY, BACK],
    ),
}


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_log(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    events: list[tuple[float, str]],
    expected: list[str],
) -> None:
    """A minute's flapping is two lines and a summary; what the log says last is so."""
    presence = Presence("Redis", "clicks wait", logging.getLogger("test"))
    for at, what in events:
        monkeypatch.setattr("tracking.presence.time.monotonic", lambda at=at: 1000.0 + at)
        if what == "-":
            presence.lost(TimeoutError("late"))
        else:
            presence.found()
        assert presence.away == (what == "-")
    assert [record.getMessage() for record in caplog.records] == expected


WAITING = ("INFO", "waiting for Redis")
THERE = ("INFO", "Redis is there")

# The same, with a start at 0; what it is then, for the health page, and what is logged of it.
STARTS: dict[str, tuple[list[tuple[float, str]], str, list[tuple[str, str]]]] = {
    "waited for": ([(0, "-"), (1, "-")], "unknown", [WAITING]),
    "waited for and there": ([(0, "-"), (1, "+")], "ok", [WAITING, THERE]),
    "waited for too long": ([(0, "-"), (6, "-")], "away", [WAITING, ("WARNING", AWAY)]),
    "there and lost": ([(0, "+"), (1, "-")], "away", [("WARNING", AWAY)]),
    "waited for, there and lost": (
        [(0, "-"), (1, "+"), (2, "-")],
        "away",
        [WAITING, THERE, ("WARNING", AWAY)],
    ),
}


@pytest.mark.parametrize(("events", "shown", "expected"), STARTS.values(), ids=STARTS)
def test_waiting_at_the_start_is_no_alarm(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    events: list[tuple[float, str]],
    shown: str,
    expected: list[tuple[str, str]],
) -> None:
    """For some seconds, and what was there before is missed at once."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Start, "graced_until", 1005.0)
    presence = Presence("Redis", "clicks wait", logging.getLogger("test"), starts_too=True)
    for at, what in events:
        monkeypatch.setattr("tracking.presence.time.monotonic", lambda at=at: 1000.0 + at)
        if what == "-":
            presence.lost(TimeoutError("late"))
        else:
            presence.found()
        assert presence.missing == (what == "-")
    assert str(presence) == shown
    assert presence.away == (shown == "away")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == expected


def test_what_is_not_started_is_missed_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk, say, which may be spoken of in words of its own."""
    monkeypatch.setattr(Start, "graced_until", float("inf"))
    presence = Presence(
        "the disk", "it waits", logging.getLogger("test"), when_lost="can't", when_found="can"
    )
    presence.lost(TimeoutError("late"))
    assert presence.away
    presence.found()
    assert [record.getMessage() for record in caplog.records] == [
        "can't (late): it waits",
        "can",
    ]
