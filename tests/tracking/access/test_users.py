"""Users and their roles."""

import asyncio

import pytest

from tracking.access import sessions, sign_in_links, users
from tracking.access.users import InvalidEmailError, LastAdminError, Role
from tracking.database import Database
from tracking.organizers import ensure_event


def test_each_role_may_do_what_those_before_it_may() -> None:
    """A viewer sees, an editor writes, an admin manages."""
    allowed = {role: [each for each in Role if role.allows(each)] for role in Role}
    assert allowed == {
        Role.VIEWER: [Role.VIEWER],
        Role.EDITOR: [Role.VIEWER, Role.EDITOR],
        Role.ADMIN: [Role.VIEWER, Role.EDITOR, Role.ADMIN],
    }


async def test_an_address_is_one_user_however_it_is_written(database: Database) -> None:
    """Capitals and spaces around it make no other."""
    async with database.write() as connection:
        user = await users.create(connection, " Mara@Example.org ")
        again = await users.create(connection, "mara@example.ORG")
    assert user == again
    assert user.email == "mara@example.org"


WRONG = ["", "mara", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\nc", "x" * 251 + "@y.z", "a\0@b"]


@pytest.mark.parametrize("email", WRONG)
async def test_what_is_no_address(database: Database, email: str) -> None:
    """It is refused, and nobody is made."""
    with pytest.raises(InvalidEmailError):
        async with database.write() as connection:
            await users.create(connection, email)
    async with database.read() as connection:
        assert not await users.any_(connection)


async def test_the_last_admin_stays(database: Database) -> None:
    """They can neither go nor be less; with another one they can."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        one = await users.create(connection, "one@example.org")
        two = await users.create(connection, "two@example.org")
        await users.set_role(connection, one.id, event.organizer_id, Role.ADMIN)
        await users.set_role(connection, two.id, event.organizer_id, Role.EDITOR)
        with pytest.raises(LastAdminError):
            await users.set_role(connection, one.id, event.organizer_id, Role.VIEWER)
        with pytest.raises(LastAdminError):
            await users.end_membership(connection, one.id, event.organizer_id)
        assert await users.end_membership(connection, two.id, event.organizer_id)
        assert not await users.end_membership(connection, two.id, event.organizer_id)
        # Who has no role left is nobody any more.
        assert await users.find(connection, two.email) is None
        two = await users.create(connection, "two@example.org")
        await users.set_role(connection, two.id, event.organizer_id, Role.ADMIN)
        assert await users.end_membership(connection, one.id, event.organizer_id)
        listed = await users.list_(connection, event.organizer_id)
    assert [(user.email, role) for user, role in listed] == [("two@example.org", Role.ADMIN)]


async def test_sessions_end_with_their_time_or_user(database: Database) -> None:
    """A session is found until it is over, closed, or its user is gone."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        user = await users.create(connection, "mara@example.org")
        await users.set_role(connection, user.id, event.organizer_id, Role.VIEWER)
        first, second = [await sessions.open_(connection, user.id, "x" * 999) for _ in range(2)]
        found = await sessions.find(connection, first)
        assert found is not None
        assert (found.user, len(found.browser)) == (user, 255)
        other = await sessions.find(connection, second)
        assert other is not None
        living = await sessions.living(connection, {found.id, other.id}, event.organizer_id)
        assert living == {found.id, other.id}
        assert await sessions.living(connection, {found.id}, event.organizer_id + 1) == set()
        await connection.exec_driver_sql(
            f"UPDATE sessions SET expires_at = 1, used_at = 1 WHERE id = {found.id}"
        )
        assert await sessions.find(connection, first) is None
        assert await sessions.find(connection, "unknown") is None
        await sessions.renew(connection, found.id)
        renewed = await sessions.find(connection, first)
        assert renewed is not None
        assert not renewed.should_renew
        await sessions.close_all(connection, user.id, but=other.id)
        assert await sessions.find(connection, first) is None
        assert [each.id for each in await sessions.list_(connection, user.id)] == [other.id]
        assert not await sessions.close(connection, user.id + 1, other.id)
        assert await users.remove(connection, user.id)
        assert await sessions.find(connection, second) is None


async def test_of_two_who_use_a_link_at_once_one_gets_the_user(database: Database) -> None:
    """Transactions take turns: the second finds it used."""
    async with database.write() as connection:
        user = await users.create(connection, "mara@example.org")
        secret = await sign_in_links.create(connection, user.id)

    async def use() -> bool:
        async with database.write() as connection:
            return await sign_in_links.use(connection, secret) is not None

    assert sorted(await asyncio.gather(use(), use(), use())) == [False, False, True]


async def test_only_digests_are_stored(database: Database) -> None:
    """Who reads the database can sign in as nobody."""
    async with database.write() as connection:
        user = await users.create(connection, "mara@example.org")
        secrets = [
            await sign_in_links.create(connection, user.id),
            await sessions.open_(connection, user.id, "a browser"),
        ]
        stored = ""
        for table in ("sign_in_links", "sessions", "users"):
            stored += str((await connection.exec_driver_sql(f"SELECT * FROM {table}")).all())
    assert not any(secret in stored for secret in secrets)
