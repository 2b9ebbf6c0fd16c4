"""Batches: clicks added up by campaign, hour and audience, and numbered by their writer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

Field = str
"""What is counted apart: `campaign_id:hour:audience`."""

Writer = str
"""The id of a redirector process: 32 hexadecimal digits, new at each start."""

# A thousand fields keep Redis busy for about a millisecond.
MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class NumberedBatch:
    """A batch under its number. A writer numbers its batches in the order in which they go.

    What a number stands for must not change once the batch was sent: Redis may have applied it.
    """

    number: int
    counts: Mapping[Field, int]

    @property
    def clicks(self) -> int:
        """How many clicks it holds."""
        return sum(self.counts.values())


def added_up(batches: Iterable[NumberedBatch]) -> dict[Field, int]:
    """The clicks of all of them together."""
    totals: dict[Field, int] = {}
    for batch in batches:
        for name, clicks in batch.counts.items():
            totals[name] = totals.get(name, 0) + clicks
    return totals


def merged(batches: Sequence[NumberedBatch]) -> list[NumberedBatch]:
    """The same clicks in as few batches as can be, under the last of the same numbers.

    Args:
        batches: in order; none was ever sent, and each has `MAX_FIELDS` fields at most.
    """
    counts = iter(added_up(batches).items())
    parts: list[dict[Field, int]] = []
    while part := dict(islice(counts, MAX_FIELDS)):
        parts.append(part)
    # There are no more parts than batches: each batch filled one at most.
    numbers = [batch.number for batch in batches[len(batches) - len(parts) :]]
    return [NumberedBatch(number, part) for number, part in zip(numbers, parts, strict=True)]
