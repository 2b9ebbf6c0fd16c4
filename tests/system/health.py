"""What each worker of a redirector says of itself, though all of them share one port."""

import asyncio
import json

from tests.system import sessions
from tests.system.browser import Answer, BrokenError, Browser, RefusedError, get

# Who accepts a connection is the kernel's choice. The connections of a round stay open while the
# next is made, as a worker that has few is likelier to be chosen.
_ROUNDS = 4
_CONNECTIONS = 12


async def unconfirmed_clicks(port: int, workers: list[int]) -> dict[int, int]:
    """`unconfirmed_clicks` of those workers that some connections happened to reach."""
    found: dict[int, int] = {}
    browsers: list[Browser] = []
    try:
        for _ in range(_ROUNDS):
            more = [Browser(port) for _ in range(_CONNECTIONS)]
            browsers += more
            answers = await asyncio.gather(*map(_ask, more))
            servers = sessions.accepted(port, workers)
            for browser, answer in zip(more, answers, strict=True):
                worker = servers.get(browser.local_port) if answer is not None else None
                if answer is not None and worker is not None:
                    found[worker] = json.loads(answer.body)["unconfirmed_clicks"]
            if len(found) == len(workers):
                break
    finally:
        for browser in browsers:
            browser.close()
    return found


async def is_well(port: int) -> bool:
    """Whether a service answers, and can do its job."""
    browser = Browser(port)
    answer = await _ask(browser)
    browser.close()
    return answer is not None and answer.status == 200


async def _ask(browser: Browser) -> Answer | None:
    try:
        return await browser.ask(get("/healthz"))
    except (BrokenError, RefusedError):
        return None
