"""Values that are there for a while, and not too many."""

import time

import pytest

from redirector.links.expiring_cache import ExpiringCache


def test_a_value_is_there_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds from when it was set last, and no longer."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    cache = ExpiringCache[str, str](10, size=2)
    cache["a"] = "first"
    now = 1009.0
    assert "a" in cache
    cache["a"] = "second"
    now = 1018.0
    assert "a" in cache
    assert cache["a"] == "second"
    now = 1019.0
    assert "a" not in cache


def test_the_oldest_goes() -> None:
    """Which is the one that was set longest ago."""
    cache = ExpiringCache[str, None](10, size=2)
    for key in ("a", "b", "a", "c"):
        cache[key] = None
    assert [key in cache for key in ("a", "b", "c")] == [True, False, True]
    cache.discard("a")
    cache.discard("a")
    assert len(cache) == 1
