"""`waymark run`: what keeps it from starting is said before anything is made."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from tests.processes import failure, free_port
from tracking import organizers, sample, tokens
from tracking.access import users
from tracking.database import Database
from tracking.settings import Settings

RUN = ("redirector.commands.cli", "run")


def variables(directory: Path) -> dict[str, str]:
    """Of a start that nothing keeps from being one."""
    settings = ("REDIRECTOR_PORT", "API_PORT", "DASHBOARD_PORT")
    ports = {name: str(free_port()) for name in settings}
    return {"DATA_DIR": str(directory / "data"), **ports}


# What is different, the arguments, the status, and what the one line says.
WRONG = {
    "a Procfile that is not there": ({}, ["--procfile", "x/y"], 1, f"can't read {Path.cwd()}/x/y"),
    "an address of another machine": ({"HOST": "192.0.2.1"}, [], 1, "can't listen on 192.0.2.1"),
    "a host that is none": ({"HOST": "no.such.invalid"}, [], 1, "can't listen on no.such.invalid"),
    "a server that can't be run": (
        {"REDIS_SERVER": "/etc"},
        [],
        2,
        "REDIS_SERVER: /etc can't be run: Permission denied\n",
    ),
    "a database in no directory": (
        {"DATABASE_URL": "sqlite:////nonexistent/x.db"},
        [],
        1,
        "there is no directory /nonexistent for the database (setting DATABASE_URL)\n",
    ),
    "a server that is none": ({"REDIS_SERVER": "/bin/false"}, [], 2, "REDIS_SERVER: /bin/false"),
}


@pytest.mark.parametrize(("changes", "arguments", "status", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    short_dir: Path, changes: dict[str, str], arguments: list[str], status: int, says: str
) -> None:
    """And no database is made, in which a token would be that nobody has seen."""
    ended, log = failure(*RUN, *arguments, **{**variables(short_dir), **changes})
    assert (ended, log.count("\n")) == (status, 1)
    assert log.startswith(f"waymark: {says}")
    assert ("--procfile" in log) == ("--procfile" in arguments)
    assert not [*short_dir.rglob("waymark.db*")]


def test_a_port_in_use_is_one_line(short_dir: Path) -> None:
    """It names the setting."""
    settings = variables(short_dir)
    with socket.create_server(("127.0.0.1", int(settings["API_PORT"]))):
        status, log = failure(*RUN, **settings)
    assert (status, log.count("\n")) == (1, 1)
    assert "Address already in use" in log
    assert "API_PORT" in log
    assert not [*short_dir.rglob("waymark.db*")]


def test_a_directory_has_one(short_dir: Path) -> None:
    """A second one ends at once, whatever its ports."""
    directory = short_dir / "data"
    directory.mkdir()
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, log = failure(*RUN, **variables(short_dir))
    finally:
        os.close(held)
    assert (status, log) == (1, f"waymark: Waymark runs in this DATA_DIR already ({directory})\n")


async def test_the_samples_token_is_made_when_it_is_shown(
    database: Database, settings: Settings
) -> None:
    """Once: at the first greeting, however many starts there were before that came to none."""
    for _ in range(2):
        await sample.ensure(database)
        async with database.read() as connection:
            assert not await tokens.list_(connection, 1)
    first = await sample.introduce(database)
    later = await sample.introduce(database)
    assert first.token is not None
    assert first.token in sample.greeting(settings, first)
    assert later.token is None
    assert "TOKEN is the one that the first start printed" in sample.greeting(settings, later)


async def test_who_has_events_is_given_no_sample(database: Database) -> None:
    """And no token."""
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer")
    await sample.ensure(database)
    made = await sample.introduce(database)
    assert (made.present, made.token) == (False, None)


async def test_who_has_no_users_is_told_how_to_make_one(
    database: Database, settings: Settings
) -> None:
    """As long as nobody can sign in, and there is no sample whose user could."""
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer")
    made = await sample.introduce(database)
    assert "user create EMAIL --organizer ORGANIZER" in sample.greeting(settings, made)
    async with database.write() as connection:
        await users.create(connection, "mara@example.org")
    made = await sample.introduce(database)
    assert "user create" not in sample.greeting(settings, made)


async def test_when_an_address_that_signs_in_is_printed(
    database: Database, settings: Settings
) -> None:
    """At each start while the sample's user is the only one; then for a terminal alone. It stands
    before the lines to paste."""
    await sample.ensure(database)
    first, second = [await sample.introduce(database) for _ in range(2)]
    assert first.sign_in is not None
    assert second.sign_in not in {None, first.sign_in}
    greeting = sample.greeting(settings, first)
    address = f"http://127.0.0.1:8002/sign-in/{first.sign_in}\n"
    assert greeting.index(address) < greeting.index("curl")
    async with database.write() as connection:
        await users.create(connection, "mara@example.org")
    assert (await sample.introduce(database)).sign_in is None
    assert (await sample.introduce(database, to_terminal=True)).sign_in is not None
    async with database.write() as connection:
        user = await users.find(connection, sample.USER)
        assert user is not None
        await users.remove(connection, user.id)
    assert (await sample.introduce(database, to_terminal=True)).sign_in is None


def test_the_lines_to_paste_suit_every_shell(settings: Settings) -> None:
    """Brackets mean something to some; the last line waits for the flush."""
    elsewhere = settings.model_copy(update={"host": "::1", "flush_interval": 4.5})
    made = sample.Sample(present=True, token="t", free_code="poster")
    lines = [line for line in sample.greeting(elsewhere, made).splitlines() if "curl " in line]
    assert len(lines) == 3
    assert all("'http://[::1]:" in line for line in lines)
    assert lines[2].startswith("sleep 6; curl ")
