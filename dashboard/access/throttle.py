"""Wrong passwords are slowed down, and nobody is locked out.

Tries are counted for an account from an address, for an account from anywhere, and from an address
for any account. Who has used up their tries waits; tries meanwhile are not looked at, and make
nobody wait longer. Whether there is such an account makes no difference. The waits end: within a
minute from the address that is attacking, within a quarter of one from any other, and a sign-in
link is never slowed down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_MINUTE = 60.0
_MAX_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class _Rule:
    """How many tries a minute are free, and how long who had them waits, each time longer.

    Attributes:
        waits: seconds; the last one again and again.
    """

    tries: int
    waits: Sequence[float]


_ACCOUNT_FROM_ADDRESS = _Rule(10, (15.0, 30.0, 60.0))
_ACCOUNT = _Rule(60, (5.0, 10.0, 15.0))
_ADDRESS = _Rule(100, (15.0, 30.0))


@dataclass(slots=True)
class _Bucket:
    """What is known of one of these.

    Attributes:
        tries: in the minute that began at `since`.
        waited: how often somebody was made to wait.
        until: until when nobody may try.
    """

    since: float
    tries: int = 0
    waited: int = 0
    until: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try."""
        return max(0.0, self.until - now)

    def count(self, rule: _Rule, now: float) -> None:
        """Counts a try; the last free one begins a wait."""
        quiet_since = max(self.since, self.until)
        if now - quiet_since > _MINUTE:
            self.since, self.tries, self.waited = now, 0, 0
        self.tries += 1
        if self.tries >= rule.tries:
            self.until = now + rule.waits[min(self.waited, len(rule.waits) - 1)]
            self.waited += 1
            # One try behind each wait, until it was quiet for a minute.
            self.tries = rule.tries - 1


class Throttle:
    """The tries of one process.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def try_(self, account: str, address: str) -> float:
        """Counts a try before it is looked at, so that many at once are no way round.

        Returns:
            Seconds to wait; 0 = it may be looked at.
        """
        now = self._clock()
        rules = self._rules(account, address)
        wait = max(
            (bucket.wait(now) for key in rules if (bucket := self._buckets.get(key)) is not None),
            default=0.0,
        )
        if wait > 0:
            return wait
        for key, rule in rules.items():
            bucket = self._buckets.setdefault(key, _Bucket(now))
            self._buckets.move_to_end(key)
            bucket.count(rule, now)
        while len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0

    def forgive(self, account: str, address: str) -> None:
        """Takes back what a try counted that was right."""
        for key in self._rules(account, address):
            self._buckets.pop(key, None)

    def __len__(self) -> int:
        return len(self._buckets)

    @staticmethod
    def _rules(account: str, address: str) -> dict[tuple[str, str], _Rule]:
        network = _network(address)
        return {
            (account, network): _ACCOUNT_FROM_ADDRESS,
            (account, ""): _ACCOUNT,
            ("", network): _ADDRESS,
        }


def _network(address: str) -> str:
    """What one subscriber has: an IPv4 address, or 64 bits of an IPv6 one (RFC 6177)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{int(parsed) >> 64:x}/64"
    return str(parsed)
