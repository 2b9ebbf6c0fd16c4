"""Which of the machine's cores the servers have, and which the load that is put on them."""

import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """One core each where there are two or more, so that neither takes the other's time."""

    server: frozenset[int]
    load: frozenset[int]

    @classmethod
    def divided(cls, available: AbstractSet[int]) -> "Cores":
        """The first for the servers, the last for the load."""
        return cls(frozenset({min(available)}), frozenset({max(available)}))

    def __str__(self) -> str:
        if self.server == self.load:
            return "servers and load on the same core"
        return f"servers on core {_named(self.server)}, load on core {_named(self.load)}"


def available() -> set[int]:
    """The cores that this process may use."""
    return os.sched_getaffinity(0)


@contextmanager
def pinned(cores: AbstractSet[int] | None) -> Iterator[None]:
    """In the block this thread stays on these cores, and so does for ever what it starts there.

    Set beforehand and inherited: a process that is pinned when it runs has made threads already.
    """
    if cores is None:
        yield
        return
    former = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, former)


def _named(cores: AbstractSet[int]) -> str:
    return " and ".join(map(str, sorted(cores)))
