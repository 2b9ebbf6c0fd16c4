"""More processes that answer: what a second one adds, and what a redirect costs then.

The load has to share the cores, so that requests a second say little. What can be compared is the
processor time of a redirect: if it stays, twice the processors answer twice as much.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from loadtest.counts import read_counts
from loadtest.figures import figures
from loadtest.filling import fill_links, link
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.rows import Reckoning, Row
from loadtest.waymark import Waymark, running
from loadtest.wrk import Wrk

_WORKERS = (1, 2)
_SLUG = "workers"
_HEADER = (
    *("REDIRECTOR_WORKERS", "connections", "requests/s", "ratio", "requests/CPU-s", "min-max"),
    *("ratio", "p50 ms", "p99 ms"),
)


def measure(scale: Scale) -> Section:
    """One worker and two, in turn."""
    # The scheduler decides who runs where: two workers need both cores, and so does everyone else.
    # To each worker its connections: with half of them it would have batches of half the size.
    loads = [Wrk.find(scale.directory, scale.connections * workers) for workers in _WORKERS]
    with ExitStack() as stack:
        rows = [_start(scale, workers, stack) for workers in _WORKERS]
        for row, wrk in zip(rows, loads, strict=True):
            row.warm_up(wrk)
        for _ in range(scale.rounds):
            for row, wrk in zip(rows, loads, strict=True):
                row.measure(wrk, scale.seconds)
    return Section(
        f"Workers, {scale.hot:,} links",
        _HEADER,
        [
            _line(workers, wrk.connections, row, rows)
            for workers, wrk, row in zip(_WORKERS, loads, rows, strict=True)
        ],
        notes=[
            "wrk, Redis and the flusher share all cores with the workers: with fewer than four",
            "cores the ratio of requests/s says more of them than of Waymark; with a ratio of",
            "requests/CPU-s of 1, twice the processor time answers twice as many requests",
        ],
        reckonings=[reckoning for row in rows if (reckoning := Reckoning.of(row)) is not None],
    )


def _start(scale: Scale, workers: int, stack: ExitStack) -> Row:
    directory = scale.subdirectory(f"workers-{workers}")
    asyncio.run(fill_links(directory, {_SLUG: scale.hot}))
    settings = {"REDIRECTOR_WORKERS": str(workers)}
    parts = stack.enter_context(running(Waymark(directory, settings=settings)))
    paths = [link(_SLUG, number) for number in range(scale.hot)]
    return Row(
        f"{workers} workers" if workers > 1 else "1 worker",
        parts.redirector,
        partial(list, paths),
        redis=[parts.redis],
        flusher=[parts.flusher],
        count=partial(_count, directory),
    )


def _count(directory: Path) -> int:
    return read_counts(directory)[_SLUG]


def _line(workers: int, connections: int, row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    found, first = figures(row.measurements), figures(rows[0].measurements)
    throughput, economy = found["requests_per_second"], found["requests_per_cpu_second"]
    return (
        str(workers),
        str(connections),
        f"{throughput.median:,.0f}",
        f"{throughput.median / first['requests_per_second'].median:.2f}",
        f"{economy.median:,.0f}",
        economy.range(),
        f"{economy.median / first['requests_per_cpu_second'].median:.2f}",
        f"{found['p50_milliseconds'].median:.2f}",
        f"{found['p99_milliseconds'].median:.2f}",
    )
