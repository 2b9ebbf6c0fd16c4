"""Two API processes over one database, as an operator may run them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import free_port, started
from tracking import tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

EVENT = "/api/v1/organizers/acme/events/summer/"
_DEADLINE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """Clients of the two; their base URLs are the event `summer`'s."""

    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    file: Path

    async def flood(
        self, number: int, path: str, json: object, headers: dict[str, str] | None = None
    ) -> list[httpx.Response]:
        """The same POST that many times at once, half of them to each process."""
        return await asyncio.gather(
            *(
                self.clients[index % 2].post(path, json=json, headers=headers)
                for index in range(number)
            )
        )


@asynccontextmanager
async def pair_of_processes(directory: Path) -> AsyncIterator[Pair]:
    """Starts both, with an event and a token; kills them at the end."""
    settings = Settings(data_dir=directory)
    database = Database.of(settings)
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        token = await tokens.create(connection, event.organizer_id)
    await database.close()
    ports = free_port(), free_port()
    with ExitStack() as running:
        for port in ports:
            environment = {"DATA_DIR": str(directory), "DATABASE_TIMEOUT": str(_DEADLINE_SECONDS)}
            running.enter_context(started("api", **environment, API_PORT=str(port)))
        async with _client(ports[0], token) as one, _client(ports[1], token) as other:
            for client in one, other:
                await _ready(client)
            yield Pair((one, other), directory / "waymark.db")


def _client(port: int, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}{EVENT}",
        headers={"Authorization": f"Token {token}"},
        timeout=_DEADLINE_SECONDS,
        verify=False,
    )


async def _ready(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            response = await client.get("campaigns/")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            assert response.status_code == 200, response.text
            return
