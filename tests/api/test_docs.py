"""Swagger UI: in a real browser, from this server alone, and nothing else gets in."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.api.conftest import Shop
from tests.browsing import Chromium

PAGE = "/api/v1/docs"
# Notes whatever the policy stops, from the page's first moment.
_WITNESS = """
window.stopped = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.stopped.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


class Addresses(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the addresses of one element."""
        self.found |= {value or "" for name, value in attrs if name in {"src", "href", "action"}}


async def test_the_page_comes_from_here_alone(shop: Shop) -> None:
    """It refers to no other host, its policy forbids it to, and what it refers to is there."""
    async with httpx.AsyncClient(base_url=shop.served.url, verify=False) as nobody:
        page = await nobody.get(PAGE)
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"https?:|//[a-z0-9-]+\.", page.text)
        addresses = Addresses()
        addresses.feed(page.text)
        assert len(addresses.found) == 4
        for address in addresses.found:
            file = await nobody.get(address)
            assert file.status_code == 200, address
        start = await nobody.get(f"{PAGE}/start.js")
        assert start.headers["Content-Type"].startswith("text/javascript")
        assert "/api/v1/openapi.json" in start.text
        assert '"validatorUrl": null' in start.text


@pytest.fixture
async def page(shop: Shop, chromium: Chromium) -> AsyncIterator[Page]:
    """The page in Chromium, with every problem that it met as a failure."""
    problems: list[str] = []
    async with chromium.page() as page:
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                problems.append(request.url)
                if not request.url.startswith((f"{shop.served.url}/", "data:"))
                else None
            ),
        )
        await page.add_init_script(_WITNESS)
        await page.goto(shop.served.url + PAGE)
        yield page
        assert await page.evaluate("window.stopped") == []
        assert problems == []


async def test_it_works_in_a_browser(shop: Shop, page: Page) -> None:
    """It shows all operations in its own style, and tries one with a token; nothing is stopped."""
    await expect(page.locator(".opblock-tag").first).to_be_visible()
    assert await page.locator(".opblock").count() > 15
    background = await page.locator(".opblock-post .opblock-summary-method").first.evaluate(
        "(element) => getComputedStyle(element).backgroundColor"
    )
    assert background == "rgb(73, 204, 144)"  # the style sheet's green
    await page.get_by_role("button", name="Authorize").first.click()
    await page.locator(".auth-container input").fill(f"Token {shop.organizer.full}")
    await page.locator(".auth-container button[type=submit]").click()
    await page.locator(".btn-done").click()
    created = page.locator(".opblock-post", has_text="campaigns/").first
    await created.locator(".opblock-summary-control").click()
    await created.get_by_role("button", name="Try it out").click()
    await created.get_by_placeholder("organizer").fill(shop.organizer.slug)
    await created.get_by_placeholder("event").fill(shop.slug)
    await created.locator("textarea").first.fill('{"description": "From a browser"}')
    await created.get_by_role("button", name="Execute").click()
    await expect(created.locator(".live-responses-table .response-col_status").nth(1)).to_have_text(
        re.compile("201")
    )
    listed = (await shop.client.get("campaigns/")).json()["results"]
    assert [campaign["description"] for campaign in listed] == ["From a browser"]
