"""The group of clicks that is open while the one before is being stored."""

from collections.abc import Callable

from redirector.counters.keys import CounterName

Answer = Callable[[], None]
"""Called when a redirect may be answered."""


class OpenGroup:
    """Clicks that are stored together, and the redirects that wait for them.

    Attributes:
        counts: the clicks by counter, and `clicks` all of them.
        since: when the first of them came, in monotonic seconds.
    """

    __slots__ = ("answers", "clicks", "counts", "since")

    def __init__(self) -> None:
        self.counts: dict[CounterName, int] = {}
        self.clicks = 0
        self.answers: list[Answer] = []
        self.since = 0.0

    def release(self) -> None:
        """Answers everyone who waits."""
        answers, self.answers = self.answers, []
        for answer in answers:
            answer()
