"""Records: clicks added up by counter, under the numbers that their writer gave them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redirector.counters.keys import COUNTERS_PER_BATCH, CounterName

# A thousand counters keep Redis busy for about a millisecond: more go at once only where a single
# record has more.
MAX_COUNTERS = 1000
# Records are merged up to so many counters, which are a batch on their way to SQL.
MERGED_COUNTERS = COUNTERS_PER_BATCH


@dataclass(frozen=True, slots=True)
class Record:
    """The clicks of one group commit, or of several that follow each other, merged.

    What a range of numbers stands for never changes.

    Attributes:
        first, last: the numbers of those groups.
    """

    first: int
    last: int
    counts: Mapping[CounterName, int]

    @property
    def clicks(self) -> int:
        """How many clicks it holds."""
        return sum(self.counts.values())


def added_up(records: Iterable[Record]) -> dict[CounterName, int]:
    """The clicks of all of them together."""
    totals: dict[CounterName, int] = {}
    for record in records:
        _add(totals, record)
    return totals


def merged(records: Iterable[Record]) -> list[Record]:
    """The same clicks in fewer records, each of which is several of these that follow each other.

    What a number stands for stays as it was told: whoever has the records apart, in a copy of the
    journal or in what was sent, has the same clicks under the same ranges.
    """
    kept: list[Record] = []
    counts: dict[CounterName, int] = {}
    for record in records:
        follows = bool(kept) and kept[-1].last + 1 == record.first
        new = sum(name not in counts for name in record.counts)
        if follows and len(counts) + new <= MERGED_COUNTERS:
            kept[-1] = Record(kept[-1].first, record.last, counts)
        else:
            counts = {}
            kept.append(Record(record.first, record.last, counts))
        _add(counts, record)
    return kept


def _add(totals: dict[CounterName, int], record: Record) -> None:
    for name, clicks in record.counts.items():
        totals[name] = totals.get(name, 0) + clicks
