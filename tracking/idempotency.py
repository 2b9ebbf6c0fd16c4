"""Idempotency keys: which request has one, and what was answered to it.

A key is claimed in a transaction of its own, before its request is worked on. The answer goes into
the transaction that writes what was asked for: it is committed together with it or not at all. So
whoever asks again is told the answer, or nothing was written. A claim without an answer for a while
is of a process that ended, and another request may take it over. Should its owner live after all,
keeping its answer fails, and with it what it was about to write.
"""

import time
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import ColumnElement, RowMapping, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.database import upsert
from tracking.errors import KeyClaimedError
from tracking.tables import idempotency_keys

# The contract, "Idempotency".
KEPT_SECONDS = 24 * 3600.0
# A request waits for SQL for `DATABASE_TIMEOUT` (five seconds) three times at most.
_CLAIMED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A token's key, and the one request that works on it."""

    token_id: int
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered.

    Attributes:
        headers: name and value of each, in order.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


async def claim(connection: AsyncConnection, token_id: int, key: str) -> Claim | Answer:
    """Claims the token's key for a request, or finds what was answered to the first.

    Raises:
        KeyClaimedError: another request works on it.
    """
    claim = Claim(token_id, key, uuid4().hex)
    now = time.time()
    claimed = {"claim": claim.id, "changed_at": now, "status": None, "headers": None, "body": None}
    statement = upsert(idempotency_keys).values(token_id=token_id, key=key, **claimed)
    if (await connection.execute(statement.on_conflict_do_nothing())).rowcount:
        return claim
    query = select(idempotency_keys).where(*_named(token_id, key))
    row = (await connection.execute(query)).mappings().one()
    if _is_over(row, now):
        await connection.execute(
            update(idempotency_keys).where(*_named(token_id, key)).values(**claimed)
        )
        return claim
    if row["status"] is None:
        raise KeyClaimedError(claim.key)
    return _answer(row)


async def find(connection: AsyncConnection, token_id: int, key: str) -> Answer | None:
    """What was answered to the first request with the token's key; None = nothing, as yet."""
    query = select(idempotency_keys).where(*_named(token_id, key))
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None or row["status"] is None or _is_over(row, time.time()):
        return None
    return _answer(row)


async def keep(connection: AsyncConnection, claim: Claim, answer: Answer) -> None:
    """Keeps the answer to the request that has the claim.

    Raises:
        KeyClaimedError: another request took the claim over. This one must not write anything.
    """
    statement = (
        update(idempotency_keys)
        .where(_held(claim))
        .values(
            changed_at=time.time(),
            status=answer.status,
            headers=[list(header) for header in answer.headers],
            body=answer.body,
        )
    )
    if (await connection.execute(statement)).rowcount == 0:
        raise KeyClaimedError(claim.key)


async def release(connection: AsyncConnection, claim: Claim) -> None:
    """Gives a claim back, unless there is an answer; the next request with the key is a first."""
    await connection.execute(delete(idempotency_keys).where(_held(claim)))


async def forget(connection: AsyncConnection, before: float) -> None:
    """Deletes the keys that were answered, or claimed in vain, before this time.

    Args:
        before: seconds since the epoch.
    """
    await connection.execute(delete(idempotency_keys).where(idempotency_keys.c.changed_at < before))


def _is_over(row: RowMapping, now: float) -> bool:
    """Whether the key is as new again: its answer was kept long enough, or its owner is gone."""
    if row["status"] is not None:
        return bool(now - row["changed_at"] >= KEPT_SECONDS)
    # A clock that stepped back does not make a claim last longer.
    return bool(abs(now - row["changed_at"]) >= _CLAIMED_SECONDS)


def _answer(row: RowMapping) -> Answer:
    headers = tuple((name, value) for name, value in row["headers"])
    return Answer(row["status"], headers, row["body"])


def _named(token_id: int, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return idempotency_keys.c.token_id == token_id, idempotency_keys.c.key == key


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        *_named(claim.token_id, claim.key),
        idempotency_keys.c.claim == claim.id,
        idempotency_keys.c.status.is_(None),
    )
