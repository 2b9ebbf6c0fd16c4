"""Wrong passwords are slowed down, and nobody is locked out."""

import itertools

from dashboard.access.throttle import Throttle

ACCOUNT, ADDRESS, ELSEWHERE = "mara@example.org", "192.0.2.1", "198.51.100.7"


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def wait_for(throttle: Throttle, clock: Clock, account: str, address: str) -> float:
    """Seconds until a try is looked at, for somebody who tries again when told to."""
    began = clock.now
    while (wait := throttle.try_(account, address)) > 0:
        clock.now += wait
    return clock.now - began


def test_ten_a_minute_then_longer_waits() -> None:
    """Ten tries are free; then each one waits longer, and no longer than a minute."""
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.try_(ACCOUNT, ADDRESS) for _ in range(10)] == [0.0] * 10
    waits = [wait_for(throttle, clock, ACCOUNT, ADDRESS) for _ in range(4)]
    assert waits == [15.0, 30.0, 60.0, 60.0]


def test_tries_while_waiting_make_nobody_wait_longer() -> None:
    """An attacker who goes on while he waits changes nothing."""
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(10):
        throttle.try_(ACCOUNT, ADDRESS)
    waits = []
    for _ in range(50):
        waits.append(throttle.try_(ACCOUNT, ADDRESS))
        clock.now += 0.1
    assert waits[0] == 15.0
    assert waits[-1] < 15.0 - 4.8


def test_the_owner_comes_in() -> None:
    """After an attack of an hour: from elsewhere within 20 s, from that address within 90 s."""
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3600):
        throttle.try_(ACCOUNT, ADDRESS)
        clock.now += 1.0
    assert wait_for(throttle, clock, ACCOUNT, ELSEWHERE) <= 20
    assert wait_for(throttle, clock, ACCOUNT, ADDRESS) <= 90


def test_an_attack_from_everywhere() -> None:
    """From ever new addresses an account gets a bounded number of tries, and its owner a turn."""
    clock = Clock()
    throttle = Throttle(clock)
    looked_at = 0
    for number in range(3000):
        looked_at += throttle.try_(ACCOUNT, f"10.0.{number // 250}.{number % 250}") == 0
        clock.now += 0.1
    assert looked_at < 60 + 300 / 5
    assert wait_for(throttle, clock, ACCOUNT, ELSEWHERE) <= 20


def test_many_accounts_from_one_address() -> None:
    """One password tried on everybody is slowed down, too."""
    throttle = Throttle(Clock())
    looked_at = [throttle.try_(f"{number}@example.org", ADDRESS) for number in range(500)]
    assert looked_at.count(0.0) == 100
    assert throttle.try_("somebody@example.org", ELSEWHERE) == 0


def test_a_right_password_forgives() -> None:
    """Who came in begins anew, and so does who was quiet for a minute."""
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(9):
        throttle.try_(ACCOUNT, ADDRESS)
    throttle.forgive(ACCOUNT, ADDRESS)
    assert [throttle.try_(ACCOUNT, ADDRESS) for _ in range(10)] == [0.0] * 10
    clock.now += 15 + 61
    assert [throttle.try_(ACCOUNT, ADDRESS) for _ in range(10)] == [0.0] * 10


def test_neighbours_in_an_ipv6_network_are_one() -> None:
    """A subscriber has 64 bits of addresses: they count together."""
    throttle = Throttle(Clock())
    waits = [throttle.try_(ACCOUNT, f"2001:db8::{number:x}") for number in range(11)]
    assert waits[-1] > 0


def test_memory_is_bounded() -> None:
    """However many addresses try however many accounts."""
    throttle = Throttle(Clock())
    for number, account in zip(range(30_000), itertools.cycle("abcdefg"), strict=False):
        throttle.try_(f"{account}{number}", f"10.{number % 200}.{number // 200 % 250}.1")
    assert len(throttle) <= 20_000
