"""Addresses that sign a user in: each once, and for a quarter of an hour."""

import time

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog
from tracking.access import secret as secrets
from tracking.access.users import USER_COLUMNS, User
from tracking.tables import sign_in_links, users

LIFETIME = 15 * 60.0
"""Seconds for which a link can be used."""

# For how long who follows a used or old one is told so, in seconds.
_KEPT = 24 * 3600.0


async def create(connection: AsyncConnection, user_id: int) -> str:
    """Makes a link for a user; its secret can't be read again later."""
    secret = secrets.draw()
    now = time.time()
    await connection.execute(delete(sign_in_links).where(sign_in_links.c.expires_at < now - _KEPT))
    row = {"digest": secrets.digest(secret), "user_id": user_id, "expires_at": now + LIFETIME}
    await connection.execute(insert(sign_in_links).values(row))
    changelog.note(connection, f"made a sign-in link for user {user_id}")
    return secret


async def find(connection: AsyncConnection, secret: str) -> User | None:
    """Whom a link would sign in now; None when it is unknown, used or too old. Uses nothing up."""
    query = (
        select(*USER_COLUMNS)
        .join_from(sign_in_links, users)
        .where(
            sign_in_links.c.digest == secrets.digest(secret),
            sign_in_links.c.used_at.is_(None),
            sign_in_links.c.expires_at > time.time(),
        )
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return User(**row) if row else None


async def use(connection: AsyncConnection, secret: str) -> User | None:
    """Uses a link up; whom it signs in, or None as `find`. Of several at once one gets the user."""
    user = await find(connection, secret)
    if user is not None:
        statement = update(sign_in_links).where(sign_in_links.c.digest == secrets.digest(secret))
        await connection.execute(statement.values(used_at=time.time()))
    return user
