"""A browser's speculative requests: the person who clicks lands in the shop and counts, once."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

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

LINK = "/acme/summer/c/news1/"


def rules(action: str, eagerness: str) -> str:
    """Speculation rules for the link."""
    rule = {"source": "list", "urls": [LINK], "eagerness": eagerness}
    return f'<script type="speculationrules">{json.dumps({action: [rule]})}</script>'


HEADS = {
    "nothing": "",
    "prefetch at the press": rules("prefetch", "conservative"),
    "prefetch at once": rules("prefetch", "immediate"),
    "prerender at the press": rules("prerender", "conservative"),
    "prerender at once": rules("prerender", "immediate"),
    "link rel=prefetch": f'<link rel="prefetch" href="{LINK}">',
    "link rel=prefetch as a document": f'<link rel="prefetch" as="document" href="{LINK}">',
}
EMBEDDED = (
    f'<img src="{LINK}"><iframe src="{LINK}"></iframe>'
    f'<script>fetch("{LINK}", {{mode: "no-cors"}}).catch(() => 0)</script>'
)

LEADING = f'<script>location.href = "{LINK}"</script>'
WORKER = """
    self.addEventListener("activate", event => event.waitUntil(clients.claim()))
    self.addEventListener("fetch", event => event.respondWith(fetch(event.request)))
"""
REGISTRATION = """<script>
    navigator.serviceWorker.register("/worker.js")
    navigator.serviceWorker.addEventListener("controllerchange", () => document.title = "Worker")
</script>"""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """A redirector, a page on its host with a link, and a shop where that leads."""

    origin: str
    shop: str
    journals: Path

    def clicks(self) -> dict[str, int]:
        """What was counted, by audience."""
        return {
            audience.value: clicks for (_, audience), clicks in journalled(self.journals).items()
        }


async def newsletter_page(request: Request) -> Response:
    """The page: what its head holds, the query names."""
    others = {"embedded": EMBEDDED, "worker": REGISTRATION, "led on": LEADING}
    head = {**HEADS, **others}[request.query_params["head"]]
    return HTMLResponse(
        f"<!doctype html><title>Newsletter</title>{head}"
        f'<a href="{LINK}" style="display:block;font-size:40px">Tickets</a>',
        headers={"Cache-Control": "no-store"},
    )


async def worker(request: Request) -> Response:
    """A service worker that passes everything on."""
    return Response(WORKER, media_type="text/javascript")


async def shop_page(request: Request) -> Response:
    """The shop, for every path."""
    return HTMLResponse("<!doctype html><title>Shop</title><h1>Tickets</h1>")


@pytest.fixture
async def newsletter(
    settings: Settings, database: Database, redis: RedisServer
) -> AsyncIterator[Newsletter]:
    """Both servers at work, with one campaign that leads to the shop."""
    shop_app = Starlette(routes=[Route("/{path:path}", shop_page)])
    app = create_app(settings.model_copy(update={"redis_url": redis.url, "commit_timeout": 30}))
    app.router.routes.insert(0, Route("/newsletter", newsletter_page))
    app.router.routes.insert(0, Route("/worker.js", worker))
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(serving(shop_app))
        async with database.write() as connection:
            event = await ensure_event(connection, "acme", "summer")
            await campaigns.create(
                connection, event.id, code="news1", description="News", external_target=shop
            )
        origin = await stack.enter_async_context(serving(app, Protocol))
        yield Newsletter(origin, shop, settings.journal_dir)


async def press(page: Page, newsletter: Newsletter, *, speculates: bool) -> None:
    """A mouse press on the link; it is let go when the browser has prefetched it, if it does."""
    box = await page.locator("a").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 20)
    await page.mouse.down()
    if speculates:
        await until(lambda: newsletter.clicks().get("prefetch", 0) > 0)
    await page.mouse.up()


@pytest.mark.parametrize("head", HEADS)
async def test_a_person_s_click_counts_once(
    chromium: Chromium, newsletter: Newsletter, head: str
) -> None:
    """Whatever the browser asks for speculatively: 503 then, and the 302 when the person clicks."""
    speculates = head != "nothing"
    async with chromium.page() as page:
        await page.goto(f"{newsletter.origin}/newsletter?head={head}")
        await press(page, newsletter, speculates=speculates)
        await page.wait_for_url(f"{newsletter.shop}/**")
        assert await page.title() == "Shop"
        clicks = newsletter.clicks()
        assert clicks.pop("human") == 1
        assert clicks.keys() == ({"prefetch"} if speculates else set())


async def test_a_page_that_embeds_the_link_is_counted_apart(
    chromium: Chromium, newsletter: Newsletter
) -> None:
    """Images, frames and fetch() are no clicks; a person who clicks in a frame is a person."""
    async with chromium.page() as page:
        # By its own HTML: what a test evaluates counts as what a person does.
        await page.goto(f"{newsletter.origin}/newsletter?head=embedded")
        await until(lambda: newsletter.clicks() == {"embedded": 3})
        framed = f"{newsletter.origin}/newsletter?head=nothing"
        await page.set_content(f'<iframe src="{framed}" width="600" height="300"></iframe>')
        await page.frame_locator("iframe").locator("a").click()
        await until(lambda: newsletter.clicks() == {"embedded": 3, "human": 1})


async def under_a_worker(page: Page, newsletter: Newsletter) -> None:
    """From here on a service worker passes on what the browser asks the host for."""
    await page.goto(f"{newsletter.origin}/newsletter?head=worker")
    await page.wait_for_function("document.title === 'Worker'")


@pytest.mark.parametrize("head", HEADS)
async def test_a_click_under_a_service_worker(
    chromium: Chromium, newsletter: Newsletter, head: str
) -> None:
    """A navigation that it passes on has the destination of a fetch(), and is a person's."""
    async with chromium.page() as page:
        await under_a_worker(page, newsletter)
        await page.goto(f"{newsletter.origin}/newsletter?head={head}")
        await press(page, newsletter, speculates=head != "nothing")
        await page.wait_for_url(f"{newsletter.shop}/**")
        clicks = newsletter.clicks()
        assert clicks.pop("human") == 1
        assert clicks.keys() == (set() if head == "nothing" else {"prefetch"})


async def test_a_script_under_a_service_worker(chromium: Chromium, newsletter: Newsletter) -> None:
    """Whom a script leads on by `location.href` is a person; images and fetch() are none."""
    async with chromium.page() as page:
        await under_a_worker(page, newsletter)
        await page.goto(f"{newsletter.origin}/newsletter?head=embedded")
        # The frame is asked for as the page itself would be.
        await until(lambda: newsletter.clicks() == {"embedded": 2, "human": 1})
        await page.goto(f"{newsletter.origin}/newsletter?head=led+on")
        await page.wait_for_url(f"{newsletter.shop}/**")
        assert newsletter.clicks() == {"embedded": 2, "human": 2}
