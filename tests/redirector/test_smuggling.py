"""Nothing that a body holds is read as a request, however it is cut into packets."""

from collections.abc import AsyncIterator

import pytest

from tests.redirector.lanes import Lane, create_campaigns, lane
from tests.redis_server import RedisServer
from tests.serving.attacks import ACCEPTED, REFUSED, answers, deliveries
from tracking.database import Database
from tracking.settings import Settings

SMUGGLED = b"GET /acme/summer/c/news1/ HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def expressway(
    settings: Settings, redis: RedisServer, database: Database
) -> AsyncIterator[Lane]:
    """A redirector with an express lane, which has the smuggled link in its cache."""
    async with lane(settings, redis, await create_campaigns(database)) as expressway:
        yield expressway


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_body_is_no_request(expressway: Lane, name: str) -> None:
    """One answer to the request, one to the next, and no click."""
    attack = ACCEPTED[name](SMUGGLED)
    for packets in deliveries(attack, step=47):
        received = await answers(expressway, attack, packets)
        assert received.count(b"HTTP/1.1 4") in {1, 2}, (packets, received)
        assert b"HTTP/1.1 3" not in received, (packets, received)
        assert received.count(b"HTTP/1.1 ") <= 2, (packets, received)
    assert expressway.take_clicks() == {}
    assert expressway.express_requests == 0


@pytest.mark.parametrize("name", REFUSED)
async def test_what_may_be_read_in_two_ways_is_refused(expressway: Lane, name: str) -> None:
    """One answer, no click, and the connection is closed."""
    attack = REFUSED[name](SMUGGLED)
    for packets in deliveries(attack, step=47):
        received = await answers(expressway, attack, packets)
        assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), (packets, received)
        assert received.count(b"HTTP/1.1 ") == 1, (packets, received)
    assert expressway.take_clicks() == {}
    assert expressway.express_requests == 0
