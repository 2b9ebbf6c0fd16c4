"""Clients of the API: they make campaigns, move links elsewhere, and read counts."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import httpx

from loadtest.api import Campaign, parse_campaign
from tests.system.deployment import Deployment, target
from tests.system.visitors import Visitors

_MOST_CREATED = 10
_PAUSE_SECONDS = 0.2
_RETRY_SECONDS = 0.1
_PROBLEMS_KEPT = 20


class Clients:
    """One client for each API.

    Attributes:
        done: requests that succeeded, by what they were.
        problems: what must not happen.
    """

    def __init__(
        self, deployment: Deployment, visitors: Visitors, campaigns: list[Campaign]
    ) -> None:
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self._deployment = deployment
        self._visitors = visitors
        self._campaigns = list(campaigns)
        self._leaving = asyncio.Event()

    async def work(self) -> None:
        """Returns after `leave`."""
        await asyncio.gather(*(self._work(number) for number in range(len(self._deployment.apis))))

    def leave(self) -> None:
        """Nobody asks any more."""
        self._leaving.set()

    async def _work(self, number: int) -> None:
        access = self._deployment.access(number)
        seen: dict[str, int] = {}
        async with httpx.AsyncClient(
            base_url=access.url, headers=access.headers, trust_env=False, verify=False
        ) as client:
            while not self._leaving.is_set():
                drawn = random.random()
                if drawn < 0.1 and self.done["created"] < _MOST_CREATED:
                    await self._create(client, access.campaigns_path)
                elif drawn < 0.3:
                    await self._edit(client, access.campaigns_path)
                else:
                    await self._read(client, access.campaigns_path, seen)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _create(self, client: httpx.AsyncClient, path: str) -> None:
        code = f"new{uuid4().hex[:8]}"
        body = {"code": code, "description": code, "external_target": target(code)}
        request = client.build_request(
            "POST", path, json=body, headers={"X-Idempotency-Key": uuid4().hex}
        )
        answer = await self._insist(client, request, 201)
        if answer is not None:
            self.done["created"] += 1
            campaign = parse_campaign(answer.content)
            self._campaigns.append(campaign)
            self._visitors.add(campaign)

    async def _edit(self, client: httpx.AsyncClient, path: str) -> None:
        campaign = random.choice(self._campaigns)
        body = {"external_target": target(campaign.code, random.randrange(1000))}
        request = client.build_request("PATCH", f"{path}{campaign.id}/", json=body)
        if await self._insist(client, request, 200) is not None:
            self.done["edited"] += 1

    async def _read(self, client: httpx.AsyncClient, path: str, seen: dict[str, int]) -> None:
        campaign = random.choice(self._campaigns)
        request = client.build_request("GET", f"{path}{campaign.id}/")
        answer = await self._insist(client, request, 200)
        if answer is None:
            return
        self.done["read"] += 1
        counted, code = parse_campaign(answer.content).click_count, campaign.code
        if not seen.get(code, 0) <= counted <= self._visitors.sent[code]:
            self._complain(
                f"{code}: click_count {counted} after {seen.get(code, 0)}, "
                f"with {self._visitors.sent[code]} requests sent"
            )
        seen[code] = counted

    async def _insist(
        self, client: httpx.AsyncClient, request: httpx.Request, status: int
    ) -> httpx.Response | None:
        """Sends it again while the API, or SQL behind it, is away; None when it never came back."""
        while not self._leaving.is_set():
            try:
                answer = await client.send(request)
            except httpx.TransportError:
                self.done["broken"] += 1
            else:
                if answer.status_code == status:
                    return answer
                # 503: SQL is away. 409: who did the same request before may yet be at it.
                if answer.status_code not in {409, 503}:
                    self._complain(f"{request.method} {request.url.path}: {answer.status_code}")
                    return None
                self.done["unavailable"] += 1
            await asyncio.sleep(_RETRY_SECONDS)
        return None

    def _complain(self, problem: str) -> None:
        if len(self.problems) < _PROBLEMS_KEPT:
            self.problems.append(problem)
