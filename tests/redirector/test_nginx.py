"""Behind a real nginx that keeps its connections, nobody gets an answer that is not theirs."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.nginx import BODILESS, KEPT, UPGRADING, before, until_it_answers
from tests.redirector.lanes import TARGETS, Lane, create_campaigns, lane
from tests.redis_server import RedisServer
from tests.serving.attacks import ACCEPTED
from tracking.database import Database
from tracking.settings import Settings

VISITORS = 20
SMUGGLED = b"GET /acme/summer/c/news1/?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def expressway(
    settings: Settings, redis: RedisServer, database: Database
) -> AsyncIterator[Lane]:
    """A redirector with an express lane, which has all links in its cache."""
    async with lane(settings, redis, await create_campaigns(database)) as expressway:
        yield expressway


@pytest.mark.parametrize("connection", [KEPT, UPGRADING, BODILESS], ids=["kept", "upgrade", "bare"])
@pytest.mark.parametrize(
    "name", ["a body that grows", "a body of a GET that grows", "h2c", "h2c, a body that grows"]
)
async def test_a_smuggled_request_reaches_nobody(
    expressway: Lane, tmp_path: Path, name: str, connection: str
) -> None:
    """Visitors that share the proxy's connection with an attacker are led where they wanted."""
    attack = ACCEPTED[name](SMUGGLED)
    method, path, _ = attack.head.split(b"\r\n")[0].decode().split(" ")
    fields = {"Connection": "Upgrade", "Upgrade": "h2c"} if b"Upgrade" in attack.head else {}
    with before(expressway.port, tmp_path, connection) as port:
        await until_it_answers(port)
        base = f"http://127.0.0.1:{port}"
        async with (
            httpx.AsyncClient(base_url=base) as attacker,
            httpx.AsyncClient(base_url=base) as visitors,
        ):
            for _ in range(VISITORS):
                answer = await attacker.request(method, path, headers=fields, content=attack.body)
                assert answer.status_code in {404, 405}
                answer = await visitors.get("/acme/summer/c/plain/")
                assert answer.headers["location"] == TARGETS["plain"]
    assert expressway.take_clicks() == {("plain", "human"): VISITORS}
