"""More connections: many new ones that bring one click each, and many that are held."""

import asyncio
import resource
from dataclasses import dataclass, field

from loadtest.counts import read_counts
from loadtest.filling import fill_links, link
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.memory import resident
from loadtest.rows import Reckoning
from loadtest.visitors import Visits, click_for, come_and_go, stay
from loadtest.waymark import Waymark, running

_LINKS = 100
_WARM_UP_SECONDS = 0.5
_HELD_SECONDS = 2.0
# Of files, beside the connections.
_SPARE_FILES = 200
_HEADER = ("what", "connections", "answered", "failed", "p50 ms", "p99 ms", "KiB each")


@dataclass(slots=True)
class _Held:
    """Connections that are held.

    Attributes:
        arriving: their first clicks.
        before: those of another visitor, before anybody is held.
        meanwhile: those of another visitor, while they are held.
        open: connections that were still open after that.
        memory: bytes that the redirector had grown by, for each.
    """

    arriving: Visits = field(default_factory=Visits)
    before: Visits = field(default_factory=Visits)
    meanwhile: Visits = field(default_factory=Visits)
    open: int = 0
    memory: float = 0

    @property
    def all(self) -> tuple[Visits, ...]:
        """Everyone's clicks."""
        return self.before, self.arriving, self.meanwhile


def allow_files(count: int) -> int:
    """Raises the limit of open files, of this process and of those that it starts.

    Returns:
        How many connections that leaves, `count` at most.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(count, soft - _SPARE_FILES))
    return count


def measure(scale: Scale) -> Section:
    """Those that come and go, then those that stay."""
    directory = scale.subdirectory("connections")
    asyncio.run(fill_links(directory, {"new": _LINKS, "idle": 1}))
    paths = [link("new", number) for number in range(_LINKS)]
    # Before the redirector starts, which inherits it.
    idle = allow_files(scale.idle)
    with running(Waymark(directory, scale.cores.server)) as parts:
        url, pid = parts.redirector.url, parts.redirector.pid
        new = asyncio.run(come_and_go(url, paths, scale.arriving, scale.seconds))
        held = asyncio.run(_hold(url, pid, idle))
    counts = read_counts(directory)
    stayed = f"{held.open:,} of {idle:,} were still open after {_HELD_SECONDS:g} s of those clicks"
    return Section(
        "Connections",
        _HEADER,
        [
            _line(f"new ones, {scale.arriving:,} a second", new.answered + new.failures, new),
            _line("held, their first clicks", idle, held.arriving, f"{held.memory / 1024:.1f}"),
            _line("another visitor meanwhile", 1, held.meanwhile),
        ],
        notes=[
            f"{stayed}: a connection that was idle for 10 s is closed",
            "KiB each: of the process's memory (RSS), without the kernel's",
        ],
        reckonings=[
            # Whoever failed may have been counted.
            Reckoning("new connections", new.answered, new.failures, counts["new"]),
            Reckoning(
                "held connections",
                sum(visits.answered for visits in held.all),
                sum(visits.failures for visits in held.all),
                counts["idle"],
            ),
        ],
        failures=[
            f"{visits.failures} {what} failed"
            for what, visits in (
                ("new connections", new),
                ("held connections", held.arriving),
                ("clicks beside held connections", held.meanwhile),
            )
            if visits.failures
        ],
    )


async def _hold(url: str, pid: int, count: int) -> _Held:
    held = _Held()
    # What the redirector makes at its first clicks is no connection's.
    await click_for(url, link("idle", 0), _WARM_UP_SECONDS, held.before)
    before = resident([pid])
    connections = await stay(url, link("idle", 0), count, held.arriving)
    held.memory = (resident([pid]) - before) / count
    await click_for(url, link("idle", 0), _HELD_SECONDS, held.meanwhile)
    held.open = sum(connection.is_open for connection in connections)
    for connection in connections:
        connection.close()
    return held


def _line(what: str, connections: int, visits: Visits, memory: str = "-") -> tuple[str, ...]:
    return (
        what,
        f"{connections:,}",
        f"{visits.answered:,}",
        f"{visits.failures:,}",
        f"{visits.percentile(50):.1f}",
        f"{visits.percentile(99):.1f}",
        memory,
    )
