"""What happened in a run, and when."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.system.chaos.plan import Kind


class Journal:
    """Lines with the seconds since the journal was begun.

    Args:
        say: is called with each line.

    Attributes:
        struck: how often each kind of fault was done.
        troubles: when Redis, the network to it, or SQL was in trouble: from and to, by the
            monotonic clock.
    """

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self.struck: Counter[Kind] = Counter()
        self.troubles: list[tuple[float, float]] = []
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
        """Redis or SQL can't be relied on in the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.troubles.append((began, time.monotonic()))

    def in_trouble(self, began: float, seconds: float) -> bool:
        """Whether a request that took so long from `began` met with trouble."""
        return any(begin <= began + seconds and began <= end for begin, end in self.troubles)
