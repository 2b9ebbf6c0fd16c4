"""Visitors who click, and what became of each of their requests."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from loadtest.api import Campaign
from loadtest.popularity import Popularity
from loadtest.tally import Clicks, Tally
from tests.system.browser import Answer, BrokenError, Browser, RefusedError, get
from tests.system.deployment import link

# A browser that was refused does not knock a thousand times a second.
_REFUSED_SECONDS = 0.05
_PROBLEMS_KEPT = 20


class Role(Enum):
    """Who visits; only people's GETs are to be found in `click_count`."""

    PERSON = "person"
    BOT = "bot"
    PREFETCH = "prefetch"
    PAGE = "page"
    HEAD = "head"


_HEADERS = {
    Role.PERSON: {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"},
    Role.BOT: {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
    Role.PREFETCH: {"User-Agent": "Mozilla/5.0", "Sec-Purpose": "prefetch"},
    Role.PAGE: {"User-Agent": "Mozilla/5.0", "Sec-Fetch-Dest": "image"},
    Role.HEAD: {"User-Agent": "Mozilla/5.0"},
}
_SHARES = {Role.PERSON: 82, Role.BOT: 5, Role.PREFETCH: 5, Role.PAGE: 3, Role.HEAD: 5}


class Visitors:
    """A crowd at the redirector's door.

    Args:
        port: the redirector's.
        campaigns: what they click, the most popular first; more may be added meanwhile.

    Attributes:
        may_be_unavailable: whether SQL is away now, so that a 503 is within the contract.
        tally: of people and bots. What is neither answered nor broken was never sent.
        sent: people's requests by code, those under way among them.
        others: answers to prefetches, to pages that embed a link and to HEADs, and 503s.
        times: answered requests: when each was sent, in seconds of the monotonic clock, and the
            seconds that it took.
        problems: what must not happen.
    """

    def __init__(self, port: int, campaigns: list[Campaign]) -> None:
        self.may_be_unavailable: Callable[[], bool] = lambda: False
        self.tally = Tally()
        self.sent: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.times: list[tuple[float, float]] = []
        self.problems: list[str] = []
        self._port = port
        self._popularity = Popularity()
        for campaign in campaigns:
            self.add(campaign)
        self._leaving = False
        self._admitted = asyncio.Event()
        self._admitted.set()

    def add(self, campaign: Campaign) -> None:
        """One more link that they click."""
        self._popularity.add(campaign)

    async def click(self, count: int, *, rate: float) -> None:
        """As many of them come; returns after `leave`, when the last has his answer.

        Args:
            rate: clicks a second of all together, if every answer came at once.
        """
        await asyncio.gather(*(self._visit(rate / count) for _ in range(count)))

    def leave(self) -> None:
        """Nobody clicks any more."""
        self._leaving = True
        self._admitted.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody begins a click in the block; those under way go on."""
        self._admitted.clear()
        try:
            yield
        finally:
            self._admitted.set()

    async def ask(self, browser: Browser, code: str, role: Role = Role.PERSON) -> None:
        """One click on one link, entered into the tally."""
        try:
            await browser.connect()
        except RefusedError:
            self.others["refused"] += 1
            await asyncio.sleep(_REFUSED_SECONDS)
            return
        clicks = self._clicks(role)
        if role is Role.PERSON:
            self.sent[code] += 1
        method = "HEAD" if role is Role.HEAD else "GET"
        began = time.monotonic()
        try:
            answer = await browser.ask(get(link(code), _HEADERS[role], method=method))
        except BrokenError:
            clicks.broken[code] += 1
            return
        if self._is_redirect(answer, code, role):
            self.times.append((began, time.monotonic() - began))
            clicks.answered[code] += 1
        elif answer.status == 500:
            # It went wrong before or after the click was counted.
            clicks.broken[code] += 1

    async def _visit(self, rate: float) -> None:
        browser = Browser(self._port)
        roles, shares = list(_SHARES), list(_SHARES.values())
        while not self._leaving:
            await asyncio.sleep(random.expovariate(rate))
            await self._admitted.wait()
            [role] = random.choices(roles, shares)
            await self.ask(browser, self._popularity.pick().code, role)
        browser.close()

    def _clicks(self, role: Role) -> Clicks:
        if role is Role.PERSON:
            return self.tally.people
        if role is Role.BOT:
            return self.tally.bots
        self.others[role.value] += 1
        return Clicks()

    def _is_redirect(self, answer: Answer, code: str, role: Role) -> bool:
        if answer.status == 302 and f"/{code}/" in answer.headers.get("location", ""):
            return True
        if answer.status == 503 and (role is Role.PREFETCH or self.may_be_unavailable()):
            self.others["503"] += 1
        elif len(self.problems) < _PROBLEMS_KEPT:
            self.problems.append(f"{code}: answered {answer.status} {dict(answer.headers)}")
        return False
