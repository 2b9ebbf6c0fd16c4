"""Sessions: a browser in which somebody is signed in."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.access import secret as secrets
from tracking.access.users import USER_COLUMNS, User
from tracking.tables import memberships, sessions, users

LIFETIME = 30 * 24 * 3600.0
"""Seconds for which a session lasts after its last use."""
RENEWED_EVERY = 3600.0
"""Seconds after which its use is written down again."""

_MAX_BROWSER = 255  # characters of a User-Agent


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which somebody is signed in.

    Attributes:
        browser: the beginning of its User-Agent.
        used_at: seconds since the epoch, to about an hour.
        created_at, expires_at: seconds since the epoch.
    """

    id: int
    user: User
    browser: str
    created_at: float
    used_at: float
    expires_at: float

    @property
    def should_renew(self) -> bool:
        """Whether its use is worth writing down."""
        return time.time() - self.used_at > RENEWED_EVERY


_SESSIONS = select(
    sessions.c.id.label("session_id"),
    sessions.c.browser,
    sessions.c.created_at.label("opened_at"),
    sessions.c.used_at,
    sessions.c.expires_at,
    *USER_COLUMNS,
).join_from(sessions, users)


async def open_(connection: AsyncConnection, user_id: int, browser: str) -> str:
    """Begins a session; its secret, for the browser's cookie."""
    secret = secrets.draw()
    now = time.time()
    await connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    await connection.execute(
        insert(sessions).values(
            digest=secrets.digest(secret),
            user_id=user_id,
            browser=browser[:_MAX_BROWSER],
            created_at=now,
            used_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return secret


async def find(connection: AsyncConnection, secret: str) -> Session | None:
    """The session of a cookie, unless it is unknown or over."""
    query = _SESSIONS.where(
        sessions.c.digest == secrets.digest(secret), sessions.c.expires_at > time.time()
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return _session(row) if row else None


async def renew(connection: AsyncConnection, id: int) -> None:
    """Notes that a session is used, so that it lasts as long again."""
    now = time.time()
    values = {"used_at": now, "expires_at": now + LIFETIME}
    await connection.execute(update(sessions).where(sessions.c.id == id).values(values))


async def list_(connection: AsyncConnection, user_id: int) -> Sequence[Session]:
    """A user's sessions, the last used first."""
    query = _SESSIONS.where(sessions.c.user_id == user_id, sessions.c.expires_at > time.time())
    rows = await connection.execute(query.order_by(sessions.c.used_at.desc(), sessions.c.id))
    return [_session(row) for row in rows.mappings()]


async def close(connection: AsyncConnection, user_id: int, id: int) -> bool:
    """Ends a session of a user; False when they have none with this id."""
    statement = delete(sessions).where(sessions.c.id == id, sessions.c.user_id == user_id)
    return (await connection.execute(statement)).rowcount > 0


async def close_all(connection: AsyncConnection, user_id: int, *, but: int | None = None) -> None:
    """Ends all sessions of a user, but for the one with this id."""
    statement = delete(sessions).where(sessions.c.user_id == user_id)
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    await connection.execute(statement)


async def living(connection: AsyncConnection, ids: Collection[int], organizer_id: int) -> set[int]:
    """Those of these sessions that are not over, and whose user has a role for the organizer."""
    query = (
        select(sessions.c.id)
        .join_from(sessions, memberships, memberships.c.user_id == sessions.c.user_id)
        .where(
            sessions.c.id.in_(ids),
            sessions.c.expires_at > time.time(),
            memberships.c.organizer_id == organizer_id,
        )
    )
    return set((await connection.execute(query)).scalars())


def _session(row: RowMapping) -> Session:
    user = User(row["id"], row["email"], row["has_password"], row["created_at"])
    return Session(
        row["session_id"],
        user,
        row["browser"],
        row["opened_at"],
        row["used_at"],
        row["expires_at"],
    )
