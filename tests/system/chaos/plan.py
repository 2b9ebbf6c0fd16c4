"""What is to go wrong, and when: decided by a seed, before anything starts."""

import random
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """A kind of fault, as people call it."""

    WORKER = "redirector worker killed"
    SUPERVISOR = "redirector supervisor killed"
    FLUSHER = "flusher killed"
    API = "api killed"
    REDIS = "Redis killed, and empty again"
    FLUSH = "Redis flushed"
    COPY = "Redis back with an older copy"
    FAILOVER = "failover to a replica that lags"
    FREEZE = "Redis frozen"
    CUT = "network cut"
    STALL = "network stalled"
    DELAY = "replies delayed"
    LOSE_REPLY = "replies lost"
    CUT_REPLY = "replies cut in the middle"
    LOCK = "database locked"
    STOPPED_FLUSHER = "flusher stopped before its commit"
    DISK = "disk full while Redis is away"
    HANG = "disk hangs"


# How often each kind comes, until all have come and the next round begins. A supervisor takes
# seconds to be back, a time in which hardly anything else can be tested.
_ROUND = {
    Kind.WORKER: 4,
    Kind.SUPERVISOR: 1,
    Kind.FLUSHER: 2,
    Kind.API: 1,
    Kind.REDIS: 2,
    Kind.FLUSH: 2,
    Kind.COPY: 2,
    Kind.FAILOVER: 2,
    Kind.FREEZE: 2,
    Kind.CUT: 2,
    Kind.STALL: 2,
    Kind.DELAY: 1,
    Kind.LOSE_REPLY: 2,
    Kind.CUT_REPLY: 2,
    Kind.LOCK: 1,
    Kind.STOPPED_FLUSHER: 3,
    Kind.DISK: 1,
    Kind.HANG: 1,
}

# From when one fault begins to when the next does, in seconds: most last longer, and so overlap.
_PAUSES = (0.1, 1.9)
_DURATIONS = (0.3, 4.0)


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault.

    Attributes:
        at: seconds from the start.
        seconds: how long it lasts, where it is not over at once.
        choice: between 0 and 1, for whatever is to be chosen.
    """

    at: float
    kind: Kind
    seconds: float
    choice: float


def plan(seed: int, seconds: float) -> list[Strike]:
    """The faults of a run, in the order of their times; the same for the same arguments."""
    source = random.Random(seed)
    strikes: list[Strike] = []
    round_: list[Kind] = []
    at = source.uniform(*_PAUSES)
    while at < seconds:
        if not round_:
            round_ = [kind for kind, times in _ROUND.items() for _ in range(times)]
            source.shuffle(round_)
        strikes.append(Strike(at, round_.pop(), source.uniform(*_DURATIONS), source.random()))
        at += source.uniform(*_PAUSES)
    return strikes
