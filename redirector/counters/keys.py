"""The counters' keys, names and scripts.

A writer's keys share a hash tag, so that in a cluster one slot holds what one script touches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Self

from tracking.clicks import Audience, ClickCount, Hour
from tracking.writers import Writer

CounterName = str
"""What is counted apart: `campaign_id:hour:audience`."""

VERSION = 1
"""Of the counters' names: what a flusher of another version can't read stays for one that can."""

# A batch is a transaction of its own at the least: so many counters keep SQL busy for about 0.1 s.
COUNTERS_PER_BATCH = 10_000

_AUDIENCES = {audience.value: audience for audience in Audience}


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script; its keys and arguments are documented in its header."""

    text: str
    sha: str

    @classmethod
    def load(cls, name: str) -> Self:
        """Reads `scripts/<name>.lua`, with what all share before it."""
        directory = Path(__file__).with_name("scripts")
        text = "".join((directory / f"{part}.lua").read_text() for part in ("writer", name))
        # Redis names scripts by their SHA-1.
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


SHIP = Script.load("ship")
SEAL = Script.load("seal")
SETTLE = Script.load("settle")


def keys_of(writer: Writer) -> tuple[str, str, str]:
    """The keys of a writer's counters, as the scripts take them."""
    state = f"waymark:{{{writer}}}"
    return state, f"{state}:open", f"{state}:sealed"


@dataclass(frozen=True, slots=True)
class BatchName:
    """What a sealed batch's name says: the range of its writer's records, and its version."""

    first: int
    last: int
    version: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads it.

        Raises:
            ValueError: it is no such name.
        """
        first, last, version = map(int, text.split("-"))
        return cls(first, last, version)


def counter_name(campaign_id: int, hour: Hour, audience: Audience) -> CounterName:
    """The name of these clicks' counter."""
    return f"{campaign_id}:{hour}:{audience}"


def campaigns_of(counters: Iterable[CounterName]) -> set[int]:
    """The campaigns that these count clicks of; one that means nothing counts for none."""
    ids = (name.partition(":")[0] for name in counters)
    return {int(id) for id in ids if id.isdecimal()}


@dataclass(slots=True)
class Content:
    """What a hash of counters holds.

    Attributes:
        strange: names and values that mean nothing to this version.
    """

    counts: list[ClickCount] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @property
    def clicks(self) -> int:
        """All of them, of whatever audience."""
        return sum(count.clicks for count in self.counts)


def text(value: bytes | str) -> str:
    """What Redis said, which is bytes unless a client was told to decode."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def parse(content: Mapping[bytes | str, bytes | str]) -> Content:
    """Reads a hash of counters."""
    parsed = Content()
    for raw, clicks in content.items():
        name = text(raw)
        try:
            parsed.counts.append(_count(name, int(clicks)))
        except (ValueError, KeyError):
            parsed.strange.append(name)
    return parsed


def _count(name: CounterName, clicks: int) -> ClickCount:
    campaign_id, hour, audience = name.split(":")
    if clicks < 1:
        raise ValueError(name)
    return ClickCount(int(campaign_id), Hour(int(hour)), _AUDIENCES[audience], clicks)
