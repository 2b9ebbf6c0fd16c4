"""A run's result for people to read."""

from collections.abc import Sequence

from tests.system.chaos.run import Result


def report(result: Result) -> str:
    """The tables, and what is wrong."""
    return "\n".join(
        [*_campaigns(result), "", *_faults(result), "", *_facts(result), *_end(result)]
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values is not above; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _campaigns(result: Result) -> list[str]:
    lines = ["campaign      answered  broken  counted"]
    lines += [
        f"{row.code:12}  {row.answered:8}  {row.broken:6}  {row.counted:7}"
        f"{'' if row.right else '  WRONG'}"
        for row in result.rows
    ]
    answered, broken, counted = (
        sum(getattr(row, name) for row in result.rows) for name in ("answered", "broken", "counted")
    )
    return [*lines, f"{'all':12}  {answered:8}  {broken:6}  {counted:7}"]


def _faults(result: Result) -> list[str]:
    lines = [
        f"{kind.value:32}  {times:4}"
        for kind, times in sorted(result.struck.items(), key=lambda item: item[0].value)
    ]
    return [*lines, f"{'faults':32}  {result.struck.total():4}"]


def _facts(result: Result) -> list[str]:
    lines = [f"{name:32}  {number:6}" for name, number in sorted(result.others.items())]
    for name, values in sorted(result.times.items()):
        median, high = (1000 * percentile(values, share) for share in (0.5, 0.99))
        lines.append(f"redirects, {name}: {len(values)}, p50 {median:.1f} ms, p99 {high:.1f} ms")
    lines += [f"{name}: {number} orphans were killed" for name, number in result.orphans.items()]
    return [*lines, f"{result.tracebacks} tracebacks in the logs"]


def _end(result: Result) -> list[str]:
    return ["", "WRONG:", *result.problems] if result.problems else ["", "every click counted once"]
