"""The one table that a load test prints."""

from collections.abc import Sequence

from loadtest.reconcile import Reckoning
from loadtest.tally import Tally

_HEADER = ("route", "requests", "failures", "requests/s", "p50 ms", "p95 ms", "p99 ms")


def table(tally: Tally, reckoning: Reckoning, *, audit_passed: bool) -> str:
    """How the requests went, and below it how the clicks were counted.

    Args:
        audit_passed: whether `waymark audit` found nothing.
    """
    rows: list[tuple[str, ...]] = [_HEADER]
    for route in tally.routes:
        name = route.name.removeprefix("/api/v1/organizers/<organizer>/events/<event>")
        numbers = (route.requests, route.failures, round(route.per_second, 1))
        times = (route.p50, route.p95, route.p99)
        rows.append((f"{route.method} {name}", *map(_grouped, numbers), *map(_grouped, times)))
    facts = [
        ("campaigns", _grouped(reckoning.campaigns)),
        ("302s to people", _grouped(reckoning.answered)),
        ("click_count", _grouped(reckoning.counted)),
        ("difference", _grouped(sum(abs(each.clicks) for each in reckoning.differences))),
        ("302s to bots", _grouped(tally.bots.answered.total())),
        ("broken", _grouped(tally.people.broken.total() + tally.bots.broken.total())),
        ("waymark audit", "passed" if audit_passed else "failed"),
    ]
    width = max(len(rows[0][1]), *(len(row[1]) for row in rows))
    name_width = max(len(row[0]) for row in rows)
    lines = aligned(rows)
    lines += ["", *(f"{name:<{name_width}}  {value:>{width}}" for name, value in facts)]
    if tally.saturated:
        lines.append("locust was at its limit: requests/s and times are its own, not the server's")
    return "\n".join(lines)


def _grouped(number: float) -> str:
    return f"{number:,}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line a row, each of as many cells: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
