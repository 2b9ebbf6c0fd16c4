"""How much processor time a process has taken, with all that it started."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# The unit of the times in /proc, and the most that each of them can be wrong by (proc(5)).
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """A process as `/proc/<pid>/stat` has it (proc(5)).

    Attributes:
        parent: its parent's id.
        ticks: user and system time of its threads, and of its children that ended: what a child
            took does not get lost when it ends.
    """

    parent: int
    ticks: int

    @classmethod
    def parse(cls, text: str) -> "Stat":
        """Reads the line. The second field is the program's name in brackets, and a name may hold
        spaces and brackets itself."""
        fields = text[text.rindex(")") + 1 :].split()
        # From the third field on: utime, stime, cutime and cstime are the 14th to the 17th.
        return cls(parent=int(fields[1]), ticks=sum(map(int, fields[11:15])))


def seconds(pids: Collection[int]) -> float:
    """Processor time that these and their descendants have taken so far."""
    stats = _all()
    return sum(stats[pid].ticks for pid in _with_descendants(pids, stats)) / TICKS_PER_SECOND


def descendants(pids: Collection[int]) -> set[int]:
    """These processes, as far as they live, and all that stem from them."""
    return _with_descendants(pids, _all())


def _all() -> dict[int, Stat]:
    stats = {}
    for directory in _PROC.glob("[0-9]*"):
        # It may end meanwhile.
        with suppress(OSError):
            stats[int(directory.name)] = Stat.parse((directory / "stat").read_text())
    return stats


def _with_descendants(pids: Collection[int], stats: dict[int, Stat]) -> set[int]:
    found: set[int] = set()
    young = {pid for pid in pids if pid in stats}
    while young:
        found |= young
        young = {pid for pid, stat in stats.items() if stat.parent in young} - found
    return found
