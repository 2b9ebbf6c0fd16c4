"""API tokens: made, looked up, listed and revoked. Only their digests are stored."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog
from tracking.database import upsert
from tracking.organizers import Event
from tracking.tables import events, organizers, token_events, token_uses, tokens
from tracking.timestamps import format_timestamp

_BYTES = 32
_NEVER = 1e12  # seconds since the epoch: beyond every date


@dataclass(frozen=True, slots=True)
class Token:
    """What a token allows: one organizer, all or some of its events, reading or writing as well.

    Attributes:
        events: slugs, sorted; meaningless when `all_events` is set.
        created_at: seconds since the epoch.
        expires_at: likewise, from then on it is as unknown as any; None = it has no end.
        last_used_at: likewise, to about ten minutes (`tracking/token_uses.py`); None = never.
    """

    id: int
    organizer_id: int
    organizer: str
    name: str
    all_events: bool
    events: tuple[str, ...]
    read_only: bool
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    revoked: bool

    def covers(self, event: Event) -> bool:
        """Whether the token may see this event."""
        return event.organizer_id == self.organizer_id and (
            self.all_events or event.slug in self.events
        )


_TOKENS = (
    select(
        tokens.c.id,
        tokens.c.organizer_id,
        organizers.c.slug.label("organizer"),
        tokens.c.name,
        tokens.c.all_events,
        tokens.c.read_only,
        tokens.c.created_at,
        tokens.c.expires_at,
        tokens.c.digest,
        token_uses.c.used_at.label("last_used_at"),
        tokens.c.revoked_at.is_not(None).label("revoked"),
        func.group_concat(events.c.slug, "/").label("events"),
    )
    .join_from(tokens, organizers)
    .outerjoin(token_uses, token_uses.c.token_id == tokens.c.id)
    .outerjoin(token_events, token_events.c.token_id == tokens.c.id)
    .outerjoin(events, events.c.id == token_events.c.event_id)
    .group_by(tokens.c.id)
    .order_by(tokens.c.id)
)
# Every request of the API asks this: to put it together anew takes longer than to run it.
_BY_DIGEST = _TOKENS.where(
    tokens.c.digest == bindparam("wanted"),
    tokens.c.revoked_at.is_(None),
    func.coalesce(tokens.c.expires_at, _NEVER) > bindparam("now"),
)


async def create(
    connection: AsyncConnection,
    organizer_id: int,
    *,
    event_ids: Sequence[int] = (),
    read_only: bool = False,
    name: str = "",
    expires_at: float | None = None,
) -> str:
    """Makes a token and returns it, 64 hexadecimal digits: it can't be read again later.

    Args:
        event_ids: the events it covers; none = all of the organizer's, later ones too.
        expires_at: seconds since the epoch; None = it has no end.
    """
    secret = secrets.token_hex(_BYTES)
    statement = (
        insert(tokens)
        .values(
            organizer_id=organizer_id,
            name=name,
            digest=_digest(secret),
            all_events=not event_ids,
            read_only=read_only,
            created_at=time.time(),
            expires_at=expires_at,
        )
        .returning(tokens.c.id)
    )
    token_id = (await connection.execute(statement)).scalar_one()
    if event_ids:
        rows = [{"token_id": token_id, "event_id": event_id} for event_id in set(event_ids)]
        await connection.execute(insert(token_events), rows)
    changelog.note(connection, f"made {await _named(connection, token_id)}")
    return secret


async def find(connection: AsyncConnection, secret: str) -> Token | None:
    """The token, unless it is unknown, revoked or expired.

    It is looked up by its digest: the time that takes may tell a guesser about digests in the
    index, but a digest does not lead back to its 256 random bits. What is found is compared once
    more, in a time that does not depend on where they differ.
    """
    digest = _digest(secret)
    found = await connection.execute(_BY_DIGEST, {"wanted": digest, "now": time.time()})
    for row in found.mappings():
        if hmac.compare_digest(row["digest"], digest):
            return _token(row)
    return None


async def list_(connection: AsyncConnection, organizer_id: int) -> list[Token]:
    """All tokens of an organizer, oldest first, revoked and expired ones too."""
    query = _TOKENS.where(tokens.c.organizer_id == organizer_id)
    return [_token(row) for row in (await connection.execute(query)).mappings()]


async def revoke(connection: AsyncConnection, token_id: int) -> bool:
    """Ends a token at once, in every process; False when there is none with this id."""
    statement = (
        update(tokens)
        .where(tokens.c.id == token_id)
        .values(revoked_at=func.coalesce(tokens.c.revoked_at, time.time()))
    )
    if (await connection.execute(statement)).rowcount == 0:
        return False
    changelog.note(connection, f"revoked {await _named(connection, token_id)}")
    return True


async def _named(connection: AsyncConnection, token_id: int) -> str:
    """A token in the log: which, whose, and for what."""
    query = _TOKENS.where(tokens.c.id == token_id)
    token = _token((await connection.execute(query)).mappings().one())
    covered = "all events" if token.all_events else f"events {', '.join(token.events)}"
    access = "read-only" if token.read_only else "read-write"
    end = "" if token.expires_at is None else f", until {format_timestamp(token.expires_at)}"
    return f"token {token.id} {token.name!r} of {token.organizer}: {covered}, {access}{end}"


async def note_use(connection: AsyncConnection, token_id: int, used_at: float) -> None:
    """Notes that a token was used (seconds since the epoch)."""
    values = {"used_at": used_at}
    await connection.execute(
        upsert(token_uses)
        .values(token_id=token_id, **values)
        .on_conflict_do_update(index_elements=[token_uses.c.token_id], set_=values)
    )


def _token(row: RowMapping) -> Token:
    values = {name: value for name, value in row.items() if name != "digest"}
    # No slug holds a slash.
    slugs = tuple(sorted(row["events"].split("/"))) if row["events"] else ()
    return Token(**{**values, "events": slugs})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
