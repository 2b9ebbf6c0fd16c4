"""What each worker of a redirector says of itself, though all of them share one port."""

import asyncio
from dataclasses import dataclass

from pydantic import TypeAdapter

from tests.system import sessions
from tests.system.browser import Answer, BrokenError, Browser, RefusedError, get

# Who accepts a connection is the kernel's choice. The connections of a round stay open while the
# next is made, as a worker that has few is likelier to be chosen.
_ROUNDS = 4
_CONNECTIONS = 12


@dataclass(frozen=True, slots=True)
class Report:
    """What `/healthz` answers, as far as tests want to know; the API has no clicks."""

    status: str
    unjournalled_clicks: int = 0
    journalled_clicks: int = 0

    @property
    def waiting_clicks(self) -> int:
        """Those that are not known to be in SQL."""
        return self.unjournalled_clicks + self.journalled_clicks


_parse = TypeAdapter(Report).validate_json


async def reports(port: int, workers: list[int]) -> dict[int, Report]:
    """What those workers say that some connections happened to reach, by process id."""
    found: dict[int, Report] = {}
    browsers: list[Browser] = []
    try:
        for _ in range(_ROUNDS):
            more = [Browser(port) for _ in range(_CONNECTIONS)]
            browsers += more
            said = await asyncio.gather(*map(_ask, more))
            servers = sessions.accepted(port, workers)
            for browser, answer in zip(more, said, strict=True):
                worker = servers.get(browser.local_port) if answer is not None else None
                if answer is not None and worker is not None:
                    found[worker] = _parse(answer.body)
            if len(found) == len(workers):
                break
    finally:
        for browser in browsers:
            browser.close()
    return found


async def answers(port: int) -> bool:
    """Whether a service answers, whatever it says."""
    return await _answer(port) is not None


async def is_well(port: int) -> bool:
    """Whether a service answers, and lacks nothing."""
    answer = await _answer(port)
    return answer is not None and _parse(answer.body).status == "ok"


async def _answer(port: int) -> Answer | None:
    browser = Browser(port)
    answer = await _ask(browser)
    browser.close()
    return answer


async def _ask(browser: Browser) -> Answer | None:
    try:
        return await browser.ask(get("/healthz"))
    except (BrokenError, RefusedError):
        return None
