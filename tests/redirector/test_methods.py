"""Methods that nobody knows are methods (RFC 9110, section 9.1): 405, and not 400."""

import pytest

from tests.redirector.lanes import create_campaigns, lane
from tests.redis_server import RedisServer
from tests.serving.client import connected
from tests.waiting import until
from tracking.database import Database
from tracking.settings import Settings

METHODS = [b"FOO", b"get", b"PURGE", b"M-SEARCH", b"A!#$%&'*+.^_`|~1", b"CONNECT"]


@pytest.mark.parametrize("method", METHODS, ids=bytes.decode)
async def test_an_unknown_method(
    settings: Settings, redis: RedisServer, database: Database, method: bytes
) -> None:
    """It says which are allowed, counts nothing, and the connection goes on."""
    codes = await create_campaigns(database)
    async with lane(settings, redis, codes) as expressway, connected(expressway) as client:
        await client.send(method + b" /acme/summer/c/news1/ HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.idle()
        assert client.received.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nallow: GET, HEAD\r\n" in client.received
        await client.send(b"GET /acme/summer/c/plain/ HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: client.heads() == 2)
        assert expressway.take_clicks() == {("plain", "human"): 1}
