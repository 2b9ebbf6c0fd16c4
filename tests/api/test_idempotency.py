"""Idempotency keys: what is repeated, what is done again, and what a crash leaves."""

import asyncio
import json
import socket
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import create_app
from tests.api.conftest import Shop
from tests.api.pair import EVENT, pair_of_processes
from tests.api.test_authentication import FORBIDDEN
from tests.locking import execute, locked
from tests.processes import free_port, started
from tests.serving import serving
from tests.waiting import until
from tracking import tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

KEY = "X-Idempotency-Key"
CONCURRENT = {"detail": "Concurrent request with idempotency key."}
HOUR = 3600
BODY = {"description": "Poster"}


def sql(file: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """Asks the database from outside."""
    with closing(sqlite3.connect(file)) as other:
        return other.execute(query, values).fetchall()


async def age(file: Path, key: str, seconds: float) -> None:
    """Makes what is known of a key older; negative = as if the clock had stepped back since."""
    statement = "UPDATE idempotency_keys SET changed_at = changed_at - ? WHERE key = ?"
    await execute(file, statement, seconds, key)


def answered(response: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers, but for the date of the sending."""
    headers = {name: value for name, value in response.headers.items() if name != "date"}
    return response.status_code, response.content, headers


@dataclass(frozen=True)
class Operation:
    """A request, its status, and the status that it has when it is done a second time."""

    method: str
    path: str
    status: int
    again: int
    json: object = None


# `{code}` is taken by the campaign `{id}`, which has the order TAKEN; ABC12 is of another one.
OPERATIONS = {
    "a campaign made": Operation("POST", "campaigns/", 201, 201, BODY),
    "a campaign made with a code": Operation(
        "POST", "campaigns/", 201, 400, {**BODY, "code": "own-{code}"}
    ),
    "a campaign replaced": Operation("PUT", "campaigns/{id}/", 200, 200, BODY),
    "a campaign changed": Operation("PATCH", "campaigns/{id}/", 200, 200, {"description": "x"}),
    "a campaign not changed": Operation("PATCH", "campaigns/{id}/", 200, 200, {}),
    "a campaign deleted": Operation("DELETE", "campaigns/{id}/", 204, 403),
    "a category made": Operation("POST", "categories/", 201, 201, {"name": "x"}),
    "an order reported": Operation("POST", "campaigns/{id}/orders/", 201, 200, {"code": "NEW"}),
    "an order taken back": Operation("DELETE", "campaigns/{id}/orders/TAKEN/", 204, 404),
    "400, a wrong field": Operation("POST", "campaigns/", 400, 400, {}),
    "400, a code that is taken": Operation(
        "POST", "campaigns/", 400, 400, {**BODY, "code": "{code}"}
    ),
    "403, no such campaign": Operation("DELETE", "campaigns/0/", 403, 403),
    "403, no such event": Operation("POST", "../none/campaigns/", 403, 403, BODY),
    "404, no such category": Operation("PATCH", "categories/0/", 404, 404, {}),
    "404, no number": Operation("DELETE", "campaigns/x/", 404, 404),
    "405": Operation("PUT", "campaigns/", 405, 405, {}),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_an_answer_is_repeated(shop: Shop, operation: Operation) -> None:
    """Status, body and headers are the first request's, and nothing is done; then a new key."""
    made = await shop.campaign()
    await shop.client.post(f"campaigns/{made['id']}/orders/", json={"code": "TAKEN"})
    path = operation.path.format(**made)
    content = json.dumps(operation.json).replace("{code}", str(made["code"]))

    async def send(key: str) -> httpx.Response:
        headers = {KEY: f"{shop.slug}-{key}", "Content-Type": "application/json"}
        body = content if operation.json is not None else None
        return await shop.client.request(operation.method, path, content=body, headers=headers)

    first = await send("a")
    assert first.status_code == operation.status
    with shop.served.unchanged():
        for _ in range(2):
            assert answered(await send("a")) == answered(first)
    assert (await send("b")).status_code == operation.again


async def test_an_answer_is_repeated_for_whatever_is_asked(shop: Shop) -> None:
    """The key decides: not the method, the path or the body; reading needs no key."""
    headers = {KEY: f"one-{shop.slug}"}
    made = await shop.client.post("campaigns/", json=BODY, headers=headers)
    with shop.served.unchanged():
        for method, path, body in (
            ("POST", "campaigns/", {}),
            ("POST", "categories/", {"name": "x"}),
            ("DELETE", f"campaigns/{made.json()['id']}/", {}),
            ("PATCH", "campaigns/x/", {}),
        ):
            response = await shop.client.request(method, path, json=body, headers=headers)
            assert (response.status_code, response.json()) == (201, made.json())
    listed = await shop.client.get("campaigns/", headers=headers)
    assert listed.json()["results"] == [made.json()]
    assert (await shop.client.options("campaigns/", headers=headers)).status_code == 200


async def test_another_key_or_none_is_another_request(shop: Shop) -> None:
    """Keys are compared to the letter; an empty one is none."""
    own = shop.slug
    keys = [f"a-{own}", f"A-{own}", f"a {own}", f"ä-{own}", own.ljust(255, "k"), own, "", ""]
    sent = [[(KEY.encode(), key.encode())] for key in keys]
    for headers in [*sent, [], []]:
        response = await shop.client.post("campaigns/", json=BODY, headers=headers)
        assert response.status_code == 201
    assert (await shop.client.get("campaigns/")).json()["count"] == 10


async def test_a_key_that_is_too_long_is_400(shop: Shop) -> None:
    """And nothing is done."""
    with shop.served.unchanged():
        response = await shop.client.post("campaigns/", json=BODY, headers={KEY: "k" * 256})
    assert response.status_code == 400
    assert response.json() == {
        "detail": "Ensure that X-Idempotency-Key has no more than 255 characters."
    }


async def test_another_token_s_key_is_another(shop: Shop) -> None:
    """What one client was answered is no other's business."""
    first = await shop.client.post("campaigns/", json=BODY, headers={KEY: f"shared-{shop.slug}"})
    database = shop.served.database()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", shop.slug)
        other = await tokens.create(connection, event.organizer_id)
    await database.close()
    headers = {KEY: f"shared-{shop.slug}", "Authorization": f"Token {other}"}
    second = await shop.client.post("campaigns/", json=BODY, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_a_revoked_token_gets_no_repetition(shop: Shop) -> None:
    """401, as for anything else it asks."""
    database = shop.served.database()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", shop.slug)
        secret = await tokens.create(connection, event.organizer_id)
    headers = {KEY: "mine", "Authorization": f"Token {secret}"}
    assert (await shop.client.post("campaigns/", json=BODY, headers=headers)).status_code == 201
    async with database.write() as connection:
        token = await tokens.find(connection, secret)
        assert token is not None
        await tokens.revoke(connection, token.id)
    await database.close()
    with shop.served.unchanged():
        refused = await shop.client.post("campaigns/", json=BODY, headers=headers)
    assert (refused.status_code, refused.json()) == (401, {"detail": "Invalid token."})


async def test_who_is_unknown_leaves_no_key(shop: Shop) -> None:
    """401s are not kept, nor what nobody was asked for."""
    with shop.served.unchanged():
        for authorization in ("", "Token", "Token x"):
            headers = {KEY: "k", "Authorization": authorization}
            response = await shop.client.post("campaigns/", json=BODY, headers=headers)
            assert response.status_code == 401
        response = await shop.client.post("campaigns", json=BODY, headers={KEY: "k"})
        assert response.status_code == 404


@dataclass(frozen=True)
class Refusal:
    """A request that never comes to its handler, and its status."""

    status: int
    token: str = "full"
    method: str = "POST"
    path: str = "campaigns/"
    accept: str = "*/*"


REFUSALS = {
    "401": Refusal(401, token="revoked"),
    "403, read-only": Refusal(403, token="read_only"),
    "403, read-only and a wrong method": Refusal(403, token="read_only", method="PUT"),
    "403, another event": Refusal(403, token="spring_only"),
    "403, another organizer": Refusal(403, token="stranger"),
    "403, no such event": Refusal(403, path="../none/campaigns/"),
    "404, no such path": Refusal(404, path="none/"),
    "404, no slash": Refusal(404, path="campaigns"),
    "405": Refusal(405, method="DELETE"),
    "405 of an organizer": Refusal(405, path="../../"),
    "406": Refusal(406, accept="text/html"),
    "400, a NUL": Refusal(400, path="campaigns/?x=%00"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_request_writes_nothing(shop: Shop, refusal: Refusal) -> None:
    """However many keys it comes with; it is refused again by itself."""
    token = getattr(shop.organizer, refusal.token)
    with shop.served.unchanged():
        for key in ("a", "b", "b"):
            headers = {
                "Authorization": f"Token {token}",
                "Accept": refusal.accept,
                KEY: f"{shop.slug}-{key}",
            }
            response = await shop.client.request(
                refusal.method, refusal.path, json=BODY, headers=headers
            )
            assert response.status_code == refusal.status


async def test_a_kept_answer_comes_before_405(shop: Shop) -> None:
    """The key decides, also where the method has no handler; while it is kept."""
    key = f"method-{shop.slug}"
    made = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    for path in ("campaigns/", "../", "../../"):
        repeated = await shop.client.put(path, json=BODY, headers={KEY: key})
        assert (repeated.status_code, repeated.json()) == (201, made.json())
    await age(shop.served.file, key, 24 * HOUR)
    assert (await shop.client.put("campaigns/", json=BODY, headers={KEY: key})).status_code == 405


async def test_where_a_token_may_not_ask_no_answer_is_repeated(shop: Shop) -> None:
    """A key does not open what the token keeps closed."""
    mine = {KEY: f"mine-{shop.slug}"}
    assert (await shop.client.post("campaigns/", json=BODY, headers=mine)).status_code == 201
    with shop.served.unchanged():
        url = shop.url_of("zenith", "winter") + "campaigns/"
        foreign = await shop.client.post(url, json=BODY, headers=mine)
    assert (foreign.status_code, foreign.json()) == (403, FORBIDDEN)


async def test_a_conflict_is_not_kept(shop: Shop) -> None:
    """409 says to come again: once the order is free, the same key claims it."""
    first, second = await shop.campaign(), await shop.campaign()
    await shop.client.post(f"campaigns/{first['id']}/orders/", json={"code": "ABC12"})
    path, headers = f"campaigns/{second['id']}/orders/", {KEY: f"free-{shop.slug}"}
    with shop.served.unchanged():
        refused = await shop.client.post(path, json={"code": "ABC12"}, headers=headers)
        assert refused.status_code == 409
    await shop.client.delete(f"campaigns/{first['id']}/orders/ABC12/")
    claimed = await shop.client.post(path, json={"code": "ABC12"}, headers=headers)
    assert claimed.status_code == 201


KEPT = {
    "shortly": (0, True),
    "for almost a day": (24 * HOUR - 60, True),
    "a day": (24 * HOUR, False),
    "before the clock stepped back": (-48 * HOUR, True),
}


@pytest.mark.parametrize(("seconds", "repeated"), KEPT.values(), ids=KEPT)
async def test_an_answer_is_kept_for_a_day(shop: Shop, seconds: int, repeated: bool) -> None:
    """Then the key is as new, and its new answer is kept for a day again."""
    key = f"day-{shop.slug}"
    first = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    await age(shop.served.file, key, seconds)
    second = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    assert second.status_code == 201
    assert (second.json() == first.json()) is repeated
    third = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    assert third.json() == second.json()


class SlowPost:
    """A POST whose body waits: its key is claimed, and nothing is written yet."""

    def __init__(
        self, url: str, token: str, key: str, body: bytes = b'{"description": "Poster"}'
    ) -> None:
        address = urlsplit(url)
        self._body = body
        self._head = (
            f"POST {address.path}campaigns/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n"
            f"{KEY}: {key}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        ).encode()
        self._address = (address.hostname, address.port)

    async def begin(self) -> None:
        """Sends the head, and waits until the server reads the body."""
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(self._head)
        assert await self._reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    async def finish(self) -> tuple[int, dict[str, object], bytes]:
        """Sends the body; the answer's status, JSON and head."""
        self._writer.write(self._body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._reader.read()
        await self.hang_up()
        return int(head.split()[1]), json.loads(body), head

    async def abandon(self) -> None:
        """Goes away in the middle of the body."""
        self._writer.write(self._body[:5])
        await self._writer.drain()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Closes the connection."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def test_a_second_request_while_the_first_runs_is_409(shop: Shop) -> None:
    """With the time to come back at; then it gets the first one's answer."""
    slow = SlowPost(shop.url, shop.organizer.full, f"slow-{shop.slug}")
    headers = {KEY: f"slow-{shop.slug}"}
    await slow.begin()
    with shop.served.unchanged():
        early = await shop.client.post("campaigns/", json=BODY, headers=headers)
    assert (early.status_code, early.json()) == (409, CONCURRENT)
    assert early.headers["Retry-After"] == "5"
    assert early.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    status, made, _ = await slow.finish()
    assert status == 201
    late = await shop.client.post("campaigns/", json=BODY, headers=headers)
    assert (late.status_code, late.json()) == (201, made)
    assert (await shop.client.get("campaigns/")).json()["count"] == 1


@pytest.mark.parametrize("seconds", [60, -60], ids=["too old", "clock stepped back"])
async def test_a_request_that_lost_its_key_writes_nothing(shop: Shop, seconds: int) -> None:
    """After a long while another may take the key over: one object is made, by either."""
    key = f"lost-{shop.slug}"
    slow = SlowPost(shop.url, shop.organizer.full, key)
    await slow.begin()
    await age(shop.served.file, key, seconds)
    taken = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    assert taken.status_code == 201
    with shop.served.unchanged():
        status, detail, head = await slow.finish()
    assert (status, detail) == (409, CONCURRENT)
    assert b"\r\nretry-after: 5\r\n" in head.lower()
    repeated = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    assert repeated.json() == taken.json()
    assert (await shop.client.get("campaigns/")).json()["results"] == [taken.json()]


async def test_a_client_that_went_away_may_come_again(shop: Shop) -> None:
    """Half a body is no request: its key is free, and nothing is kept."""
    key = f"half-{shop.slug}"
    slow = SlowPost(shop.url, shop.organizer.full, key)
    await slow.begin()
    await slow.abandon()
    query = "SELECT status FROM idempotency_keys WHERE key = ?"
    await until(lambda: sql(shop.served.file, query, key) == [])
    again = await shop.client.post("campaigns/", json=BODY, headers={KEY: key})
    assert again.status_code == 201


@pytest.fixture
async def token(database: Database) -> str:
    """For the event `acme/summer` of the test's own database."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        return await tokens.create(connection, event.organizer_id)


@asynccontextmanager
async def served(settings: Settings, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server of the test's own."""
    headers = {"Authorization": f"Token {token}"}
    async with serving(create_app(settings)) as url:
        client = httpx.AsyncClient(
            base_url=url + EVENT,
            headers=headers,
            verify=False,
            timeout=30,
        )
        async with client:
            yield client


async def test_an_answer_survives_a_restart(settings: Settings, token: str) -> None:
    """The next process repeats it."""
    async with served(settings, token) as client:
        made = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        wrong = await client.post("campaigns/", json={}, headers={KEY: "w"})
    assert (made.status_code, wrong.status_code) == (201, 400)
    async with served(settings, token) as client:
        repeated = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        assert answered(repeated) == answered(made)
        repeated = await client.post("campaigns/", json=BODY, headers={KEY: "w"})
        assert answered(repeated) == answered(wrong)
        assert (await client.get("campaigns/")).json()["count"] == 1


async def test_no_write_without_its_answer(settings: Settings, token: str) -> None:
    """When the answer can't be kept, nothing is made; after the 500 the key is free."""
    file = settings.data_dir / "waymark.db"
    await execute(
        file,
        "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_keys "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    async with served(settings, token) as client:
        failed = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        assert failed.status_code == 500
        assert (await client.get("campaigns/")).json()["count"] == 0
        assert sql(file, "SELECT * FROM idempotency_keys") == []
        await execute(file, "DROP TRIGGER refuse")
        again = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        assert again.status_code == 201


async def test_an_unavailable_database_is_not_kept(settings: Settings, token: str) -> None:
    """503 says to come again; without SQL there is no claim, and no answer nobody could repeat."""
    file = settings.data_dir / "waymark.db"
    async with served(settings, token) as client:
        async with locked(file):
            for body in (BODY, {}):
                refused = await client.post("campaigns/", json=body, headers={KEY: "k"})
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert sql(file, "SELECT * FROM idempotency_keys") == []
        again = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        assert again.status_code == 201


@pytest.mark.parametrize("body", [b'{"description": "Poster"}', b"{}"], ids=["right", "wrong"])
async def test_a_database_that_goes_away_meanwhile(
    settings: Settings, token: str, body: bytes
) -> None:
    """Between the claim and the answer: 503, even for a wrong body, and the claim ends by age."""
    file = settings.data_dir / "waymark.db"
    async with served(settings, token) as client:
        slow = SlowPost(str(client.base_url), token, "k", body)
        await slow.begin()
        async with locked(file):
            status, _, head = await slow.finish()
        assert status == 503
        assert b"\r\nretry-after: 5\r\n" in head.lower()
        assert b"\r\nallow: get, post, head, options\r\n" in head.lower()
        assert (await client.post("campaigns/", json=BODY, headers={KEY: "k"})).status_code == 409
        await age(file, "k", 60)
        assert (await client.post("campaigns/", json=BODY, headers={KEY: "k"})).status_code == 201
        assert (await client.get("campaigns/")).json()["count"] == 1


async def test_a_killed_process_blocks_no_key(settings: Settings, token: str) -> None:
    """The key is claimed for a while, then free; what was not answered was not made."""
    port = free_port()
    environment = {"DATA_DIR": str(settings.data_dir), "API_PORT": str(port)}
    url = f"http://127.0.0.1:{port}{EVENT}"
    with started("api", **environment) as process:
        await until(lambda: _listens(port))
        slow = SlowPost(url, token, "k")
        await slow.begin()
        process.kill()
        process.communicate()
        await slow.hang_up()
    async with served(settings, token) as client:
        early = await client.post("campaigns/", json=BODY, headers={KEY: "k"})
        assert (early.status_code, early.json()) == (409, CONCURRENT)
        await age(settings.data_dir / "waymark.db", "k", 60)
        assert (await client.get("campaigns/")).json()["count"] == 0
        assert (await client.post("campaigns/", json=BODY, headers={KEY: "k"})).status_code == 201


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_of_many_at_once_one_is_done(tmp_path: Path) -> None:
    """50 to two processes: one object; each is told of it, or to come again."""
    async with pair_of_processes(tmp_path) as pair:
        responses = await pair.flood(50, "campaigns/", BODY, {KEY: "flood"})
        [made] = (await pair.clients[0].get("campaigns/")).json()["results"]
        outcomes = {response.status_code: response.json() for response in responses}
        assert outcomes in ({201: made}, {201: made, 409: CONCURRENT})
        for client in pair.clients:
            late = await client.post("campaigns/", json=BODY, headers={KEY: "flood"})
            assert (late.status_code, late.json()) == (201, made)
        kept = sql(pair.file, "SELECT status, changed_at FROM idempotency_keys")
        assert [status for status, _ in kept] == [201]
        assert 0 <= time.time() - float(str(kept[0][1])) < HOUR
