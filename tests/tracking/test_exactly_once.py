"""The promise: whatever is repeated, fails or is deleted meanwhile, each batch counts once."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.tracking.counting import (
    InjectedError,
    Key,
    apply,
    batch_of,
    click_counts,
    fail_after_applying,
    hourly,
    make,
)
from tracking import campaigns, clicks
from tracking.clicks import Audience, Batch
from tracking.database import Database
from tracking.organizers import Event
from tracking.writers import Verdict

CAMPAIGNS = 3
BATCHES = 4

# A campaign's index, an hour, an audience, and clicks.
Content = tuple[int, int, Audience, int]


class Step(StrEnum):
    """What can happen to a batch, or to a campaign."""

    APPLY = "apply"
    FAIL = "fail"
    DELETE = "delete"


contents = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, CAMPAIGNS - 1),
            st.integers(490_000, 490_002),
            st.sampled_from(Audience),
            st.integers(1, 1_000_000),
        ),
        unique_by=lambda content: content[:3],
        max_size=8,
    ),
    min_size=BATCHES,
    max_size=BATCHES,
)
steps = st.lists(
    # Batches are applied more often than anything else, so that many are repeated.
    st.tuples(st.sampled_from([*Step, Step.APPLY, Step.APPLY]), st.integers(0, BATCHES - 1)),
    max_size=12,
)


class Expected:
    """What the database must hold, counted in plain Python."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.living = set(ids)
        self.applied: set[str] = set()
        self.hours: Counter[Key] = Counter()

    def apply(self, batch: Batch) -> Verdict:
        """Counts the batch, unless it was counted before."""
        if batch.writer in self.applied:
            return Verdict.KNOWN
        self.applied.add(batch.writer)
        for count in batch.counts:
            if count.campaign_id in self.living:
                self.hours[count.campaign_id, count.hour, count.audience] += count.clicks
        return Verdict.ACCEPTED

    def delete(self, id: int) -> None:
        """The campaign goes, and all its rows."""
        self.living.discard(id)
        self.hours = Counter({key: n for key, n in self.hours.items() if key[0] != id})

    def click_counts(self) -> dict[int, int]:
        """The clicks of people on each campaign that is left."""
        counts = dict.fromkeys(self.living, 0)
        for (id, _, audience), number in self.hours.items():
            if audience is Audience.HUMAN:
                counts[id] += number
        return counts


@hypothesis_settings(
    max_examples=60,
    deadline=None,  # a commit takes as long as the disk does
    # The examples share one database: each deletes the campaigns of the one before.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(contents=contents, steps=steps)
async def test_any_order_of_steps_gives_the_exact_totals(
    database: Database,
    event: Event,
    contents: list[list[Content]],
    steps: list[tuple[Step, int]],
) -> None:
    """Rows and counts are those of each batch applied once, at its first success."""
    async with database.write() as connection:
        for id in await click_counts(connection):
            await campaigns.remove(connection, event.id, id)
        ids = await make(connection, event, CAMPAIGNS)
    batches = [
        batch_of(*((ids[index], hour, who, number) for index, hour, who, number in content))
        for content in contents
    ]
    expected = Expected(ids)
    for step, number in steps:
        if step is Step.APPLY:
            assert await apply(database, batches[number]) is expected.apply(batches[number])
        elif step is Step.FAIL:
            with pytest.raises(InjectedError):
                await fail_after_applying(database, batches[number])
        else:
            id = ids[number % CAMPAIGNS]
            async with database.write() as connection:
                await campaigns.remove(connection, event.id, id)
            expected.delete(id)
    async with database.read() as connection:
        assert await hourly(connection) == expected.hours
        assert await click_counts(connection) == expected.click_counts()
        assert await clicks.audit(connection) == []
        entries = await clicks.ledger(connection)
        assert entries.clicks == entries.hourly_sum == expected.hours.total()
