"""The database: its transactions, its locks, and its schema, on real files and real processes."""

import asyncio
import logging
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.disk import room_for
from tests.permissions import permissions_bind
from tests.waiting import until
from tracking import organizers, schema
from tracking.database import Database, Lookup
from tracking.driver import MAX_HANGING, Opener
from tracking.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    SchemaError,
    WaymarkError,
)
from tracking.pools import READERS
from tracking.settings import Settings
from tracking.tables import metadata
from tracking.tables import organizers as organizers_table

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

SLUGS = Lookup(select(organizers_table.c.slug), organizers_table.c.slug)

# Waits for a line, so that all processes begin together, imports done.
MIGRATE = """
import asyncio, sys
from tracking.database import Database
from tracking.organizers import any_organizer
from tracking.settings import Settings

async def migrate():
    database = Database.of(Settings.load())
    await database.migrate()
    async with database.read() as connection:
        await any_organizer(connection)
    await database.close()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(migrate())
"""


def path_of(settings: Settings) -> Path:
    """The file that holds the database."""
    return settings.data_dir / "waymark.db"


async def read(database: Database) -> None:
    """Asks for something that every schema has."""
    async with database.read() as connection:
        await organizers.any_organizer(connection)


def locked(path: Path, how: str = "IMMEDIATE") -> "closing[sqlite3.Connection]":
    """Another program's connection, in the middle of a write."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"BEGIN {how}")
    return closing(connection)


async def count_organizers(connection: AsyncConnection) -> int:
    """How many organizers this transaction sees."""
    result = await connection.exec_driver_sql("SELECT count(*) FROM organizers")
    return int(result.scalar_one())


@pytest.mark.parametrize(("pragma", "value"), PRAGMAS.items(), ids=PRAGMAS)
async def test_every_connection_is_durable_and_strict(
    database: Database, pragma: str, value: object
) -> None:
    """Readers and the writer use the WAL, sync each commit to disk and check foreign keys."""
    async with database.write() as connection:
        assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == value
    async with database.read() as connection:
        assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == value


async def test_a_reference_to_nothing_is_refused(database: Database) -> None:
    """An event of no organizer can't be stored."""
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO events (organizer_id, slug, shop_url) VALUES (1, 'summer', '')"
            )


async def test_a_failed_write_leaves_nothing(database: Database) -> None:
    """An exception rolls the whole transaction back, and the next one works."""

    async def write_and_fail() -> None:
        async with database.write() as connection:
            await organizers.ensure_event(connection, "acme", "summer")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    async with database.read() as connection:
        assert await count_organizers(connection) == 0
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer")


async def test_a_cancelled_write_leaves_nothing(database: Database) -> None:
    """A task that is cancelled in its transaction rolls it back and gives the connection back."""
    inserted = asyncio.Event()

    async def write_and_wait() -> None:
        async with database.write() as connection:
            await organizers.ensure_event(connection, "acme", "summer")
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    await inserted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.write() as connection:
        assert await count_organizers(connection) == 0


async def test_a_read_transaction_sees_one_state(database: Database) -> None:
    """What others commit meanwhile stays out of sight until the next read."""
    async with database.read() as reader:
        before = await count_organizers(reader)
        async with database.write() as writer:
            await organizers.ensure_event(writer, "acme", "summer")
        assert await count_organizers(reader) == before == 0
    async with database.read() as reader:
        assert await count_organizers(reader) == 1


async def test_readers_can_not_write(database: Database) -> None:
    """A write in a read transaction is an error, not a write that skipped the queue."""
    with pytest.raises(DatabaseUnavailableError):
        async with database.read() as connection:
            await connection.exec_driver_sql("DELETE FROM organizers")


async def test_writes_of_one_process_queue(database: Database, settings: Settings) -> None:
    """Many writes at once all succeed, one after the other."""
    patient = Database(settings.sql_url, timeout=60)

    async def write(number: int) -> None:
        async with patient.write() as connection:
            await organizers.ensure_event(connection, f"organizer-{number}", "summer")

    await asyncio.gather(*(write(number) for number in range(20)))
    await patient.close()
    async with database.read() as connection:
        assert await count_organizers(connection) == 20


async def test_a_locked_database_is_busy_for_writers_alone(
    database: Database, settings: Settings
) -> None:
    """While another program writes, a write gives up after the time-out, and reads go on."""
    with locked(path_of(settings)):
        with pytest.raises(DatabaseBusyError):
            async with database.write():
                pass
        async with database.read() as connection:
            assert await count_organizers(connection) == 0
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer")


async def test_a_write_waits_for_a_short_lock(database: Database, settings: Settings) -> None:
    """A lock that is given back within the time-out delays a write and does not fail it."""
    patient = Database(settings.sql_url, timeout=60)

    async def write() -> None:
        async with patient.write() as connection:
            await organizers.ensure_event(connection, "acme", "summer")

    with locked(path_of(settings)):
        task = asyncio.create_task(write())
        with pytest.raises(DatabaseBusyError):  # which takes as long as an impatient time-out
            async with database.write():
                pass
        assert not task.done()
    await task
    await patient.close()


async def test_a_connection_that_is_kept_makes_others_busy(database: Database) -> None:
    """Nobody waits for ever for a connection of the pool."""
    async with database.write():
        with pytest.raises(DatabaseBusyError):
            async with database.write():
                pass


async def test_as_many_reads_at_once_as_there_are_readers(database: Database) -> None:
    """Reads don't wait for each other, up to the size of the pool."""
    together = asyncio.Barrier(READERS)

    async def read() -> None:
        async with database.read():
            await together.wait()

    async with asyncio.timeout(30):
        await asyncio.gather(*(read() for _ in range(READERS)))


async def test_a_lookup_finds_what_is_there(database: Database) -> None:
    """Each row once, whether one value is asked for, or many, or one twice."""
    slugs = [f"organizer-{number}" for number in range(100)]
    async with database.write() as connection:
        for slug in slugs:
            await organizers.ensure_event(connection, slug, "summer")
    for values in (["nobody"], slugs[:1], [*slugs[:2], "nobody"], slugs[:1] * 3, slugs):
        found = [slug for (slug,) in await database.look_up(SLUGS, values)]
        assert sorted(found) == sorted(set(values) - {"nobody"})


def test_a_lookup_has_few_statements() -> None:
    """Whatever number of values is asked for: each statement is prepared but once."""
    lookup = Lookup(select(organizers_table.c.slug), organizers_table.c.slug)
    statements = {lookup.statement(["x"] * number)[0] for number in range(1, 513)}
    assert len(statements) == 10


async def test_a_lookup_keeps_its_connection(settings: Settings, database: Database) -> None:
    """It is opened once, and again after an error: of a database that came back, say."""
    file = path_of(settings)
    opened: list[int] = []
    looking = Database.of(settings)

    async def look_up() -> None:
        await looking.look_up(SLUGS, ["acme"])
        opened.append(id(looking._lookup_connection))

    await look_up()
    await look_up()
    assert opened[0] == opened[1]
    await database.close()
    broken = file.with_suffix(".away")
    with closing(sqlite3.connect(file)) as other:
        other.execute("ALTER TABLE organizers RENAME TO away")
    with pytest.raises(DatabaseUnavailableError):
        await look_up()
    assert looking._lookup_connection is None
    file.rename(broken)
    with pytest.raises(DatabaseUnavailableError):
        await look_up()
    assert not file.exists()
    broken.rename(file)
    with closing(sqlite3.connect(file)) as other:
        other.execute("ALTER TABLE away RENAME TO organizers")
    await look_up()
    await looking.close()


async def test_a_lookup_under_way_does_not_hold_up_the_end(settings: Settings) -> None:
    """Who closes the database does not wait for one that can't go on."""
    database = Database(settings.sql_url, timeout=30)
    with locked(path_of(settings), "EXCLUSIVE"):
        looking = asyncio.create_task(database.look_up(SLUGS, ["acme"]))
        await until(lambda: database._lookup_connection is not None)
        await database.close()
        assert not looking.done()
    with pytest.raises(DatabaseUnavailableError):
        await looking


async def test_migrate_makes_the_directory(settings: Settings, tmp_path: Path) -> None:
    """A data directory that is missing is made, whatever its name."""
    directory = tmp_path / "a b" / "50%25 #1?"
    database = Database.of(settings.model_copy(update={"data_dir": directory}))
    await database.migrate()
    await read(database)
    await database.close()
    assert (directory / "waymark.db").exists()
    assert [path.name for path in directory.iterdir() if not path.name.startswith("waymark")] == []


async def test_migrate_again_changes_nothing(database: Database, settings: Settings) -> None:
    """What is stored survives the next start, and a schema of today is not written to."""
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer")
    await database.close()
    before = path_of(settings).read_bytes()
    again = Database.of(settings)
    with locked(path_of(settings)):
        await again.migrate()
    async with again.read() as connection:
        assert await count_organizers(connection) == 1
    await again.close()
    assert path_of(settings).read_bytes() == before


def test_processes_that_migrate_at_once_all_succeed(tmp_path: Path) -> None:
    """Eight processes that start together on an empty directory all find the schema."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE],
            env={"DATA_DIR": str(tmp_path / "var"), "DATABASE_TIMEOUT": "60"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            _, errors = process.communicate(timeout=90)
            assert (process.returncode, errors) == (0, "")
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def test_the_first_migration_waits_for_the_lock_it_needs(settings: Settings) -> None:
    """The switch to WAL needs the file for itself: it is tried again until the time-out."""
    patient = Database(settings.sql_url, timeout=60)
    impatient = Database(settings.sql_url, timeout=0.5)
    with locked(path_of(settings)):  # which lets others read
        task = asyncio.create_task(patient.migrate())
        with pytest.raises(DatabaseBusyError):
            await impatient.migrate()
        assert not task.done()
    await task
    await read(patient)
    await patient.close()
    await impatient.close()


async def test_a_newer_schema_is_left_alone(database: Database, settings: Settings) -> None:
    """A database that a newer Waymark wrote is refused, and not changed."""
    await database.close()
    with closing(sqlite3.connect(path_of(settings))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = path_of(settings).read_bytes()
    older = Database.of(settings)
    with pytest.raises(SchemaError, match="9999"):
        await older.migrate()
    await older.close()
    assert path_of(settings).read_bytes() == before


async def test_a_directory_that_can_not_be_made_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    """Below a regular file there can be no data directory; the error says which, and whose."""
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "var"
    database = Database.of(settings.model_copy(update={"data_dir": directory}))
    with pytest.raises(WaymarkError) as raised:
        await database.migrate()
    assert str(directory) in str(raised.value)
    assert "DATA_DIR" in str(raised.value)
    await database.close()


async def test_a_file_that_is_no_database_is_reported(settings: Settings) -> None:
    """Whatever else lies where the database should be is an error, and is not overwritten."""
    path_of(settings).write_bytes(b"minutes of the last meeting " * 100)
    before = path_of(settings).read_bytes()
    database = Database.of(settings)
    with pytest.raises(DatabaseUnavailableError):
        await database.migrate()
    await database.close()
    assert path_of(settings).read_bytes() == before


async def test_a_read_makes_no_database(settings: Settings) -> None:
    """It never makes the file that it misses."""
    database = Database.of(settings)
    with pytest.raises(DatabaseUnavailableError):
        await read(database)
    with pytest.raises(DatabaseUnavailableError):
        await database.look_up(SLUGS, ["acme"])
    await database.close()
    assert not path_of(settings).exists()


def test_a_failed_open_leaves_no_thread(settings: Settings) -> None:
    """When the error has arrived, nothing is left that could outlive the event loop."""

    async def ping() -> None:
        database = Database.of(settings)
        with pytest.raises(DatabaseUnavailableError):
            await read(database)
        with pytest.raises(DatabaseUnavailableError):
            await database.look_up(SLUGS, ["acme"])
        assert threading.active_count() == before
        await database.close()

    before = threading.active_count()
    asyncio.run(ping())


async def test_migrate_when_possible_waits_and_says_so_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A start beside a long lock waits for it, with one line in the log, then goes on."""
    caplog.set_level(logging.WARNING, "tracking.database")
    database = Database(settings.sql_url, timeout=0.01)
    with locked(path_of(settings), "EXCLUSIVE"):
        task = asyncio.create_task(database.migrate_when_possible())
        async with asyncio.timeout(30):
            while not caplog.records:  # noqa: ASYNC110 - a log has no event to wait for
                await asyncio.sleep(0.01)
    await task
    await read(database)
    await database.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "waiting for the database" in caplog.text


def _is_readable(item: object, name: str | None, kind: str, *_: object) -> bool:
    """Alembic can't read a descending index back from SQLite: the next test compares it."""
    return not (kind == "index" and str(name).endswith("_desc"))


def _differences(connection: Connection) -> list[object]:
    options = {"include_object": _is_readable}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_a_migration_stands_alone() -> None:
    """It goes on doing what it did, whatever becomes of the code: it has nothing from there."""
    migrations = sorted((schema.MIGRATIONS / "versions").glob("0*.py"))
    imported = {
        (migration.name, line)
        for migration in migrations
        for line in re.findall(r"^\s*(?:from|import) (\S+)", migration.read_text(), re.MULTILINE)
    }
    assert migrations
    assert not [each for each in imported if each[1].split(".")[0] in {"", "tracking"}]


async def test_the_migrations_lead_to_the_tables(database: Database) -> None:
    """What the migrations make is what `tables.py` says."""
    async with database.write() as connection:
        assert await connection.run_sync(_differences) == []


async def test_the_migrations_make_the_same_sql(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """The same line by line: AUTOINCREMENT and WITHOUT ROWID, which Alembic does not compare."""
    engine = create_engine(f"sqlite:///{tmp_path / 'metadata.db'}")
    metadata.create_all(engine)
    engine.dispose()
    query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql <> ''"

    def parts_of(path: Path) -> dict[str, list[str]]:
        """For each table and index its parts, sorted: their order and line breaks mean nothing."""
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(query).fetchall()
        parts = {name: re.split("[,\n]", sql) for name, sql in rows}
        return {
            name: sorted(filter(None, (part.strip("\t )") for part in found)))
            for name, found in parts.items()
        }

    assert parts_of(path_of(settings)) == parts_of(tmp_path / "metadata.db")


def permit(path: Path, mode: int) -> None:
    """Gives the database's files this mode."""
    for file in path.parent.glob(f"{path.name}*"):
        file.chmod(mode)


async def organizer(database: Database, slug: str) -> None:
    """A write, of an organizer with an event."""
    async with database.write() as connection:
        await organizers.ensure_event(connection, slug, "summer")


async def fails(use: Callable[[], Awaitable[object]]) -> None:
    """That SQL can't be used."""
    with pytest.raises(DatabaseUnavailableError):
        await use()


async def works(use: Callable[[], Awaitable[object]]) -> None:
    """That it can be, soon, whatever connections the process has kept."""

    async def does() -> bool:
        try:
            await use()
        except DatabaseUnavailableError:
            return False
        return True

    await until(does)


async def test_a_connection_that_was_opened_read_only_is_not_kept(
    settings: Settings, database: Database
) -> None:
    """Once permissions allow it again a process writes, though all it had open was read-only."""
    path = path_of(settings)
    await organizer(database, "first")  # which leaves the WAL open, as other processes do
    permit(path, 0o444)
    with permissions_bind():
        late = Database.of(settings)
        await read(late)
        await late.look_up(SLUGS, ["first"])
        await fails(lambda: organizer(late, "second"))
        await fails(late.check_writing)
        await read(late)
        permit(path, 0o600)
        async with late.read():  # which began before
            await works(lambda: organizer(late, "second"))
        await works(late.check_writing)
        assert [slug for (slug,) in await late.look_up(SLUGS, ["second"])] == ["second"]
        await late.close()


async def test_a_file_that_was_replaced_is_noticed(settings: Settings, database: Database) -> None:
    """Nothing is written to a file that has no name any more; the new one is used at once."""
    path = path_of(settings)
    await organizer(database, "first")
    await database.look_up(SLUGS, ["first"])
    copy = path.with_suffix(".copy")
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    copy.rename(path)
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink()
    await fails(lambda: organizer(database, "second"))
    await works(lambda: organizer(database, "third"))
    found = await database.look_up(SLUGS, ["first", "second", "third"])
    assert sorted(slug for (slug,) in found) == ["first", "third"]


async def test_a_directory_that_was_away_is_used_again(
    settings: Settings, database: Database
) -> None:
    """No file is made in its place meanwhile, and every connection works when it is back."""
    await organizer(database, "first")
    path = path_of(settings)
    away = path.parent / "away"
    away.mkdir()
    files = list(path.parent.glob(f"{path.name}*"))
    for file in files:
        file.rename(away / file.name)
    uses = [
        lambda: organizer(database, "second"),
        lambda: read(database),
        lambda: database.look_up(SLUGS, ["first"]),
        database.check_writing,
    ]
    for use in uses:
        await fails(use)
    assert not path.exists()
    for file in files:
        (away / file.name).rename(file)
    for use in uses:
        await works(use)


# A query that does not end.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class EndlessLookup(Lookup):
    """What SQL never answers, as on a disk that hangs."""

    def __init__(self) -> None:
        super().__init__(select(organizers_table.c.slug), organizers_table.c.slug)

    def statement(self, values: Sequence[str]) -> tuple[str, Sequence[str]]:
        """A statement that does not end."""
        assert values
        return ENDLESS, ()


async def test_a_lookup_that_hangs_is_given_up(database: Database) -> None:
    """Who waits for it gets an error, those behind it too, and the next has another connection."""
    before = threading.active_count()
    hanging = [asyncio.create_task(database.look_up(EndlessLookup(), ["acme"])) for _ in range(3)]
    async with asyncio.timeout(20):
        await asyncio.wait(hanging)
    assert all(isinstance(task.exception(), DatabaseUnavailableError) for task in hanging)
    assert await database.look_up(SLUGS, ["acme"]) == []
    await until(lambda: threading.active_count() <= before + 1)


async def test_a_transaction_that_hangs_is_given_up(database: Database) -> None:
    """A read and a write, each at its time; the next ones work."""
    for transaction in (database.read, database.write):
        with pytest.raises(DatabaseUnavailableError, match="took longer than"):
            async with transaction(at_most=0.2) as connection:
                await connection.exec_driver_sql(ENDLESS)
    await read(database)
    await organizer(database, "acme")


async def test_threads_that_hang_are_bounded(settings: Settings, database: Database) -> None:
    """Beyond some, nobody waits for another; when they go on all is well."""
    goes_on = threading.Event()
    opener = Opener(path_of(settings))
    connections = [await opener.open(str(path_of(settings))) for _ in range(MAX_HANGING)]

    def hang(_: sqlite3.Connection) -> Any:
        goes_on.wait()

    waiting = [asyncio.create_task(connection.run(hang)) for connection in connections]
    await asyncio.sleep(0)
    for connection in connections:
        connection.abandon()
    with pytest.raises(sqlite3.OperationalError, match="connections hang"):
        await opener.open(str(path_of(settings)))
    goes_on.set()
    await asyncio.wait(waiting)
    await until(lambda: not any(thread.is_alive() for thread in opener._hanging))
    await (await opener.open(str(path_of(settings)))).close()
    await read(database)


async def test_closing_does_not_wait_for_what_hangs(settings: Settings, database: Database) -> None:
    """A transaction that is in somebody's hands, and a connection whose thread does not answer."""
    own = Database.of(settings)
    goes_on = threading.Event()
    connection = await own._opener.open(str(path_of(settings)))
    own._lookup_connection = connection
    waiting = asyncio.create_task(connection.run(lambda _: goes_on.wait()))  # type: ignore[arg-type,return-value]
    await asyncio.sleep(0)
    async with asyncio.timeout(20), own.read():
        await own.close()
    goes_on.set()
    await waiting
    await until(lambda: not connection.thread.is_alive())
    await read(database)


async def test_a_check_of_writing_writes(database: Database, settings: Settings) -> None:
    """It reaches the disk, and says nothing when another is writing."""
    await database.check_writing()
    wal = path_of(settings).with_name("waymark.db-wal")
    before = wal.read_bytes()
    await database.check_writing()
    assert wal.read_bytes() != before
    with locked(path_of(settings)), pytest.raises(DatabaseBusyError):
        await database.check_writing()
    with room_for(0), pytest.raises(DatabaseUnavailableError):
        await database.check_writing()
