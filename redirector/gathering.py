"""What gathers while the batch before it is being stored."""

from collections.abc import Callable

from redirector.batches import Field

Answer = Callable[[], None]
"""Called when a redirect may be answered."""


class Gathering:
    """Clicks that are stored together, and the redirects that wait for them.

    Attributes:
        counts: the clicks by field, and `clicks` all of them.
        began: when the first of them came, in monotonic seconds.
    """

    __slots__ = ("answers", "began", "clicks", "counts")

    def __init__(self) -> None:
        self.counts: dict[Field, int] = {}
        self.clicks = 0
        self.answers: list[Answer] = []
        self.began = 0.0

    def release(self) -> None:
        """Answers everyone who waits."""
        answers, self.answers = self.answers, []
        for answer in answers:
            answer()

    def split(self, most: int) -> "Gathering":
        """Takes the first `most` fields out, into one that nobody waits for."""
        part = Gathering()
        part.began = self.began
        for name in list(self.counts)[:most]:
            part.counts[name] = self.counts.pop(name)
        part.clicks = sum(part.counts.values())
        self.clicks -= part.clicks
        return part
