"""`waymark user`: who may sign in to the dashboard."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.access import sign_in_links, users
from tracking.access.users import Role, User
from tracking.cli import command_group, on_database, operator, organizer_id_of, table
from tracking.database import Database
from tracking.errors import UnknownNameError
from tracking.settings import Settings

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")]

group = command_group("People who sign in to the dashboard.")


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(group, name="user")


@group.command("create")
def create_user(
    email: Email,
    *,
    organizer: Annotated[
        str, typer.Option("--organizer", metavar="ORGANIZER", help="Slug of the organizer.")
    ],
    role: Annotated[
        Role,
        typer.Option(
            "--role", help="What they may do: see, edit links, or manage users, tokens and events."
        ),
    ] = Role.ADMIN,
) -> None:
    """Make a user, or give one another role; print an address that signs them in, once."""

    async def work(database: Database) -> str:
        async with database.write(by=operator()) as connection:
            organizer_id = await organizer_id_of(connection, organizer)
            user = await users.create(connection, email)
            await users.set_role(connection, user.id, organizer_id, role)
            return await sign_in_links.create(connection, user.id)

    typer.echo(_address(on_database(work)))


@group.command("link")
def make_link(email: Email) -> None:
    """Print an address that signs a user in: once, within a quarter of an hour."""

    async def work(database: Database) -> str:
        async with database.write(by=operator()) as connection:
            return await sign_in_links.create(connection, (await _user(connection, email)).id)

    typer.echo(_address(on_database(work)))


@group.command("list")
def list_users() -> None:
    """List everybody, with their role for each organizer."""

    async def work(database: Database) -> list[tuple[str, ...]]:
        async with database.read() as connection:
            return [
                (
                    user.email,
                    "password" if user.has_password else "link",
                    ", ".join(f"{each.organizer}: {each.role}" for each in roles) or "-",
                )
                for user, roles in await users.list_all(connection)
            ]

    rows = on_database(work)
    if not rows:
        typer.echo("there are no users")
        return
    for line in table([("user", "signs in by", "roles"), *rows]):
        typer.echo(line)


@group.command("remove")
def remove_user(email: Email) -> None:
    """Delete a user: their sessions end at once."""

    async def work(database: Database) -> None:
        async with database.write(by=operator()) as connection:
            await users.remove(connection, (await _user(connection, email)).id)

    on_database(work)


async def _user(connection: AsyncConnection, email: str) -> User:
    user = await users.find(connection, email)
    if user is None:
        raise UnknownNameError(f"there is no user {email}")
    return user


def _address(secret: str) -> str:
    return f"{Settings.load().dashboard_origin}/sign-in/{secret}"
