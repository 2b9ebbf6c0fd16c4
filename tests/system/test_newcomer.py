"""The first minute of somebody who has read nothing, with what `waymark run` starts."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from loadtest.stack import Stack
from tests.browsing import Chromium
from tests.waiting import until

TARGET = "https://tickets.example/spring?from=poster"


def printed_address(stack: Stack) -> list[str]:
    """The address that signs in, as it was printed."""
    found = re.findall(r"^http://\S+/sign-in/\S+$", stack.log.read_text(), re.MULTILINE)
    return [str(each) for each in found]


@pytest.mark.timeout(180)
async def test_from_the_printed_address_to_the_first_click(
    short_dir: Path, chromium: Chromium
) -> None:
    """Two buttons, a link and two fields from the printed address to a link; its click is seen
    without a reload, a bot's apart, and a try of the organizer's not at all."""
    stack = Stack(short_dir)
    with stack.running():
        await until(lambda: len(printed_address(stack)) == 1)
        [address] = printed_address(stack)
        lines = stack.log.read_text().splitlines()
        first_curl = next(number for number, line in enumerate(lines) if line.startswith("curl "))
        assert lines.index(address) < first_curl
        async with chromium.page() as page:
            await page.goto(address)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("link", name="New link").click()
            await page.get_by_label("Name").fill("Poster")
            await page.get_by_label("Where it leads").fill(TARGET)
            await page.get_by_role("button", name="Make the link").click()
            link = await page.locator(".big-link .link").inner_text()
            await expect(page.locator(".dot.live")).to_be_visible()
            async with httpx.AsyncClient(verify=False) as visitor:
                answer = await visitor.get(link)
                assert (answer.status_code, answer.headers["location"]) == (302, TARGET)
                await expect(page.locator('[data-card="Clicks"]')).to_have_text("1")
                bot = {"User-Agent": "Googlebot/2.1"}
                assert (await visitor.get(link, headers=bot)).status_code == 302
                await expect(page.locator('[data-card="Not counted"]')).to_have_text("1")
            await page.get_by_role("link", name="try it").click()
            await page.wait_for_timeout(1500)
            await expect(page.locator('[data-card="Clicks"]')).to_have_text("1")


@pytest.mark.timeout(180)
async def test_an_open_screen_outlives_a_restart(short_dir: Path, chromium: Chromium) -> None:
    """Numbers follow again by themselves when the dashboard is back."""
    stack = Stack(short_dir)
    async with chromium.page() as page:
        with stack.running():
            await until(lambda: len(printed_address(stack)) == 1)
            await page.goto(printed_address(stack)[0])
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator(".dot.live")).to_be_visible()
        await expect(page.locator(".dot.live")).to_have_count(0)
        with stack.running():
            link = f"{stack.redirector}/bigevents/sampleconf/c/newsletter/"
            async with httpx.AsyncClient(verify=False) as visitor:
                assert (await visitor.get(link)).status_code == 302
            clicks = page.locator('[data-card="Clicks"]')
            await expect(clicks).to_have_text("1", timeout=30_000)
