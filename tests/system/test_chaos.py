"""The counting contract while everything goes wrong: `make chaos`, for a minute."""

from pathlib import Path

import pytest

from tests.system.chaos.plan import Kind, plan
from tests.system.chaos.report import report
from tests.system.chaos.run import run

# A round of all kinds of faults takes about 34 seconds. With the start of twelve processes, and
# until all clicks are at rest, it is a minute.
SECONDS = 40.0
SEED = 8


@pytest.mark.timeout(300)
async def test_every_answered_click_is_counted_once(short_dir: Path) -> None:
    """For every campaign: answered <= click_count <= answered + broken; all stop with status 0."""
    print(f"make chaos SEED={SEED} SECONDS={SECONDS:g}")
    result = await run(short_dir, SEED, SECONDS)
    if result.problems:
        print(result.logs)
    print(report(result))
    assert result.problems == ()
    assert all(row.right for row in result.rows)
    assert sum(row.answered for row in result.rows) > 0


def test_the_minute_has_all_kinds_of_faults() -> None:
    """A seed is always the same plan, and the one above leaves nothing out."""
    strikes = plan(SEED, SECONDS)
    assert strikes == plan(SEED, SECONDS)
    assert {strike.kind for strike in strikes} == set(Kind)
