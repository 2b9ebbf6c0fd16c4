"""More campaigns in the database: the start, the memory, and redirects of links in the cache."""

import asyncio
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from loadtest.counts import read_counts
from loadtest.errors import LoadtestError
from loadtest.figures import figures
from loadtest.filling import fill_links, link
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.memory import resident
from loadtest.rows import Reckoning, Row
from loadtest.visitors import walk
from loadtest.waymark import Server, Waymark, running
from loadtest.wrk import Wrk

_SLUG = "size"
_STARTS = 3
_HEADER = (
    *("campaigns", "start s", "RSS MiB", "requests/CPU-s", "min-max", "ratio"),
    *("requests/s", "p50 ms", "p99 ms"),
)


@dataclass(frozen=True, slots=True)
class _Contestant:
    """A redirector on a database of some size.

    Attributes:
        paths: of the links that are clicked.
        starts: of further redirectors, each seconds from the start of the process to its first
            redirect.
        memory: bytes of those, after that.
    """

    size: int
    waymark: Waymark
    paths: list[str]
    row: Row
    starts: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Times one more redirector, beside others that have started."""
        began = time.perf_counter()
        with self.waymark.redirector(ready=partial(_click_first, self.paths[0])) as server:
            self.starts.append(time.perf_counter() - began)
            self.memory.append(resident([server.pid]))
        self.row.answered += 1


def measure(scale: Scale) -> Section:
    """All sizes in turn."""
    wrk = Wrk.find(scale.directory, scale.connections, scale.cores.load)
    with ExitStack() as stack:
        contestants = [_enter(scale, size, stack) for size in scale.sizes]
        for _ in range(_STARTS):
            for each in contestants:
                each.start()
        for each in contestants:
            each.row.warm_up(wrk)
        for _ in range(scale.rounds):
            for each in contestants:
                each.row.measure(wrk, scale.seconds)
    # With one link a batch has one counter: its throughput is not the others' measure.
    base = next((each for each in contestants if each.size >= scale.hot), contestants[-1])
    return Section(
        f"Campaigns in the database, {scale.hot:,} of them clicked",
        _HEADER,
        [_line(each, base) for each in contestants],
        notes=[
            f"start: to the first redirect, median of {_STARTS}; RSS: then",
            f"ratio: to {base.size:,} campaigns; {scale.cores}",
        ],
        reckonings=[
            reckoning for each in contestants if (reckoning := Reckoning.of(each.row)) is not None
        ],
    )


def _enter(scale: Scale, size: int, stack: ExitStack) -> _Contestant:
    directory = scale.subdirectory(f"size-{size}")
    print(f"a database of {size:,} campaigns", file=sys.stderr)
    asyncio.run(fill_links(directory, {_SLUG: size}))
    hot = min(size, scale.hot)
    # Spread over the whole of it.
    paths = [link(_SLUG, number * size // hot) for number in range(hot)]
    parts = stack.enter_context(running(Waymark(directory, scale.cores.server)))
    row = Row(
        f"{size:,} campaigns",
        parts.redirector,
        partial(list, paths),
        redis=[parts.redis],
        flusher=[parts.flusher],
        count=partial(_count, directory),
    )
    return _Contestant(size, parts.waymark, paths, row)


def _click_first(path: str, server: Server) -> None:
    """Connects as soon as somebody listens, and waits for the redirect."""
    deadline = time.monotonic() + 60
    while True:
        try:
            visits = asyncio.run(walk(server.url, [path], 1))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise LoadtestError(f"{server.url} did not start") from None
            time.sleep(0.005)
        else:
            break
    if not visits.answered:
        raise LoadtestError(f"{server.url}{path} is no redirect")


def _count(directory: Path) -> int:
    return read_counts(directory)[_SLUG]


def _line(each: _Contestant, base: _Contestant) -> tuple[str, ...]:
    found = figures(each.row.measurements)
    throughput = found["requests_per_cpu_second"]
    ratio = throughput.median / figures(base.row.measurements)["requests_per_cpu_second"].median
    return (
        f"{each.size:,}",
        f"{median(each.starts):.2f}",
        f"{median(each.memory) / 2**20:.1f}",
        f"{throughput.median:,.0f}",
        throughput.range(),
        f"{ratio:.2f}",
        f"{found['requests_per_second'].median:,.0f}",
        f"{found['p50_milliseconds'].median:.2f}",
        f"{found['p99_milliseconds'].median:.2f}",
    )
