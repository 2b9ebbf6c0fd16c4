"""People who sign in to the dashboard, and what they may do for which organizer."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog
from tracking.database import upsert
from tracking.errors import WaymarkError
from tracking.tables import memberships, organizers, users

_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")
_MAX_EMAIL = 254  # characters (RFC 5321, section 4.5.3.1.3, less the brackets)


class InvalidEmailError(WaymarkError):
    """Text that is no e-mail address."""


class LastAdminError(WaymarkError):
    """An organizer would have nobody left who can manage it."""

    def __init__(self) -> None:
        super().__init__("This is the organizer's last admin: make somebody else an admin first.")


class Role(StrEnum):
    """What somebody may do for an organizer; each may do what those before it may.

    Attributes:
        VIEWER: see events and links.
        EDITOR: make, change and delete links.
        ADMIN: manage users, tokens and events.
    """

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Whether who has this role may do what needs that one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in.

    Attributes:
        email: in small letters.
        has_password: whether they can sign in with one; else with a link alone.
        created_at: seconds since the epoch.
    """

    id: int
    email: str
    has_password: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's role for an organizer.

    Attributes:
        organizer: its slug.
        organizer_name: its name; without one, its slug.
    """

    organizer_id: int
    organizer: str
    organizer_name: str
    role: Role


USER_COLUMNS = (
    users.c.id,
    users.c.email,
    users.c.password_hash.is_not(None).label("has_password"),
    users.c.created_at,
)


async def create(connection: AsyncConnection, email: str) -> User:
    """Makes a user, unless there is one with this address; who has it now.

    Raises:
        InvalidEmailError: it is no address.
    """
    found = await find(connection, email)
    if found is not None:
        return found
    if len(email.strip()) > _MAX_EMAIL or not _EMAIL.fullmatch(email.strip()):
        raise InvalidEmailError(f"{email.strip()[:_MAX_EMAIL]!r} is no e-mail address")
    await connection.execute(insert(users).values(email=_folded(email), created_at=time.time()))
    user = await find(connection, email)
    assert user is not None
    changelog.note(connection, f"made user {user.id} {user.email!r}")
    return user


async def find(connection: AsyncConnection, email: str) -> User | None:
    """The user with this address, however it is capitalized, or None."""
    query = select(*USER_COLUMNS).where(users.c.email == _folded(email))
    row = (await connection.execute(query)).mappings().one_or_none()
    return _user(row) if row else None


async def any_(connection: AsyncConnection) -> bool:
    """Whether there is a user at all."""
    return (await connection.execute(select(users.c.id).limit(1))).first() is not None


async def list_all(
    connection: AsyncConnection,
) -> Sequence[tuple[User, tuple[Membership, ...]]]:
    """All users with their organizers, by address."""
    found = (await connection.execute(select(*USER_COLUMNS).order_by(users.c.email))).mappings()
    return [(user, await memberships_of(connection, user.id)) for user in map(_user, found.all())]


async def memberships_of(connection: AsyncConnection, user_id: int) -> tuple[Membership, ...]:
    """A user's organizers, by slug."""
    query = (
        select(organizers.c.id, organizers.c.slug, organizers.c.name, memberships.c.role)
        .join_from(memberships, organizers)
        .where(memberships.c.user_id == user_id)
        .order_by(organizers.c.slug)
    )
    return tuple(
        Membership(id, slug, name or slug, Role(role))
        for id, slug, name, role in (await connection.execute(query)).all()
    )


async def list_(connection: AsyncConnection, organizer_id: int) -> Sequence[tuple[User, Role]]:
    """An organizer's users with their roles, by address."""
    query = (
        select(*USER_COLUMNS, memberships.c.role)
        .join_from(memberships, users)
        .where(memberships.c.organizer_id == organizer_id)
        .order_by(users.c.email)
    )
    rows = (await connection.execute(query)).mappings().all()
    return [(_user(row), Role(row["role"])) for row in rows]


async def set_role(
    connection: AsyncConnection, user_id: int, organizer_id: int, role: Role
) -> None:
    """Gives a user a role for an organizer, in place of the one they may have.

    Raises:
        LastAdminError: they are its last admin, and would be none.
    """
    if role is not Role.ADMIN:
        await _check_other_admins(connection, user_id, organizer_id)
    values = {"role": role.value}
    await connection.execute(
        upsert(memberships)
        .values(user_id=user_id, organizer_id=organizer_id, **values)
        .on_conflict_do_update(
            index_elements=[memberships.c.user_id, memberships.c.organizer_id], set_=values
        )
    )
    changelog.note(connection, f"user {user_id} is {role} of organizer {organizer_id}")


async def end_membership(connection: AsyncConnection, user_id: int, organizer_id: int) -> bool:
    """Takes a user's role for an organizer away; False when they had none.

    Who has no role left is deleted: a password or a session of theirs must not come to life again
    when somebody else gives them one.

    Raises:
        LastAdminError: they are its last admin.
    """
    await _check_other_admins(connection, user_id, organizer_id)
    statement = delete(memberships).where(
        memberships.c.user_id == user_id, memberships.c.organizer_id == organizer_id
    )
    if (await connection.execute(statement)).rowcount == 0:
        return False
    changelog.note(connection, f"user {user_id} has no role of organizer {organizer_id} any more")
    if not await memberships_of(connection, user_id):
        await remove(connection, user_id)
    return True


async def remove(connection: AsyncConnection, user_id: int) -> bool:
    """Deletes a user, their sessions and roles; False when there is none with this id."""
    removed = await connection.execute(delete(users).where(users.c.id == user_id))
    if removed.rowcount == 0:
        return False
    changelog.note(connection, f"deleted user {user_id}")
    return True


async def password_hash(connection: AsyncConnection, user_id: int) -> str | None:
    """The hash of a user's password; None when they have none."""
    query = select(users.c.password_hash).where(users.c.id == user_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def set_password_hash(connection: AsyncConnection, user_id: int, hash: str | None) -> None:
    """Replaces a user's password; None = they sign in with links alone."""
    await connection.execute(update(users).where(users.c.id == user_id).values(password_hash=hash))
    changelog.note(connection, f"user {user_id} has {'a new' if hash else 'no'} password")


async def _check_other_admins(connection: AsyncConnection, user_id: int, organizer_id: int) -> None:
    query = select(memberships.c.user_id).where(
        memberships.c.organizer_id == organizer_id, memberships.c.role == Role.ADMIN
    )
    if (await connection.execute(query)).scalars().all() == [user_id]:
        raise LastAdminError


def _folded(email: str) -> str:
    return email.strip().lower()


def _user(row: RowMapping) -> User:
    return User(row["id"], row["email"], row["has_password"], row["created_at"])
