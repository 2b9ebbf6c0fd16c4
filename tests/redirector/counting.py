"""What was counted on the click's way: what the tests of it share."""

from collections import Counter
from pathlib import Path

from redis import Redis

from redirector.counters.keys import parse
from redirector.journal.survey import survey
from tests.redis_server import RedisServer
from tracking.clicks import Audience
from tracking.writers import Writer

Clicks = dict[tuple[int, Audience], int]
"""Clicks by campaign and audience."""


def journalled(directory: Path, writer: Writer | None = None) -> Clicks:
    """What the journals of a directory hold, acknowledged or not; nothing else is there.

    Args:
        writer: whose journal alone; None: all.
    """
    totals: Counter[tuple[int, Audience]] = Counter()
    found = survey(directory)
    assert found.unreadable == {}
    for journal in found.waiting:
        if writer not in {None, journal.writer}:
            continue
        for record in journal.records:
            held = parse({name: str(clicks) for name, clicks in record.counts.items()})
            assert held.strange == []
            for count in held.counts:
                totals[count.campaign_id, count.audience] += count.clicks
    return dict(totals)


def in_redis(server: RedisServer) -> Clicks:
    """What Redis holds, sealed or not; nothing else is there."""
    with server.client() as client:
        return clicks_in_redis(client)


def clicks_in_redis(client: Redis) -> Clicks:
    """`in_redis`, for who has a client."""
    totals: Counter[tuple[int, Audience]] = Counter()
    for key in client.scan_iter("waymark:*", _type="hash"):
        if key.decode().endswith("}"):
            continue
        held = parse(client.hgetall(key))
        assert held.strange == []
        for count in held.counts:
            totals[count.campaign_id, count.audience] += count.clicks
    return dict(totals)
