"""Tokens in use: noted without getting in the way, and ended at once everywhere."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from api.app import create_app
from tests.locking import execute, locked
from tests.processes import free_port, started
from tests.serving import serving
from tests.waiting import until
from tracking import tokens
from tracking.database import Database
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings
from tracking.token_uses import PRECISION

PATH = "/api/v1/organizers/acme/events/summer/campaigns/"
INVALID = {"detail": "Invalid token."}


@dataclass(frozen=True, slots=True)
class Service:
    """A server over the test's own database, with a token."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    event: Event

    def uses(self) -> list[tuple[int, float]]:
        """What is noted: tokens and times."""
        with closing(sqlite3.connect(self.settings.data_dir / "waymark.db")) as connection:
            return connection.execute("SELECT token_id, used_at FROM token_uses").fetchall()

    async def set_use(self, used_at: float) -> None:
        """Notes another time."""
        file = self.settings.data_dir / "waymark.db"
        await execute(file, "UPDATE token_uses SET used_at = ?", used_at)


@pytest.fixture
async def service(database: Database, settings: Settings) -> AsyncIterator[Service]:
    """A server with the event `acme/summer`."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        token = await tokens.create(connection, event.organizer_id)
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Token {token}"}, timeout=30, verify=False
        ) as client,
    ):
        yield Service(client, database, settings, event)


async def test_a_use_is_noted_once_in_ten_minutes(service: Service) -> None:
    """The first request notes it, those right after don't, one ten minutes later does."""
    assert service.uses() == []
    assert (await service.client.get(PATH)).status_code == 200
    await until(lambda: len(service.uses()) == 1)
    [(token_id, used_at)] = service.uses()
    async with service.database.read() as connection:
        [token] = await tokens.list_(connection, service.event.organizer_id)
    assert (token.id, token.last_used_at) == (token_id, used_at)
    assert token.created_at <= used_at
    await service.set_use(used_at - PRECISION + 60)
    for _ in range(3):
        await service.client.get(PATH)
    assert service.uses() == [(token_id, used_at - PRECISION + 60)]


async def test_an_old_use_is_replaced(database: Database, settings: Settings) -> None:
    """Another process's note counts, until it is older than ten minutes."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        secret = await tokens.create(connection, event.organizer_id)
        [token] = await tokens.list_(connection, event.organizer_id)
        await tokens.note_use(connection, token.id, token.created_at - PRECISION - 1)
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(base_url=url, verify=False) as client,
    ):
        await client.get(PATH, headers={"Authorization": f"Token {secret}"})
    async with database.read() as connection:
        [token] = await tokens.list_(connection, event.organizer_id)
    assert token.last_used_at is not None
    assert token.last_used_at >= token.created_at


async def test_a_locked_database_does_not_delay_reads(service: Service) -> None:
    """While another program writes, a use stays unnoted, and the request does not notice."""
    async with locked(service.settings.data_dir / "waymark.db") as other:
        for _ in range(3):
            async with asyncio.timeout(10):
                assert (await service.client.get(PATH)).status_code == 200
        other.execute("ROLLBACK")
    assert service.uses() == []
    assert (await service.client.post(PATH, json={"description": "x"})).status_code == 201


async def test_an_unknown_token_is_not_noted(service: Service) -> None:
    """Nor one that is revoked; a refusal with a token that is known is a use of it."""
    await service.client.get(PATH, headers={"Authorization": "Token x"})
    assert service.uses() == []
    refused = await service.client.get(PATH.replace("summer", "winter"))
    assert refused.status_code == 403
    await until(lambda: len(service.uses()) == 1)


async def test_an_expired_token_is_as_unknown_as_any(service: Service) -> None:
    """401 from its end on, even for an answer that is kept for an idempotency key."""
    now = time.time()
    async with service.database.write() as connection:
        organizer_id = service.event.organizer_id
        token = await tokens.create(connection, organizer_id, expires_at=now + 3600)
    request = partial(
        service.client.post,
        PATH,
        json={"description": "x"},
        headers={"Authorization": f"Token {token}", "X-Idempotency-Key": "key"},
    )
    assert (await request()).status_code == 201
    await execute(service.settings.data_dir / "waymark.db", "UPDATE tokens SET expires_at = ?", now)
    refused = await request()
    assert (refused.status_code, refused.json()) == (401, INVALID)
    assert refused.headers["WWW-Authenticate"] == "Token"


async def test_a_revoked_token_ends_at_once_in_every_process(
    database: Database, settings: Settings
) -> None:
    """Two servers, one command: the next request to either is a 401."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        secret = await tokens.create(connection, event.organizer_id)
    headers = {"Authorization": f"Token {secret}"}
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        clients = []
        for port in ports:
            stack.enter_context(started("api", DATA_DIR=str(settings.data_dir), API_PORT=str(port)))
            url = f"http://127.0.0.1:{port}"
            client = httpx.AsyncClient(base_url=url, headers=headers, verify=False)
            clients.append(await stack.enter_async_context(client))
        for client in clients:
            await until(partial(_answers, client))
            assert (await client.get(PATH)).status_code == 200
        with started(
            "redirector.commands.cli", "token", "revoke", "1", DATA_DIR=str(settings.data_dir)
        ) as command:
            assert command.communicate(timeout=30)[0] == "token 1 is revoked\n"
        for client in clients:
            response = await client.get(PATH)
            assert (response.status_code, response.json()) == (401, INVALID)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
