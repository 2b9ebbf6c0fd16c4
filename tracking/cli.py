"""The `waymark` command: what an operator does by hand, as far as SQL goes.

`redirector/commands/cli.py` adds what looks into Redis and journals as well.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import __version__, data_dir, organizers, tokens
from tracking.database import Database
from tracking.errors import UnknownNameError
from tracking.links import check_leads_away
from tracking.process import reported_errors
from tracking.settings import Settings
from tracking.timestamps import format_timestamp, parse_expiry

Result = TypeVar("Result")

NAME = "waymark"
MAX_ID = 2**63 - 1  # SQLite's integers have 64 bits


def command_group(help: str) -> typer.Typer:
    """Commands that belong together."""
    # Help and errors are plain text, so that a log or a pipe can hold them.
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


_HELP = "Tracking links for events: set up, and check, what the services work on."
app = command_group(_HELP)
event_app = command_group("Events, and the organizers they belong to.")
token_app = command_group("Tokens that clients of the API show.")
app.add_typer(event_app, name="event")
app.add_typer(token_app, name="token")


@app.callback(help=_HELP)
def waymark(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """`version` has been dealt with when this is called, and there is nothing else."""


def _printable(value: str) -> str:
    # What is no text can't be stored, and a line break would spoil the table.
    if not value.isprintable():
        raise typer.BadParameter("may hold printable characters only")
    return value


Organizer = Annotated[
    str, typer.Argument(metavar="ORGANIZER", help="Slug of the organizer.", parser=_printable)
]


@event_app.command("create")
def create_event(
    organizer: Organizer,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Slug of the event.")],
    *,
    shop_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help='The event\'s ticket shop, "" for the setting SHOP_URL. Left out: as it was.',
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",  # said here, as this typer takes a metavar of the same letters for it
            metavar="NAME",
            help='The event\'s name, "" for its slug. Left out: as it was.',
            parser=_printable,
        ),
    ] = None,
    organizer_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help='The organizer\'s name, "" for its slug. Left out: as it was.',
            parser=_printable,
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help='Its time zone, an IANA name like Europe/Berlin, "" for UTC. Left out: as it was.',
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(metavar="CODE", help='Three letters, "" for EUR. Left out: as it was.'),
    ] = None,
    date_from: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help='When it starts, a date or a time in its time zone, like 2027-12-27T10:00, "" for '
            "when it was made here. Left out: as it was.",
        ),
    ] = None,
    date_to: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help='When it ends, likewise, "" for unknown. Left out: as it was.'
        ),
    ] = None,
) -> None:
    """Make an event, and its organizer, where they are missing; or change what is given."""

    details = organizers.EventDetails(currency, timezone, date_from, date_to)

    async def work(database: Database) -> organizers.Event:
        if shop_url:
            check_leads_away(shop_url, Settings.load().public_origin)
        async with database.write(by=operator()) as connection:
            return await organizers.ensure_event(
                connection,
                organizer,
                event,
                shop_url,
                name=name,
                organizer_name=organizer_name,
                details=details,
            )

    made = on_database(work, make=True)
    shop = made.shop_url or "the one that SHOP_URL names"
    typer.echo(f"event {made.organizer}/{made.slug}, ticket shop: {shop}")


@token_app.command("create")
def create_token(
    organizer: Organizer,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="EVENT",
            help="Slug of an event it covers; repeat for more. Left out: all, later ones too.",
            parser=_printable,
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not write.")] = False,
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Who it is for; the list shows it.", parser=_printable
        ),
    ] = "",
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="When it ends: a date (that day is the last, UTC), a time, or a duration such as "
            "12h, 90d or 4w. Left out: never.",
        ),
    ] = None,
) -> None:
    """Make a token and print it: it can't be shown again."""

    async def work(database: Database) -> str:
        async with database.write(by=operator()) as connection:
            organizer_id = await organizer_id_of(connection, organizer)
            return await tokens.create(
                connection,
                organizer_id,
                event_ids=[await _event_id(connection, organizer, slug) for slug in event or []],
                read_only=read_only,
                name=name,
                expires_at=None if expires is None else parse_expiry(expires, time.time()),
            )

    typer.echo(on_database(work))


@token_app.command("list")
def list_tokens(organizer: Organizer) -> None:
    """List an organizer's tokens, revoked and expired ones too."""

    async def work(database: Database) -> list[tokens.Token]:
        async with database.read() as connection:
            return await tokens.list_(connection, await organizer_id_of(connection, organizer))

    header = ("id", "name", "events", "access", "created", "last used", "expires", "revoked")
    for line in table([header, *map(_row, on_database(work))]):
        typer.echo(line)


@token_app.command("revoke")
def revoke_token(
    id: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=MAX_ID, help="The id that the list shows.")
    ],
) -> None:
    """End a token at once."""

    async def work(database: Database) -> None:
        async with database.write(by=operator()) as connection:
            if not await tokens.revoke(connection, id):
                raise UnknownNameError(f"there is no token {id}")

    on_database(work)
    typer.echo(f"token {id} is revoked")


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this version."""

    async def work(_: Database) -> None:
        """Every command migrates first."""

    on_database(work, make=True)
    typer.echo("the database's schema is up to date")


def on_database(work: Callable[[Database], Awaitable[Result]], *, make: bool = False) -> Result:
    """Does a command's work on the migrated database; what goes wrong ends the process.

    Exits as `reported_errors` says.

    Args:
        make: whether the database is made when there is none. Else the command is refused: in a
            wrong directory it would find nothing, and all in order.
    """
    with reported_errors(NAME):
        return asyncio.run(_on_database(Settings.load(), work, make=make))


async def _on_database(
    settings: Settings, work: Callable[[Database], Awaitable[Result]], *, make: bool
) -> Result:
    data_dir.refuse_links(settings)
    data_dir.require_directory(settings)
    database = Database.of(settings)
    try:
        if not make:
            await database.require()
        await database.migrate()
        return await work(database)
    finally:
        await database.close()


def operator() -> str:
    """Who writes, for the log of changes."""
    return f"command line of user {os.getuid()}"


async def organizer_id_of(connection: AsyncConnection, slug: str) -> int:
    """The id of the organizer with this slug.

    Raises:
        UnknownNameError: there is none.
    """
    id = await organizers.find_organizer(connection, slug)
    if id is None:
        raise UnknownNameError(f"there is no organizer {slug}")
    return id


async def _event_id(connection: AsyncConnection, organizer: str, slug: str) -> int:
    event = await organizers.find_event(connection, organizer, slug)
    if event is None:
        raise UnknownNameError(f"organizer {organizer} has no event {slug}")
    return event.id


def _row(token: tokens.Token) -> tuple[str, ...]:
    return (
        str(token.id),
        token.name or "-",
        "all" if token.all_events else ", ".join(token.events),
        "read-only" if token.read_only else "read-write",
        _shown(token.created_at),
        _shown(token.last_used_at),
        _shown(token.expires_at),
        "revoked" if token.revoked else "-",
    )


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else format_timestamp(seconds)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line a row, its columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
