"""Pages and lines for who is not led on: over real sockets, with real SQL and a real browser."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Literal
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from playwright.async_api import Route

from redirector.http import pages
from redirector.http.app import create_app
from redirector.http.protocol import Protocol
from tests.browsing import Chromium
from tests.redirector.counting import journalled
from tests.redis_server import RedisServer
from tests.serving import serving
from tests.waiting import until
from tracking import campaigns
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NAME = '<Summer> & "Sons"'


@asynccontextmanager
async def redirector(
    settings: Settings, redis: RedisServer, **changed: object
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a redirector with these settings."""
    update = {"redis_url": redis.url, "commit_timeout": 30, **changed}
    async with (
        serving(create_app(settings.model_copy(update=update)), Protocol) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):

        async def healthy() -> bool:
            return (await client.get("/healthz")).status_code == 200

        await until(healthy)
        yield client


@pytest.fixture
async def events(database: Database) -> None:
    """acme's events: summer without a shop, winter with one; each has a campaign."""
    async with database.write() as connection:
        summer = await ensure_event(connection, "acme", "summer", name=NAME)
        winter = await ensure_event(connection, "acme", "winter", "https://shop.example/winter/")
        await campaigns.create(connection, summer.id, code="news1", description="News")
        await campaigns.create(connection, winter.id, code="news2", description="News")


@pytest.fixture
async def client(
    settings: Settings, redis: RedisServer, events: None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a redirector with its default settings."""
    async with redirector(settings, redis) as client:
        yield client


def check_page(answer: httpx.Response) -> None:
    """An answer that is a whole page, with what keeps others from misusing it."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.text.startswith("<!doctype html>")
    assert "<script" not in answer.text
    assert re.search(r"(?:src|href)=\"(?!data:)", answer.text) is None


ACCEPTS = {
    "Firefox": (FIREFOX, True),
    "HTML alone": ("text/html", True),
    "capitals": ("Text/HTML;level=1", True),
    "HTML last": ("image/png;q=0.9, text/html ; q=0.1", True),
    "nothing": (None, False),
    "anything": ("*/*", False),
    "any text": ("text/*", False),
    "JSON": ("application/json", False),
    "anything but HTML": ("text/html;q=0, */*", False),
    "anything but HTML, at length": ("*/*, text/html; q=0.000", False),
    "another type of that name": ("text/html+xml", False),
}


@pytest.mark.parametrize(("accept", "page"), ACCEPTS.values(), ids=ACCEPTS)
@pytest.mark.parametrize("path", ["/acme/summer/c/nothing/", "/acme/winter/c/news1/", "/nothing"])
async def test_what_does_not_exist(
    client: httpx.AsyncClient, path: str, accept: str | None, *, page: bool
) -> None:
    """404: a page for who names HTML, else a line of text."""
    client.headers.pop("accept")
    answer = await client.get(path, headers={"Accept": accept} if accept is not None else {})
    assert answer.status_code == 404
    if page:
        check_page(answer)
    else:
        assert answer.text == "There is no such link.\n"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/acme/summer/c/nothing/?a=b", "/acme/winter/c/news1"])
async def test_not_found_url(
    settings: Settings, redis: RedisServer, events: None, path: str, method: str
) -> None:
    """With NOT_FOUND_URL who follows a link that does not exist is led there; nothing is counted.

    What is no link at all is 404 all the same.
    """
    target = "https://käse.example/nö?link=unknown"
    async with redirector(settings, redis, not_found_url=target) as client:
        answer = await client.request(method, path, headers={"Accept": FIREFOX})
        assert answer.status_code == 302
        assert answer.headers["location"] == "https://xn--kse-qla.example/n%C3%B6?link=unknown"
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/favicon.ico")).status_code == 404
        assert (await client.post(path)).status_code == 405
    assert journalled(settings.journal_dir) == {}


async def test_a_link_without_a_shop_leads_to_a_page(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    """It names the event and says that the click was counted, to whoever asks."""
    answer = await client.get("/acme/summer/c/news1/?utm_source=x", follow_redirects=True)
    assert answer.url.path == "/acme/summer/"
    assert answer.status_code == 200
    check_page(answer)
    assert f"<h1>{NAME}</h1>" in unescape(answer.text)
    assert "<Summer>" not in answer.text
    assert "you were counted" in answer.text
    assert "No ticket shop is configured" in answer.text
    assert sum(journalled(settings.journal_dir).values()) == 1
    assert (await client.head("/acme/summer/")).status_code == 200
    assert (await client.get("/acme/summer")).status_code == 200


@pytest.mark.parametrize("path", ["/acme/autumn/", "/zenith/summer/", "/acme/winter/", "/a/b/c/"])
async def test_no_page_of_other_events(client: httpx.AsyncClient, path: str) -> None:
    """What there is not, and what has a shop of its own, is 404."""
    for _ in range(2):
        assert (await client.get(path)).status_code == 404
    assert (await client.post("/acme/summer/")).status_code == 404


async def test_no_page_where_there_are_shops(
    settings: Settings, redis: RedisServer, events: None
) -> None:
    """With SHOP_URL set, an event's page is the shop's."""
    shop = "https://shop.example/{organizer}/{event}/"
    async with redirector(settings, redis, shop_url=shop) as client:
        assert (await client.get("/acme/summer/")).status_code == 404


async def test_shops_that_are_links_lead_to_a_page(
    settings: Settings, redis: RedisServer, events: None, database: Database
) -> None:
    """Two events, each other's link for a shop: the visitor comes to a page, and counts once."""
    origin = "https://links.example"
    async with database.write() as connection:
        for event, shop in (("summer", "winter/c/news2"), ("winter", "summer/c/news1")):
            await ensure_event(connection, "acme", event, f"{origin}/acme/{shop}/")
    async with redirector(settings, redis, public_url=origin) as client:
        for event, code in (("summer", "news1"), ("winter", "news2")):
            answer = await client.get(f"/acme/{event}/c/{code}/")
            assert (answer.status_code, answer.headers["location"]) == (302, f"/acme/{event}/")
            page = await client.get(answer.headers["location"])
            assert page.status_code == 200
            check_page(page)
    assert sum(journalled(settings.journal_dir).values()) == 2


async def test_a_name_in_another_language(
    settings: Settings, database: Database, redis: RedisServer
) -> None:
    """An event is called by its name, in whatever language, or else by its slug."""
    async with database.write() as connection:
        await ensure_event(connection, "acme", "fest")
    async with redirector(settings, redis) as client:
        assert "<h1>fest</h1>" in (await client.get("/acme/fest/")).text


async def test_the_root_says_what_this_is(client: httpx.AsyncClient) -> None:
    """200 with a page for GET and HEAD; other methods are refused."""
    answer = await client.get("/")
    assert answer.status_code == 200
    check_page(answer)
    assert (await client.head("/")).status_code == 200
    refused = await client.post("/")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_without_sql_a_page_asks_for_patience(settings: Settings, redis: RedisServer) -> None:
    """503 with Retry-After, as a page or a line, for links and for events."""
    app = create_app(settings.model_copy(update={"redis_url": redis.url}))
    async with (
        serving(app, Protocol) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        for path in ("/acme/summer/c/news1/", "/acme/summer/"):
            answer = await client.get(path, headers={"Accept": FIREFOX})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            check_page(answer)
            line = await client.get(path)
            assert (line.status_code, line.text) == (503, "Links can't be looked up now.\n")


PAGES = {
    "home": pages.home(),
    "not found": pages.not_found(),
    "unavailable": pages.unavailable(),
    "event without a shop": pages.event_without_shop("Sample Conference"),
    "a long name": pages.event_without_shop(
        "Donaudampfschifffahrtsgesellschaftskapitänsversammlung " * 3
    ),
    "a long word": pages.event_without_shop("a" * 300),
}


GROUNDS: dict[Literal["light", "dark"], str] = {
    "light": "rgb(247, 247, 244)",
    "dark": "rgb(17, 22, 20)",
}


async def show(route: Route) -> None:
    """Answers with the page that the path names."""
    html = PAGES[unquote(urlsplit(route.request.url).path).strip("/")]
    await route.fulfill(body=html, headers=pages.HEADERS, content_type="text/html")


async def test_a_browser_shows_them(chromium: Chromium) -> None:
    """In light and dark, without scrolling sideways, with their style under their own policy."""
    problems: list[str] = []
    for width, (scheme, colour) in itertools.product((1300, 360), GROUNDS.items()):
        async with chromium.page(width=width, scheme=scheme) as page:
            page.on("console", lambda message: problems.append(message.text))
            await page.route("http://links.example/**", show)
            for name in PAGES:
                await page.goto(f"http://links.example/{name}")
                needed = await page.evaluate("document.documentElement.scrollWidth")
                if needed > width:
                    problems.append(f"{name} needs {needed} of {width} pixels")
                shown = await page.evaluate("getComputedStyle(document.body).backgroundColor")
                if shown != colour:
                    problems.append(f"{name} is {shown} in {scheme}")
    assert problems == []


@pytest.fixture
async def named(database: Database, events: None) -> None:
    """acme has a name that would break a page."""
    async with database.write() as connection:
        await ensure_event(connection, "acme", "summer", organizer_name='Acme <b>"Nights"</b>')


DEAD: dict[str, tuple[str, bool, bool]] = {
    "of an event": ("/acme/summer/c/gone/", True, True),
    "of an unknown event": ("/acme/gone/c/news1/", True, False),
    "of an unknown organizer": ("/nobody/summer/c/news1/", False, False),
}


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(("path", "has_organizer", "has_event"), DEAD.values(), ids=DEAD)
async def test_a_dead_link_says_whose_it_is(
    settings: Settings, redis: RedisServer, path: str, has_organizer: bool, has_event: bool
) -> None:
    """A person sees the organizer's and the event's name, where there are such; 404 stays 404, and
    tools get a line."""
    async with redirector(settings, redis) as client:
        answer = await client.get(path, headers={"Accept": FIREFOX})
        assert answer.status_code == 404
        check_page(answer)
        assert ("Acme &lt;b&gt;&quot;Nights&quot;&lt;/b&gt;" in answer.text) is has_organizer
        assert ("&lt;Summer&gt;" in answer.text) is has_event
        assert (await client.head(path, headers={"Accept": FIREFOX})).status_code == 404
        line = await client.get(path)
        assert (line.status_code, line.text) == (404, "There is no such link.\n")


@pytest.mark.usefixtures("named")
async def test_an_event_without_a_shop_says_whose_it_is(
    settings: Settings, redis: RedisServer
) -> None:
    """Who was counted there sees the event and its organizer."""
    async with redirector(settings, redis) as client:
        answer = await client.get("/acme/summer/")
    assert answer.status_code == 200
    assert "Acme &lt;b&gt;" in answer.text
    assert "you were counted" in answer.text
