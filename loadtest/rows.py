"""The rows of the benchmark's table: what is asked of whom, and what it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtest import cpu
from loadtest.errors import LoadtestError
from loadtest.waymark import Server
from loadtest.wrk import Load, Wrk

WARM_UP_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of one row; CPU times in seconds.

    Attributes:
        connections: that were kept open, with one request at a time on each.
        server: of the processes that answer.
        redis: of the Redis behind them.
        flusher: of what moves the counts on from there.
    """

    connections: int
    load: Load
    server: float
    redis: float
    flusher: float

    @property
    def requests_per_cpu_second(self) -> float:
        """By all of the row's processes together."""
        # A run too short to be seen in ticks took one at most.
        taken = self.server + self.redis + self.flusher
        return self.load.answered / max(taken, 1 / cpu.TICKS_PER_SECOND)

    def microseconds(self, seconds: float) -> float:
        """What a redirect has of this CPU time."""
        return seconds / max(self.load.answered, 1) * 1e6


Paths = Callable[[], Sequence[str]]
Count = Callable[[], int]


@dataclass(slots=True)
class Row:
    """Something that is measured, while it runs.

    Attributes:
        paths: what the next run asks for.
        new_fields: whether every head is another, as behind a proxy.
        first_paths: what the first pass asks for, which fills caches; None: the same.
        redis: process ids, none where there is no Redis; likewise `flusher`.
        count: the clicks that were counted, which is known when everything has stopped; None:
            nothing is.
        answered: all redirects that arrived, the first pass's too.
        possible: requests that no answer came to, at most: they may be counted or not.
        others: answers that were no redirects.
        broken: connections that failed.
    """

    name: str
    server: Server
    paths: Paths
    new_fields: bool = False
    first_paths: Paths | None = None
    first_seconds: int = WARM_UP_SECONDS
    redis: Sequence[int] = ()
    flusher: Sequence[int] = ()
    count: Count | None = None
    measurements: list[Measurement] = field(default_factory=list)
    answered: int = 0
    possible: int = 0
    others: int = 0
    broken: int = 0

    def warm_up(self, wrk: Wrk) -> None:
        """The first pass, which is not measured, and in which every status is looked at.

        Raises:
            LoadtestError: not every answer is a redirect.
        """
        paths = (self.first_paths or self.paths)()
        load = wrk.run(
            self.server.url, paths, self.first_seconds, check=True, new_fields=self.new_fields
        )
        if load.others or not load.answered:
            raise LoadtestError(
                f"{self.name}: {load.others:,} of {load.responses:,} answers were no redirects"
            )
        self._add(wrk, load)

    def measure(self, wrk: Wrk, seconds: int) -> None:
        """One run."""
        paths = self.paths()
        kinds = ([self.server.pid], self.redis, self.flusher)
        before = [cpu.seconds(pids) for pids in kinds]
        load = wrk.run(self.server.url, paths, seconds, new_fields=self.new_fields)
        taken = [cpu.seconds(pids) - former for pids, former in zip(kinds, before, strict=True)]
        self._add(wrk, load)
        self.measurements.append(Measurement(wrk.connections, load, *taken))

    def with_connections(self, connections: int) -> list[Measurement]:
        """The runs with so many."""
        return [run for run in self.measurements if run.connections == connections]

    def _add(self, wrk: Wrk, load: Load) -> None:
        self.answered += load.answered
        self.possible += wrk.connections
        self.others += load.others
        self.broken += load.broken


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a row's visitors saw, against what was counted.

    Attributes:
        possible: requests without an answer, at most.
    """

    row: str
    answered: int
    possible: int
    counted: int
    others: int = 0
    broken: int = 0

    @classmethod
    def of(cls, row: Row) -> "Reckoning | None":
        """To be asked for when everything has stopped; None where nothing is counted."""
        if row.count is None:
            return None
        return cls(row.name, row.answered, row.possible, row.count(), row.others, row.broken)

    def __str__(self) -> str:
        return (
            f"{self.row}: answered {self.answered:,}, counted {self.counted:,} "
            f"(up to {self.possible:,} were under way when a run ended)"
        )

    def complaints(self) -> list[str]:
        """What is wrong, a line each."""
        found = []
        if self.counted < self.answered:
            found.append(f"{self.row}: {self.answered - self.counted:,} clicks were lost")
        if self.counted > self.answered + self.possible:
            most = self.answered + self.possible
            found.append(f"{self.row}: {self.counted - most:,} clicks were counted too many")
        if self.others:
            found.append(f"{self.row}: {self.others:,} answers were no redirects")
        if self.broken:
            found.append(f"{self.row}: {self.broken:,} connections failed or timed out")
        return found
