"""What several runs of the same say together: medians, and how far they lie apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.report import aligned
from loadtest.rows import Measurement, Row


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle one of some figures, and the outermost."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Of one figure or more."""
        return cls(median(figures), min(figures), max(figures))

    def range(self) -> str:
        """Both ends."""
        return f"{self.min:,.0f}-{self.max:,.0f}"


Figures = dict[str, Spread]

_FIGURES: dict[str, Callable[[Measurement], float]] = {
    "requests_per_cpu_second": lambda run: run.requests_per_cpu_second,
    "requests_per_second": lambda run: run.load.per_second,
    "p50_milliseconds": lambda run: run.load.p50 / 1000,
    "p99_milliseconds": lambda run: run.load.p99 / 1000,
    "server_microseconds": lambda run: run.microseconds(run.server),
    "redis_microseconds": lambda run: run.microseconds(run.redis),
    "flusher_microseconds": lambda run: run.microseconds(run.flusher),
}
_HEADER = (
    *("{} connections", "requests/CPU-s", "min-max", "requests/s", "min-max", "p50 ms", "p99 ms"),
    *("server µs", "Redis µs", "flusher µs"),
)


def figures(measurements: Sequence[Measurement]) -> Figures:
    """All figures of a row, by their names in JSON."""
    return {name: Spread.of([of(run) for run in measurements]) for name, of in _FIGURES.items()}


def table(rows: Sequence[Row], connections: int) -> str:
    """One line a row, of the runs with so many: medians, and the spread of the throughput."""
    title, *columns = _HEADER
    lines = (_line(row, connections) for row in rows)
    return "\n".join(aligned([(title.format(connections), *columns), *lines]))


def _line(row: Row, connections: int) -> tuple[str, ...]:
    found = figures(row.with_connections(connections))
    cells = [row.name]
    for name in ("requests_per_cpu_second", "requests_per_second"):
        cells += [f"{found[name].median:,.0f}", found[name].range()]
    cells += [f"{found[name].median:.2f}" for name in ("p50_milliseconds", "p99_milliseconds")]
    for part, pids in (("server", True), ("redis", row.redis), ("flusher", row.flusher)):
        cells.append(f"{found[f'{part}_microseconds'].median:.1f}" if pids else "-")
    return tuple(cells)
