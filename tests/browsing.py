"""A real Chromium, as a person has it."""

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from playwright.async_api import Browser, Page, async_playwright

# Debian's, and where others put it.
EXECUTABLE = "/usr/bin/chromium"
# Without a sandbox, since CI runs as root; without what it asks of its maker's servers.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Chromium:
    """A running browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @asynccontextmanager
    async def page(
        self,
        *,
        width: int = 1300,
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> AsyncIterator[Page]:
        """A window of its own, with nothing in its caches."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": 700},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        try:
            yield await context.new_page()
        finally:
            await context.close()


def user_agent() -> str:
    """What it says with a screen. Without one it calls itself HeadlessChrome, which is a crawler.

    It is said from its start: a page that is told another later is not prerendered.
    """
    version = subprocess.run([EXECUTABLE, "--version"], check=True, capture_output=True, text=True)
    [major] = re.findall(r" (\d+)\.", version.stdout)[:1]
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{major}.0.0.0 Safari/537.36"
    )


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Chromium]:
    """Starts one, and ends it."""
    flags = [*_FLAGS, f"--user-agent={user_agent()}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=flags)
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
