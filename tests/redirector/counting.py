"""What Redis has counted, and how batches get there: what the tests of the click's way share."""

from collections import Counter

from redirector.counters import PENDING, SEALED, flushing, parse
from redirector.redis_client import RedisClient
from tests.redis_server import RedisServer
from tracking.clicks import Audience
from tracking.settings import Settings


def connect(url: str) -> RedisClient:
    """A client as the redirector makes it."""
    return RedisClient.of(Settings(redis_url=url))


def counted(server: RedisServer) -> dict[tuple[int, Audience], int]:
    """Clicks by campaign and audience, as Redis has them, sealed or not; nothing else is there."""
    totals: Counter[tuple[int, Audience]] = Counter()
    with server.client() as client:
        sealed = [flushing(id.decode()) for id in client.lrange(SEALED, 0, -1)]
        for key in [PENDING, *sealed]:
            held = parse(client.hgetall(key))
            assert held.strange == []
            for count in held.counts:
                totals[count.campaign_id, count.audience] += count.clicks
    return dict(totals)
