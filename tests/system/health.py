"""What each worker of a redirector says of itself, though all of them share one port."""

import json
from contextlib import suppress

from tests.system import sessions
from tests.system.browser import BrokenError, Browser, RefusedError, get

# Who accepts a connection is the kernel's choice: with four workers each is missed by all of these
# once in a billion times, if they were fair, which they are not.
_CONNECTIONS = 64


async def unconfirmed_clicks(port: int, workers: list[int]) -> dict[int, int]:
    """`unconfirmed_clicks` of the workers that a handful of connections happened to reach."""
    found: dict[int, int] = {}
    open_ones: list[Browser] = []
    try:
        for _ in range(_CONNECTIONS):
            # They stay open: a worker that has none yet is likelier to be next.
            browser = Browser(port)
            open_ones.append(browser)
            with suppress(BrokenError, RefusedError):
                answer = await browser.ask(get("/healthz"))
                worker = sessions.server_of(browser.local_port, port, workers)
                if worker is not None:
                    found[worker] = json.loads(answer.body)["unconfirmed_clicks"]
            if len(found) == len(workers):
                break
    finally:
        for browser in open_ones:
            browser.close()
    return found


async def answers(port: int) -> bool:
    """Whether a service is well."""
    browser = Browser(port)
    try:
        return (await browser.ask(get("/healthz"))).status == 200
    except (BrokenError, RefusedError):
        return False
    finally:
        browser.close()
