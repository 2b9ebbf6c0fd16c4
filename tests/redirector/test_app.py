"""The redirector over real sockets, a real Redis and a real SQLite file."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from redirector.http.app import create_app
from redirector.http.protocol import Protocol
from tests.redirector.counting import in_redis, journalled
from tests.redis_server import RedisServer
from tests.serving import serving
from tests.waiting import until
from tracking import campaigns
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
TARGET = "https://shop.example/tickets?a=1#top"


@dataclass(frozen=True, slots=True)
class Redirector:
    """A redirector at work, with one campaign, `news1` of acme's summer."""

    client: httpx.AsyncClient
    port: int
    journals: Path
    campaign_id: int

    def clicks(self) -> dict[str, int]:
        """What was counted, by audience."""
        totals = journalled(self.journals)
        assert all(campaign_id == self.campaign_id for campaign_id, _ in totals)
        return {audience.value: clicks for (_, audience), clicks in totals.items()}

    async def send(self, request: bytes, *, then_close: bool = False) -> bytes:
        """Sends bytes as they are; all that comes back until the server closes.

        Args:
            then_close: says that nothing more will come, for what may never be a whole request.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await writer.drain()
        if then_close:
            writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
async def redirector(
    settings: Settings, database: Database, redis: RedisServer
) -> AsyncIterator[Redirector]:
    """A redirector whose clicks wait until they are stored."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        campaign = await campaigns.create(
            connection, event.id, code="news1", description="News", external_target=TARGET
        )
    app = create_app(settings.model_copy(update={"redis_url": redis.url, "commit_timeout": 30}))
    async with (
        serving(app, Protocol) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        await until(lambda: _healthy(client))
        yield Redirector(client, urlsplit(url).port or 0, settings.journal_dir, campaign.id)


def client_of(url: str) -> httpx.AsyncClient:
    """A client of this server; nothing here needs certificates, which take long to load."""
    return httpx.AsyncClient(base_url=url, verify=False)


async def _healthy(client: httpx.AsyncClient) -> bool:
    return (await client.get("/healthz")).status_code == 200


CLICKS = {
    "a person": ({"User-Agent": "Mozilla/5.0 Firefox/140.0"}, {"human": 1}),
    "curl": ({"User-Agent": "curl/8.5"}, {"human": 1}),
    "a crawler": ({"User-Agent": BOT}, {"bot": 1}),
    "an image in a page": ({"Sec-Fetch-Dest": "image"}, {"embedded": 1}),
}


@pytest.mark.parametrize("path", ["/acme/summer/c/news1/", "/acme/summer/c/news1"])
@pytest.mark.parametrize(("headers", "counted"), CLICKS.values(), ids=CLICKS)
async def test_clicks(
    redirector: Redirector, path: str, headers: dict[str, str], counted: dict[str, int]
) -> None:
    """GET leads on at once, with or without the last slash, and counts by audience."""
    answer = await redirector.client.get(path, headers=headers)
    assert answer.status_code == 302
    assert answer.headers["location"] == TARGET
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == "0"
    assert redirector.clicks() == counted


LOOKS_AHEAD = {
    "Chromium's prefetch": {"Sec-Purpose": "prefetch"},
    "Chromium's prerendering": {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"},
    "Firefox's": {"X-Moz": "prefetch"},
    "Safari's preview": {"X-Purpose": "preview"},
    "a crawler's": {"User-Agent": BOT, "Purpose": "prefetch"},
}


@pytest.mark.parametrize("headers", LOOKS_AHEAD.values(), ids=LOOKS_AHEAD)
async def test_who_only_looks_ahead_is_not_led_on(
    redirector: Redirector, headers: dict[str, str]
) -> None:
    """503, so that the browser asks again when the person clicks; counted apart."""
    answer = await redirector.client.get("/acme/summer/c/news1/", headers=headers)
    assert (answer.status_code, answer.content) == (503, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    assert redirector.clicks() == {"prefetch": 1}


PASTED = [
    b".",
    b")",
    b"%20",
    b"%E2%80%8B",
    b"//",
    b"\xe2\x80\xa6",
    b"?",
    b"?).",
    b"%3F",
    b"&",
    b"%22%0A",
    b"%0D%0A%0D%0A",
]


@pytest.mark.parametrize("stuck", PASTED)
async def test_what_sticks_to_a_pasted_link_is_no_hindrance(
    redirector: Redirector, stuck: bytes
) -> None:
    """It leads on at once, without a round trip more, and counts."""
    request = b"GET /acme/summer/c/news1%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % stuck
    answer = await redirector.send(request)
    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"location: %b\r\n" % TARGET.encode() in answer
    assert redirector.clicks() == {"human": 1}


@pytest.mark.parametrize(
    "path", ["news1&utm_source=x", "news1/%26utm_source=x", "news1/%3Futm_source=x"]
)
async def test_a_query_without_a_question_mark(redirector: Redirector, path: str) -> None:
    """`&name=value` behind the link is forwarded as a query is."""
    answer = await redirector.client.get(f"/acme/summer/c/{path}")
    assert answer.headers["location"] == "https://shop.example/tickets?a=1&utm_source=x#top"
    assert redirector.clicks() == {"human": 1}


async def test_queries_are_forwarded(redirector: Redirector) -> None:
    """A link's query string is passed on, before the target's fragment."""
    answer = await redirector.client.get("/acme/summer/c/news1/?utm_source=mail&x=%C3%A4")
    assert answer.headers["location"] == (
        "https://shop.example/tickets?a=1&utm_source=mail&x=%C3%A4#top"
    )


async def test_queries_of_other_letters_are_forwarded(redirector: Redirector) -> None:
    """Bytes that old software does not encode arrive encoded at the target."""
    request = b"GET /acme/summer/c/news1/?name=J\xf6rg HTTP/1.1\r\nHost: x\r\n"
    answer = await redirector.send(request + b"Connection: close\r\n\r\n")
    assert b"location: https://shop.example/tickets?a=1&name=J%F6rg#top\r\n" in answer
    assert redirector.clicks() == {"human": 1}


async def test_head_is_not_counted(redirector: Redirector) -> None:
    """HEAD has the headers of GET and counts nothing."""
    answer = await redirector.client.head("/acme/summer/c/news1/")
    assert answer.status_code == 302
    assert answer.headers["location"] == TARGET
    assert redirector.clicks() == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_other_methods(redirector: Redirector, method: str) -> None:
    """Any other method is refused with what is allowed, and counts nothing."""
    answer = await redirector.client.request(method, "/acme/summer/c/news1/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert redirector.clicks() == {}


NO_LINKS = {
    "unknown code": b"/acme/summer/c/news2/",
    "another case": b"/acme/summer/c/NEWS1/",
    "another event": b"/acme/winter/c/news1/",
    "another organizer": b"/zenith/summer/c/news1/",
    "encoded slash": b"/acme/summer/c%2Fnews1/",
    "encoded NUL": b"/acme/summer/c/news1%00/",
    "dots": b"/acme/summer/c/../c/news1/",
    "encoded dots": b"/acme/summer/%2e%2e/c/news1/",
    "percent and no digits": b"/acme/summer/c/%zz/",
    "lone percent": b"/acme/summer/c/%",
    "not UTF-8, encoded": b"/acme/summer/c/%ff%fe/",
    "not UTF-8": b"/acme/summer/c/\xff\xfe/",
    "UTF-8, encoded": b"/acme/summer/c/n%C3%A9ws1/",
    "UTF-8": "/acme/summer/c/n\u00e9ws1/".encode(),
    "over-long": b"/acme/summer/c/" + b"a" * 8_000 + b"/",
    "healthz below": b"/healthz/x",
    "healthz as organizer": b"/healthz/summer/c/news1/",
}


@pytest.mark.parametrize("path", NO_LINKS.values(), ids=NO_LINKS)
async def test_what_is_no_link_is_not_found(redirector: Redirector, path: bytes) -> None:
    """Whatever the path, an answer of 404; nothing is counted."""
    request = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path
    answer = await redirector.send(request)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert redirector.clicks() == {}


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "no version": b"GET /acme/summer/c/news1/\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "NUL in the path": b"GET /acme/\x00/c/news1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length that is none": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "an odd chunk": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_requests_are_no_server_errors(
    redirector: Redirector, request_: bytes
) -> None:
    """What is no request gets a client error or none, and the service goes on."""
    answer = await redirector.send(request_, then_close=True)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert (await redirector.client.get("/acme/summer/c/news1/")).status_code == 302


async def test_an_absolute_target_is_a_request_for_its_path(redirector: Redirector) -> None:
    """A proxy's form of a request, with the host in it, is answered alike (RFC 9112, 3.2.2)."""
    request = b"GET http://x.example/acme/summer/c/news1/?b=2 HTTP/1.1\r\nHost: x\r\n"
    answer = await redirector.send(request + b"Connection: close\r\n\r\n")
    assert b"location: https://shop.example/tickets?a=1&b=2#top\r\n" in answer.lower()


async def test_health(redirector: Redirector) -> None:
    """The health page says what the process knows of Redis and SQL."""

    async def redis_was_asked() -> bool:
        return bool((await redirector.client.get("/healthz")).json()["redis"] == "ok")

    await until(redis_was_asked)
    answer = await redirector.client.get("/healthz")
    assert answer.json() == {
        "status": "ok",
        "reason": None,
        "sql": "ok",
        "redis": "ok",
        "disk": "ok",
        "flusher_seen_seconds_ago": None,
        "durability": "the end of every process, a power cut, and the loss of Redis",
        "journalled_clicks": 0,
        "oldest_click_seconds": None,
        "unjournalled_clicks": 0,
        "unconfirmed_clicks": 0,
    }
    refused = await redirector.client.post("/healthz")
    assert refused.status_code == 405
    for headers in (answer.headers, refused.headers):
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


async def test_redirects_go_on_without_redis(
    settings: Settings, database: Database, own_redis: RedisServer
) -> None:
    """With Redis dead visitors are led on, the health page tells, and every click arrives later."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        campaign = await campaigns.create(connection, event.id, code="news1", description="News")
    app = create_app(settings.model_copy(update={"redis_url": own_redis.url}))
    async with (
        serving(app, Protocol) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        await until(lambda: _healthy(client))
        own_redis.kill()
        for _ in range(20):
            assert (await client.get("/acme/summer/c/news1/")).status_code == 302

        async def degraded() -> bool:
            report = (await client.get("/healthz")).json()
            reason = report["reason"] or ""
            assert reason.startswith("Redis is away (") == (report["status"] == "degraded")
            return (report["status"], report["journalled_clicks"]) == ("degraded", 20)

        await until(degraded)
        own_redis.start()

        async def confirmed() -> bool:
            report = (await client.get("/healthz")).json()
            return in_redis(own_redis) == {(campaign.id, Audience.HUMAN): 20} and (
                report["status"] == "ok"
            )

        await until(confirmed)


async def test_without_sql_links_can_not_be_looked_up(
    settings: Settings, redis: RedisServer
) -> None:
    """A redirector that never saw the database says so, in health and to visitors: 503."""
    app = create_app(settings.model_copy(update={"redis_url": redis.url}))
    async with (
        serving(app, Protocol) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        for path in ("/acme/summer/c/news1/", "/healthz"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
        assert answer.json()["status"] == "down"
        assert answer.json()["reason"].startswith("The database ")
        # From the moment the database is there, it works.
        database = Database.of(settings)
        await database.migrate()
        await until(lambda: _healthy(client))
        assert (await client.get("/acme/summer/c/news1/")).status_code == 404
        await database.close()
