"""The reckoning: what visitors were answered against what was counted, campaign by campaign.

    python -m loadtest.reconcile --tally FILE --api URL --organizer SLUG --event SLUG

compares a tally that locust left with a stack that runs, by the token in LOADTEST_TOKEN. All clicks
that the event's links ever got must be in the tally.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from loadtest.api import Access, Api
from loadtest.errors import LoadtestError
from loadtest.loopback import require_loopback
from loadtest.tally import Tally

PATIENCE_SECONDS = 20.0
# Counts move once a second, with the flush. Three seconds without show that none is to come.
_QUIET_SECONDS = 3.0
_POLL_SECONDS = 0.25
_LINES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A campaign whose `click_count` is not what visitors saw.

    Attributes:
        answered: 302s that they received.
        broken: their requests that no answer came to; any of them may have been counted.
    """

    code: str
    answered: int
    broken: int
    counted: int

    @property
    def clicks(self) -> int:
        """How many were counted too many; negative: were lost."""
        if self.counted < self.answered:
            return self.counted - self.answered
        return max(0, self.counted - self.answered - self.broken)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The result.

    Attributes:
        settled: whether the counts had stopped to move, and Redis had confirmed every click.
    """

    campaigns: int
    answered: int
    broken: int
    counted: int
    differences: tuple[Difference, ...]
    settled: bool

    @property
    def agrees(self) -> bool:
        """Whether every click was counted exactly once."""
        return self.settled and not self.differences

    def complaints(self) -> list[str]:
        """One line for each campaign that differs, or as many as can be read."""
        lines = [
            f"{each.code}: {each.answered} answered, {each.broken} broken, {each.counted} counted"
            for each in self.differences
        ]
        if len(lines) > _LINES:
            lines[_LINES:] = [f"and {len(lines) - _LINES} more"]
        if not self.settled:
            lines.append("the counts had not come to rest when they were compared")
        return lines


@dataclass(frozen=True, slots=True)
class _Health:
    unconfirmed_clicks: int
    journalled_clicks: int


_parse_health = TypeAdapter(_Health).validate_json


def compare(tally: Tally, counts: Mapping[str, int]) -> tuple[Difference, ...]:
    """The campaigns that differ. One that is in the tally alone, or was never clicked, counts 0."""
    people = tally.people
    codes = sorted({*counts, *people.answered, *people.broken})
    each = (
        Difference(code, people.answered[code], people.broken[code], counts.get(code, 0))
        for code in codes
    )
    return tuple(difference for difference in each if difference.clicks)


def drain(
    tally: Tally, api: Api, redirector: str | None = None, patience: float = PATIENCE_SECONDS
) -> Reckoning:
    """Compares again and again until everything agrees and rests, or patience is at its end.

    Args:
        redirector: its URL, to be asked whether clicks still wait for SQL; None: nobody is.
        patience: seconds.

    Raises:
        httpx.HTTPError: a service does not answer.
    """
    deadline = time.monotonic() + patience
    last: dict[str, int] = {}
    moved_at = float("-inf")
    while True:
        unconfirmed = _unconfirmed(redirector)
        counts = {campaign.code: campaign.click_count for campaign in api.campaigns()}
        now = time.monotonic()
        if counts != last:
            last, moved_at = counts, now
        settled = unconfirmed == 0 and now - moved_at >= _QUIET_SECONDS
        differences = compare(tally, counts)
        if (settled and not differences) or now > deadline:
            return Reckoning(
                campaigns=len(counts),
                answered=tally.people.answered.total(),
                broken=tally.people.broken.total(),
                counted=sum(counts.values()),
                differences=differences,
                settled=settled,
            )
        time.sleep(_POLL_SECONDS)


def _unconfirmed(redirector: str | None) -> int:
    if redirector is None:
        return 0
    health = httpx.get(f"{require_loopback(redirector)}/healthz", trust_env=False)
    report = _parse_health(health.content)
    return report.unconfirmed_clicks + report.journalled_clicks


def _main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.reconcile", description="Compare a tally with click_count."
    )
    parser.add_argument("--tally", type=Path, required=True, help="the file that locust left")
    parser.add_argument("--api", required=True, metavar="URL")
    parser.add_argument("--organizer", required=True, metavar="SLUG")
    parser.add_argument("--event", required=True, metavar="SLUG")
    parser.add_argument("--redirector", metavar="URL", help="waits until it has no clicks left")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS")
    options = parser.parse_args()
    token = os.environ.get("LOADTEST_TOKEN")
    if token is None:
        parser.error("LOADTEST_TOKEN is not set")
    access = Access(options.api, options.organizer, options.event, token)
    try:
        with Api(access) as api:
            tally = Tally.read(options.tally)
            reckoning = drain(tally, api, options.redirector, options.patience)
    except (LoadtestError, httpx.HTTPError) as error:
        print(f"reconcile: {error}", file=sys.stderr)
        return 1
    for line in reckoning.complaints():
        print(line)
    print(f"{reckoning.campaigns} campaigns, {len(reckoning.differences)} differ")
    return 0 if reckoning.agrees else 1


if __name__ == "__main__":
    sys.exit(_main())
