"""What happened in a run, and when."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.system.chaos.plan import Kind


class Chronicle:
    """Lines with the seconds since the chronicle was begun.

    Args:
        say: is called with each line.

    Attributes:
        struck: how often each kind of fault was done.
    """

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self.struck: Counter[Kind] = Counter()
        self._troubles: list[tuple[float, float]] = []
        self._absences: list[tuple[float, float]] = []
        self._began = time.monotonic()
        self._say = say

    def note(self, text: str) -> None:
        """One line."""
        self._say(f"{time.monotonic() - self._began:8.2f} s  {text}")

    def strike(self, kind: Kind, detail: str = "") -> None:
        """A fault begins."""
        self.struck[kind] += 1
        self.note(f"{kind.value}{detail and ': '}{detail}")

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Redis, the network to it, or SQL can't be relied on in the block."""
        with _noted(self._troubles):
            yield

    @contextmanager
    def absence(self) -> Iterator[None]:
        """There is no redirector for some time of the block; visitors wait at its port."""
        with _noted(self._absences):
            yield

    def weather(self, began: float, seconds: float) -> str:
        """What a request met with that took so long from `began`, by the monotonic clock."""
        if _overlap(self._absences, began, began + seconds):
            return "redirector restarted"
        return "trouble behind" if _overlap(self._troubles, began, began + seconds) else "calm"


@contextmanager
def _noted(times: list[tuple[float, float]]) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        times.append((began, time.monotonic()))


def _overlap(times: list[tuple[float, float]], began: float, ended: float) -> bool:
    return any(begin <= ended and began <= end for begin, end in times)
