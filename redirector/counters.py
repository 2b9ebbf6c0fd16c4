"""The counters in Redis: their keys, their fields, their scripts, and how to connect to them.

The keys share a hash tag, so that in a cluster one slot holds what one script touches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio.connection import (
    ConnectionPool,
    UnixDomainSocketConnection,
)

from redirector.batches import Field, Writer
from tracking.clicks import Audience, ClickCount, Hour
from tracking.settings import Settings

PENDING = "{clicks}:pending"
APPLIED = "{clicks}:applied"
SEALED = "{clicks}:sealed"
OBSERVED = "{clicks}:observed"
FLUSHING_PREFIX = "{clicks}:flushing:"

# Redis answers a batch in about a millisecond with an fsync; a second means that it hangs.
ANSWER_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script; its keys and arguments are documented in its header."""

    text: str
    sha: str

    @classmethod
    def load(cls, name: str) -> "Script":
        """Reads `scripts/<name>.lua`."""
        text = (Path(__file__).with_name("scripts") / f"{name}.lua").read_text()
        # Redis names scripts by their SHA-1.
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


RECORD = Script.load("record")
SEAL = Script.load("seal")
ACKNOWLEDGE = Script.load("acknowledge")
IDLE_WRITERS = Script.load("idle_writers")

# What a pending or sealed hash says of itself, beside its counters (scripts/record.lua).
_OWN_FIELDS = frozenset({"id", "run"})
_WRITER = "writer:"
_AUDIENCES = {audience.value: audience for audience in Audience}


def flushing(batch_id: str) -> str:
    """The key of a sealed batch."""
    return f"{FLUSHING_PREFIX}{batch_id}"


def field(campaign_id: int, hour: Hour, audience: Audience) -> Field:
    """The pending hash's field for these clicks."""
    return f"{campaign_id}:{hour}:{audience}"


def campaigns_of(fields: Iterable[Field]) -> set[int]:
    """The campaigns that these fields count clicks of; one that means nothing counts for none."""
    ids = (name.partition(":")[0] for name in fields)
    return {int(id) for id in ids if id.isdecimal()}


@dataclass(slots=True)
class Counters:
    """What a pending or sealed hash holds.

    Attributes:
        writers: the number up to which each writer's batches are in SQL once these are.
        strange: fields that mean nothing: Waymark did not write those.
    """

    counts: list[ClickCount] = dataclass_field(default_factory=list)
    writers: dict[Writer, int] = dataclass_field(default_factory=dict)
    strange: list[str] = dataclass_field(default_factory=list)

    @property
    def clicks(self) -> int:
        """All of them, of whatever audience."""
        return sum(count.clicks for count in self.counts)


def parse(content: Mapping[bytes | str, bytes | str]) -> Counters:
    """Reads a pending or sealed hash."""
    counters = Counters()
    for raw_name, value in content.items():
        name = _text(raw_name)
        if name in _OWN_FIELDS:
            continue
        try:
            if name.startswith(_WRITER):
                counters.writers[name.removeprefix(_WRITER)] = int(value)
            else:
                counters.counts.append(_count(name, int(value)))
        except (ValueError, KeyError):
            counters.strange.append(name)
    return counters


def _count(name: Field, clicks: int) -> ClickCount:
    campaign_id, hour, audience = name.split(":")
    return ClickCount(int(campaign_id), Hour(int(hour)), _AUDIENCES[audience], clicks)


def connection_pool(
    settings: Settings, *, client_name: str, answer_timeout: float | None = ANSWER_TIMEOUT
) -> ConnectionPool:
    """A pool of connections to the configured Redis, or to the embedded one.

    Nothing sent through it is retried by the client: what may be sent twice, and what may not, is
    known by the caller alone.

    Args:
        answer_timeout: seconds; None = the caller watches the time.
    """
    options: dict[str, Any] = {
        "client_name": client_name,
        "socket_timeout": answer_timeout,
        "socket_connect_timeout": ANSWER_TIMEOUT,
        "retry": None,
        "protocol": 2,  # one form of answers, whatever the server could do
    }
    if settings.redis_url is not None:
        return ConnectionPool.from_url(settings.redis_url, **options)
    return ConnectionPool(
        connection_class=UnixDomainSocketConnection, path=str(settings.redis_socket), **options
    )


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
