"""A part of the growth report: a table, and what was wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.report import aligned
from loadtest.rows import Reckoning


@dataclass(frozen=True, slots=True)
class Section:
    """One question, and its answer.

    Attributes:
        rows: of as many cells as the header.
        notes: what must be known to read it, a line each.
        reckonings: of all clicks that it took.
        failures: what else was wrong, a line each.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    reckonings: Sequence[Reckoning] = ()
    failures: Sequence[str] = field(default=())

    def __str__(self) -> str:
        table = aligned([self.header, *self.rows])
        return "\n".join([self.title, "", *table, *self.notes, *map(str, self.reckonings)])

    def complaints(self) -> list[str]:
        """What was wrong, a line each."""
        return [*self.failures, *(line for each in self.reckonings for line in each.complaints())]
