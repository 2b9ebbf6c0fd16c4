"""Behind a real nginx that keeps its connections, nobody gets an answer that is not theirs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.nginx import BODILESS, KEPT, UPGRADING, before, beside_a_shop, until_it_answers
from tests.redirector.lanes import TARGETS, Lane, create_campaigns, lane
from tests.redis_server import RedisServer
from tests.serving.attacks import ACCEPTED
from tracking.database import Database
from tracking.settings import Settings

pytestmark = pytest.mark.nginx

VISITORS = 20
SMUGGLED = b"GET /acme/summer/c/news1/?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
# Its last field would take in the first line of whoever's request comes next on the connection.
UNFINISHED = SMUGGLED.removesuffix(b"\r\n") + b"X: "


@pytest.fixture
async def expressway(
    settings: Settings, redis: RedisServer, database: Database
) -> AsyncIterator[Lane]:
    """A redirector with an express lane, which has all links in its cache."""
    async with lane(settings, redis, await create_campaigns(database)) as expressway:
        yield expressway


@pytest.mark.parametrize("smuggled", [SMUGGLED, UNFINISHED], ids=["whole", "unfinished"])
@pytest.mark.parametrize("connection", [KEPT, UPGRADING, BODILESS], ids=["kept", "upgrade", "bare"])
@pytest.mark.parametrize(
    "name", ["a body that grows", "a body of a GET that grows", "h2c", "h2c, a body that grows"]
)
async def test_a_smuggled_request_reaches_nobody(
    expressway: Lane, tmp_path: Path, name: str, connection: str, smuggled: bytes
) -> None:
    """Visitors that share the proxy's connection with an attacker are led where they wanted."""
    attack = ACCEPTED[name](smuggled)
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


# What a visitor's browser asks for, and whether it is for the redirector.
LINKS = {
    b"": b"",
    b"/": b"",
    b"//": b"",
    b"?c=d": b"c=d",
    b"/?c=d": b"c=d",
    b".": b"",
    b").": b"",
    b"/,": b"",
    b"%20": b"",
    b"%0D%0A%0A": b"",
    b"%E2%80%8B": b"",
    b"/%E2%80%A6%22": b"",
    b"\xe2\x80\xa6": b"",
    b"%3F": b"",
    b"&c=d": b"c=d",
    b"/&c=d&e=/f": b"c=d&e=/f",
    b"%26c%3Dd": b"c=d",
    b"%3Fc=d": b"c=d",
}
SHOPS = (
    b"/",
    b"/acme/summer/",
    b"/acme/summer/c/",
    b"/acme/summer/c/news1/more",
    b"/acme/summer/c/news1.html",
    b"/acme/summer/c/" + b"a" * 65,
    b"/acme/summer/checkout/",
    b"/healthz",
)


async def ask(port: int, target: bytes) -> bytes:
    """The whole answer to a GET of a target that is sent as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_the_readme_s_block_lets_links_through_and_nothing_else(
    expressway: Lane, tmp_path: Path
) -> None:
    """Links with whatever sticks to them lead on and count, and the shop keeps the rest."""
    problems = []
    with beside_a_shop(expressway.port, tmp_path) as port:
        await until_it_answers(port)
        for rest, query in LINKS.items():
            answer = await ask(port, b"/acme/summer/c/plain" + rest)
            target = TARGETS["plain"].encode() + (b"?" + query if query else b"")
            if b"\r\nLocation: %b\r\n" % target not in answer.replace(b"location:", b"Location:"):
                problems.append((rest, answer))
        for path in SHOPS:
            answer = await ask(port, path)
            if not answer.startswith(b"HTTP/1.1 418 "):
                problems.append((path, answer))
    assert problems == []
    assert expressway.take_clicks() == {("plain", "human"): len(LINKS)}


async def test_the_readme_s_block_sends_no_bodies(expressway: Lane, tmp_path: Path) -> None:
    """What a client sends as a body stays with nginx: the redirector answers the head."""
    with beside_a_shop(expressway.port, tmp_path) as port:
        await until_it_answers(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as client:
            answer = await client.request("GET", "/acme/summer/c/plain/", content=SMUGGLED)
            assert answer.headers["location"] == TARGETS["plain"]
            assert (await client.post("/acme/summer/c/plain/", content=SMUGGLED)).status_code == 405
    assert expressway.take_clicks() == {("plain", "human"): 1}
