"""Every screen in a real browser: it fits, can be used by everybody, and does as it says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, expect

from tests.browsing import Chromium
from tests.dashboard.addresses import address, readable
from tests.dashboard.conftest import Dashboard
from tests.tracking.counting import batch_of
from tests.waiting import until
from tracking import clicks
from tracking.clicks import Audience, hour_of

Scheme = Literal["light", "dark"]


@asynccontextmanager
async def signed_in(
    chromium: Chromium,
    dashboard: Dashboard,
    who: str = "admin",
    *,
    width: int = 1300,
    scheme: Scheme = "light",
    scripts: bool = True,
) -> AsyncIterator[Page]:
    """A window of somebody's; what goes wrong in it fails the test."""
    wrong: list[str] = []
    async with chromium.page(width=width, scheme=scheme, scripts=scripts) as page:
        secret = await dashboard.session(who)
        await page.context.add_cookies(
            [{"name": "waymark-session", "value": secret, "url": dashboard.url}]
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: _note(message, wrong))
        yield page
    assert wrong == []


def _note(message: ConsoleMessage, wrong: list[str]) -> None:
    # That a form was refused is what some tests want.
    if message.type == "error" and "the server responded with a status of 4" not in message.text:
        wrong.append(message.text)


async def screens(dashboard: Dashboard) -> list[str]:
    """The address of every screen; files and answers to scripts are none."""
    found = []
    async with dashboard.visitor("admin") as visitor:
        for page in readable():
            where = address(page, dashboard.content)
            response = await visitor.get(where)
            if response.headers.get("content-type", "").startswith("text/html"):
                found.append(where)
    shared = (dashboard.content.share, dashboard.content.campaign_share)
    return [*found, "/acme/empty/", *(f"/shared/{secret}/" for secret in shared)]


@pytest.mark.timeout(240)
async def test_every_screen_fits_and_everybody_can_use_it(
    chromium: Chromium, dashboard: Dashboard
) -> None:
    """At 360 pixels nothing scrolls sideways; axe finds nothing wrong, light or dark; no rule of
    the page's policy is broken; no script fails."""
    axe = Axe()
    wrong = []
    walked = await screens(dashboard)
    assert len(walked) > 15
    looks: list[tuple[int, Scheme]] = [(1300, "light"), (360, "dark")]
    for width, scheme in looks:
        async with signed_in(chromium, dashboard, width=width, scheme=scheme) as page:
            for where in walked:
                await page.goto(dashboard.url + where)
                found = await axe.run(page)
                wrong += [
                    (where, width, each["id"], node["html"])
                    for each in found.response["violations"]
                    for node in each["nodes"]
                ]
                fits = await page.evaluate(
                    "document.documentElement.scrollWidth <= window.innerWidth"
                )
                if not fits:
                    wrong.append((where, width, "sideways", ""))
    assert not wrong, "\n".join(map(str, wrong))


async def test_a_link_is_made_without_scripts(chromium: Chromium, dashboard: Dashboard) -> None:
    """The whole way works where no script runs: wrong input is kept, then a link is there."""
    async with signed_in(chromium, dashboard, "editor", scripts=False) as page:
        await page.goto(f"{dashboard.url}/acme/empty/")
        await page.get_by_label("Where the link leads").fill("tickets.example")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.get_by_role("alert")).to_contain_text("http:// or https://")
        await expect(page.get_by_label("Where the link leads")).to_have_value("tickets.example")
        await page.get_by_label("Where the link leads").fill("https://tickets.example/")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Link to tickets.example")
        await expect(page.get_by_role("status").first).to_contain_text("Your link is ready")


async def test_a_form_says_beside_the_field_what_is_wrong(
    chromium: Chromium, dashboard: Dashboard
) -> None:
    """In the API's words; what was typed stays; UTM parameters are written into the target."""
    async with signed_in(chromium, dashboard, "editor", scripts=False) as page:
        await page.goto(f"{dashboard.url}/acme/fest/campaigns/new/")
        await page.get_by_label("Name").fill("Radio")
        await page.get_by_label("Where it leads").fill("https://x.example/?a=1#part")
        await page.get_by_label("Code").fill("poster")
        await page.get_by_text("Parameters for the shop").click()
        await page.get_by_label("Source").fill("radio spot")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.locator("#code-says")).to_have_text("Another link has this code already.")
        await expect(page.get_by_label("Name")).to_have_value("Radio")
        merged = "https://x.example/?a=1&utm_source=radio+spot#part"
        await expect(page.get_by_label("Where it leads")).to_have_value(merged)
        await page.get_by_label("Code").fill("a b")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.locator("#code-says")).to_contain_text("Only the letters A-Z")
        await page.get_by_label("Code").fill("radio")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Radio")
        await expect(page.locator("main")).to_contain_text(merged)


async def test_a_code_is_checked_while_one_types(chromium: Chromium, dashboard: Dashboard) -> None:
    """Taken or free is said beside the field, and the link is shown."""
    async with signed_in(chromium, dashboard, "editor") as page:
        await page.goto(f"{dashboard.url}/acme/fest/campaigns/new/")
        await page.get_by_label("Code").fill("poster")
        await expect(page.locator("#code-says")).to_have_text("Another link has this code already.")
        await page.get_by_label("Code").fill("radio")
        await expect(page.locator("#code-says")).to_contain_text("The end of the link.")
        await expect(page.locator("[data-preview]")).to_have_text("radio")


async def test_two_who_edit_at_once(chromium: Chromium, dashboard: Dashboard) -> None:
    """Who saves second is told of the first's change, and overwrites it only by saving again."""
    where = f"{dashboard.url}/acme/fest/campaigns/{dashboard.content.campaign}/edit/"
    async with (
        signed_in(chromium, dashboard, "editor") as first,
        signed_in(chromium, dashboard, "admin", scripts=False) as second,
    ):
        await first.goto(where)
        await second.goto(where)
        await first.get_by_label("Name").fill("The first's")
        await first.get_by_role("button", name="Save").click()
        await expect(first.get_by_role("heading", level=1)).to_have_text("The first's")
        await second.get_by_label("Name").fill("The second's")
        await second.get_by_role("button", name="Save").click()
        await expect(second.get_by_role("alert")).to_contain_text("Somebody else changed this link")
        await expect(second.get_by_label("Name")).to_have_value("The second's")
        await second.get_by_role("button", name="Save").click()
        await expect(second.get_by_role("heading", level=1)).to_have_text("The second's")


async def test_numbers_follow_the_clicks(chromium: Chromium, dashboard: Dashboard) -> None:
    """A click is on an open screen soon after it is in SQL, in the card, its row and the chart;
    a campaign's screen and a shared one follow, too; nothing is added twice."""
    database = dashboard.database()
    id = dashboard.content.campaign
    addresses = {
        "event": "/acme/fest/",
        "campaign": f"/acme/fest/campaigns/{id}/",
        "shared": f"/shared/{dashboard.content.share}/",
    }
    for where in addresses.values():
        async with signed_in(chromium, dashboard) as page:
            await page.goto(dashboard.url + where)
            await expect(page.locator(".dot.live")).to_be_visible()
            card = page.locator('[data-card="Clicks"]')
            before = int(await card.inner_text())
            async with database.write() as connection:
                now = hour_of((await _now(page)) / 1000)
                await clicks.apply(connection, [batch_of((id, now, Audience.HUMAN, 2))])
            await expect(card).to_have_text(str(before + 2))
            points = page.locator(".chart.wide .point")
            today = str(12 + (before + 2 - 15))
            await expect(points.last).to_have_attribute("data-clicks", today)
            row = page.locator(f'[data-campaign-clicks="{id}"]')
            if await row.count():
                await expect(row).to_have_text(str(before + 2))
            # The stream begins anew: what it tells is known already.
            await page.evaluate("document.dispatchEvent(new Event('rows-changed'))")
            await expect(page.locator(".dot.live")).to_be_visible()
            await page.wait_for_timeout(1500)
            assert await card.inner_text() == str(before + 2)
    await database.close()


async def _now(page: Page) -> float:
    milliseconds: float = await page.evaluate("Date.now()")
    return milliseconds


async def test_a_screen_ends_with_its_session(chromium: Chromium, dashboard: Dashboard) -> None:
    """Who is signed out elsewhere sees no more numbers."""
    async with signed_in(chromium, dashboard, "viewer") as page:
        await page.goto(f"{dashboard.url}/acme/fest/")
        await expect(page.locator(".dot.live")).to_be_visible()
        async with dashboard.visitor("viewer") as elsewhere:
            await elsewhere.post("/account/sessions/", session="others")
        await expect(page.locator(".dot.live")).to_have_count(0, timeout=20_000)


async def test_the_chart_by_keyboard(chromium: Chromium, dashboard: Dashboard) -> None:
    """Arrow keys walk through the chart, and say what each day had."""
    async with signed_in(chromium, dashboard, "viewer") as page:
        await page.goto(f"{dashboard.url}/acme/fest/?period=7d")
        await page.locator(".plot").focus()
        await page.keyboard.press("End")
        await expect(page.locator(".note")).to_contain_text("12 clicks")
        await page.keyboard.press("Escape")
        await expect(page.locator(".note")).to_be_hidden()
        await page.get_by_text("Show as table").press("Enter")
        await expect(page.locator(".numbers tfoot")).to_contain_text("15")


async def test_the_range_is_in_the_address(chromium: Chromium, dashboard: Dashboard) -> None:
    """Back and forward walk through what was chosen; a search keeps the range."""
    async with signed_in(chromium, dashboard, "viewer") as page:
        await page.goto(f"{dashboard.url}/acme/fest/")
        await page.get_by_role("link", name="7 days").click()
        await expect(page).to_have_url(f"{dashboard.url}/acme/fest/?period=7d")
        await page.get_by_role("link", name="All").click()
        await page.go_back()
        await expect(page.get_by_role("link", name="7 days")).to_have_attribute(
            "aria-current", "true"
        )
        await page.get_by_label("Search links").fill("flyer")
        await expect(page.locator(".links tbody tr")).to_have_count(1)
        await expect(page).to_have_url(f"{dashboard.url}/acme/fest/?period=7d&q=flyer")
        await page.get_by_label("Search links").fill("nothing like it")
        await expect(page.locator("#links-found")).to_contain_text("No link has")


async def test_copying(chromium: Chromium, dashboard: Dashboard) -> None:
    """The button puts the whole link on the clipboard, and says so."""
    async with signed_in(chromium, dashboard, "viewer") as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(f"{dashboard.url}/acme/fest/campaigns/{dashboard.content.campaign}/")
        await page.get_by_role("button", name="Copy").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == "http://127.0.0.1:8000/acme/fest/c/poster/"


async def test_deleting_says_what_is_lost(chromium: Chromium, dashboard: Dashboard) -> None:
    """In numbers, before; and then it is gone."""
    where = f"{dashboard.url}/acme/fest/campaigns/{dashboard.content.campaign}/"
    async with signed_in(chromium, dashboard, "editor", scripts=False) as page:
        await page.goto(f"{where}delete/")
        await expect(page.locator("main")).to_contain_text("15 clicks and 1 order are forgotten")
        await page.get_by_role("button", name="Delete this link").click()
        await expect(page).to_have_url(f"{dashboard.url}/acme/fest/")
        answer = await page.context.request.get(where)
        assert answer.status == 404


async def test_many_links_at_once(chromium: Chromium, dashboard: Dashboard) -> None:
    """Each line's errors stand beside it; then all are made, with a sheet of codes."""
    async with signed_in(chromium, dashboard, "editor", scripts=False) as page:
        await page.goto(f"{dashboard.url}/acme/empty/import/")
        await page.get_by_role("textbox", name="Lines").fill(
            "One;https://x.example/;one\nTwo;ftp://x;poster"
        )
        await page.get_by_role("button", name="Look it over").click()
        await expect(page.locator(".wrong-line")).to_contain_text("Another link has this code")
        await expect(page.locator(".wrong-line")).to_contain_text("Target: Enter a valid URL")
        await page.get_by_role("textbox", name="Lines").fill("One;https://x.example/;one\n=Two")
        await page.get_by_role("button", name="Look it over").click()
        await page.get_by_role("button", name="Make 2 links").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("2 links are made")
        await page.get_by_role("link", name="QR codes to print").click()
        await expect(page.locator(".sheet figure")).to_have_count(2)


async def test_the_first_screen_is_light(chromium: Chromium, dashboard: Dashboard) -> None:
    """Under 60 KB over the wire, page, style and scripts together."""
    sizes: list[int] = []
    async with signed_in(chromium, dashboard, "viewer") as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        await page.goto(f"{dashboard.url}/acme/fest/")
        await until(lambda: len(sizes) >= 7)
    assert sum(sizes) < 60_000
