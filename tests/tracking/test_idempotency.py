"""Idempotency keys: claimed by one, answered once, and forgotten in the end."""

import asyncio
import time
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from tests.tracking.counting import InjectedError
from tracking import idempotency, tokens
from tracking.database import Database
from tracking.errors import KeyClaimedError
from tracking.idempotency import Answer, Claim
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.tables import idempotency_keys

ANSWER = Answer(201, (("content-type", "application/json"), ("x", "ä")), b'{"a": "\xc3\xa4"}')
OTHER = Answer(204, (), b"")


@pytest.fixture
async def token_id(database: Database, event: Event) -> int:
    """A token that keys belong to."""
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id)
        token = await tokens.find(connection, secret)
    assert token is not None
    return token.id


async def claim(database: Database, token_id: int, key: str = "k") -> Claim:
    """A claim that is granted."""
    async with database.write() as connection:
        found = await idempotency.claim(connection, token_id, key)
    assert isinstance(found, Claim)
    return found


async def test_an_answer_is_found_as_it_was_kept(database: Database, token_id: int) -> None:
    """To the byte; only for its own key."""
    mine = await claim(database, token_id)
    async with database.write() as connection:
        await idempotency.keep(connection, mine, ANSWER)
    async with database.write() as connection:
        assert await idempotency.claim(connection, token_id, "k") == ANSWER
    await claim(database, token_id, "K")


async def test_a_claim_is_one_request_s(database: Database, token_id: int) -> None:
    """Others are refused while it lasts; given back, the next may have it."""
    mine = await claim(database, token_id)
    async with database.write() as connection:
        with pytest.raises(KeyClaimedError):
            await idempotency.claim(connection, token_id, "k")
        await idempotency.release(connection, mine)
    assert (await claim(database, token_id)).id != mine.id


async def test_an_answer_is_kept_once(database: Database, token_id: int) -> None:
    """Nobody replaces it, or takes it back: not its own request, nor one that lost its claim."""
    mine = await claim(database, token_id)
    thief = Claim(token_id, "k", "another")
    async with database.write() as connection:
        with pytest.raises(KeyClaimedError):
            await idempotency.keep(connection, thief, OTHER)
        await idempotency.release(connection, thief)
        await idempotency.keep(connection, mine, ANSWER)
        with pytest.raises(KeyClaimedError):
            await idempotency.keep(connection, mine, OTHER)
        await idempotency.release(connection, mine)
        assert await idempotency.claim(connection, token_id, "k") == ANSWER


async def test_an_answer_goes_with_its_transaction(database: Database, token_id: int) -> None:
    """What is rolled back is not answered, and the claim goes on."""
    mine = await claim(database, token_id)

    async def fail() -> None:
        async with database.write() as connection:
            await idempotency.keep(connection, mine, ANSWER)
            raise InjectedError

    with pytest.raises(InjectedError):
        await fail()
    async with database.write() as connection:
        with pytest.raises(KeyClaimedError):
            await idempotency.claim(connection, token_id, "k")
        await idempotency.keep(connection, mine, ANSWER)


@dataclass(frozen=True)
class Age:
    """How old a claim or an answer is, in seconds, and whether another may claim its key."""

    answered: bool
    seconds: int
    free: bool


AGES = {
    "claimed just now": Age(False, 0, False),
    "claimed 29 s ago": Age(False, 29, False),
    "claimed 31 s ago": Age(False, 31, True),
    "claimed 29 s ahead": Age(False, -29, False),
    "claimed 31 s ahead": Age(False, -31, True),
    "answered just now": Age(True, 0, False),
    "answered almost a day ago": Age(True, 86_399, False),
    "answered a day ago": Age(True, 86_401, True),
    "answered a day ahead": Age(True, -86_401, False),
}


@pytest.mark.parametrize("age", AGES.values(), ids=AGES)
async def test_claims_and_answers_end(
    database: Database, token_id: int, monkeypatch: pytest.MonkeyPatch, age: Age
) -> None:
    """A claim after half a minute by the clock, in either direction; an answer after a day."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - age.seconds)
    mine = await claim(database, token_id)
    if age.answered:
        async with database.write() as connection:
            await idempotency.keep(connection, mine, ANSWER)
    monkeypatch.setattr(time, "time", lambda: now)
    async with database.write() as connection:
        if age.free:
            assert isinstance(await idempotency.claim(connection, token_id, "k"), Claim)
            with pytest.raises(KeyClaimedError):
                await idempotency.keep(connection, mine, ANSWER)
        elif age.answered:
            assert await idempotency.claim(connection, token_id, "k") == ANSWER
        else:
            with pytest.raises(KeyClaimedError):
                await idempotency.claim(connection, token_id, "k")


async def test_old_keys_are_forgotten(database: Database, token_id: int) -> None:
    """Those from before a time, answered or not; others stay."""
    mine = await claim(database, token_id, "answered")
    async with database.write() as connection:
        await idempotency.keep(connection, mine, ANSWER)
    await claim(database, token_id, "claimed")
    query = select(func.count()).select_from(idempotency_keys)
    for before, left in ((time.time() - 3600, 2), (time.time() + 3600, 0)):
        async with database.write() as connection:
            await idempotency.forget(connection, before)
            assert (await connection.execute(query)).scalar_one() == left


async def test_of_many_one_has_the_claim(
    database: Database, settings: Settings, token_id: int
) -> None:
    """Also of several processes' connections."""
    others = [Database(settings.sql_url, timeout=60) for _ in range(4)]

    async def attempt(connections: Database) -> bool:
        try:
            await claim(connections, token_id)
        except KeyClaimedError:
            return False
        return True

    outcomes = await asyncio.gather(*(attempt(other) for other in others for _ in range(4)))
    for other in others:
        await other.close()
    assert sorted(outcomes) == [False] * 15 + [True]
