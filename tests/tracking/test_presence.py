"""What the log says of what comes and goes."""

import logging

import pytest

from tracking.presence import Presence

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
