"""`waymark restore`: what it puts in place, what it keeps, and when it refuses."""

import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from redirector.journal.directory import path_of
from redirector.journal.file import write_abandoned
from redirector.journal.records import Record
from tests.processes import finished, free_port, started
from tests.redirector.place import Place, create_campaign
from tracking import schema
from tracking.database import Database

WRITER = "a" * 32


RUNNING = ["redirector.embedded", "redirector", "redirector.flusher", "api"]


@pytest.mark.parametrize("module", RUNNING)
async def test_nothing_is_restored_while_anything_runs(place: Place, module: str) -> None:
    """Whichever service it is; what ran goes on, and afterwards it works."""
    place.backed_up()
    settings = ("REDIRECTOR_PORT", "API_PORT", "DASHBOARD_PORT")
    ports = {name: str(free_port()) for name in settings}
    with started(module, DATA_DIR=str(place.data), **ports) as process:
        assert process.stderr is not None
        while "starting" not in (line := process.stderr.readline()):
            if "answering" in line or "listening" in line or "flushing" in line:
                break
            assert line, "it ended"
        before = place.file.read_bytes()
        status, said = place.waymark("restore", str(place.backup))
        assert (status, said.count("\n"), "stop" in said) == (1, 1, True), said
        assert place.file.read_bytes() == before
        process.kill()
        process.wait()
    place.restored()


async def test_nothing_is_restored_while_another_program_has_it_open(place: Place) -> None:
    """Such as SQLite's shell, which knows nothing of Waymark's lock."""
    place.backed_up()
    with closing(sqlite3.connect(place.file)) as other:
        other.execute("SELECT count(*) FROM campaigns").fetchall()
        assert place.waymark("restore", str(place.backup)) == (
            1,
            f"waymark: another program has {place.file} open\n",
        )
    place.restored()


def test_nothing_starts_while_a_restore_is_at_work(place: Place) -> None:
    """A service says so in a line, and ends."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tracking.database_lock import DatabaseLock\n"
        "DatabaseLock(Path(sys.argv[1])).take_alone()\n"
        "print('taken', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(place.file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "taken\n"
    line = f"{place.file} is being restored: start again when that is done\n"
    for module, name in (("redirector.flusher", "flusher"), ("redirector.commands.cli", "waymark")):
        arguments = (module, "migrate") if name == "waymark" else (module,)
        with started(*arguments, DATA_DIR=str(place.data)) as process:
            assert finished(process) == f"{name}: {line}"
        assert process.returncode == 1
    holder.communicate()


def test_the_replaced_database_is_kept_whole(place: Place) -> None:
    """With what was in its log alone, as after `kill -9`; the new one has nothing of that."""
    place.backed_up()
    script = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('UPDATE campaigns SET description = 42')\n"
        "connection.commit()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(place.file)], check=False)
    assert Path(f"{place.file}-wal").stat().st_size > 0
    place.restored()
    assert place.sql("SELECT DISTINCT description FROM campaigns ORDER BY 1") == [
        ("first",),
        ("second",),
    ]
    [kept] = place.data.glob("waymark.db.replaced-*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT DISTINCT description FROM campaigns").fetchall() == [
            ("42",)
        ]


async def test_a_broken_database_is_replaced_and_kept(place: Place) -> None:
    """It can't tell which ids it has given: the next one is far away."""
    place.backed_up()
    place.file.write_bytes(b"not a database" * 1000)
    place.file.with_name("waymark.db-wal").write_bytes(b"nor a log")
    said = place.restored()
    assert "what could not be read" in said
    kept = min(place.data.glob("waymark.db.replaced-*"))
    assert kept.read_bytes() == b"not a database" * 1000
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"nor a log"
    assert place.counts() == {"first": 0, "second": 0}
    assert await create_campaign(place, "new") > 1_000_000


async def test_a_missing_database_is_restored(place: Place) -> None:
    """As on a new machine, where not even the directory is."""
    place.backed_up()
    shutil.rmtree(place.data)
    assert "kept" not in place.restored().replace(str(place.backup), "")
    assert place.counts() == {"first": 0, "second": 0}
    assert stat.S_IMODE(place.data.stat().st_mode) == 0o700
    assert place.sql("PRAGMA journal_mode") == [("wal",)]


async def test_ids_of_clicks_that_wait_are_not_given_again(place: Place) -> None:
    """Even where the database is gone that gave them."""
    place.backed_up()
    shutil.rmtree(place.data)
    waiting = Record(1, 1, {"7000000:500000:human": 1})
    write_abandoned(path_of(place.data / "journal", WRITER), WRITER, [waiting])
    place.restored()
    assert await create_campaign(place, "new") == 7_000_001


async def test_what_was_given_and_revoked_since_is_not_forgotten(place: Place) -> None:
    """No table gives an id again; a token that was revoked after the backup stays so."""
    place.backed_up()
    for statement in (
        "INSERT INTO categories VALUES (70, 1, '{}', NULL, NULL, 0, 0)",
        "DELETE FROM categories",
        "UPDATE tokens SET revoked_at = 5",
    ):
        place.sql(statement)
    assert "1 tokens that were revoked since stay revoked\n" in place.restored()
    assert place.sql("SELECT seq FROM sqlite_sequence WHERE name = 'categories'") == [(70,)]
    assert place.sql("SELECT revoked_at FROM tokens") == [(5.0,)]


async def test_what_was_taken_away_since_stays_taken_away(place: Place) -> None:
    """Sessions, sign-in links, roles, passwords and shared addresses: who was shut out after the
    backup is not let in by it. Who was there all the time keeps their role and password."""
    for statement in (
        "INSERT INTO users VALUES (1, 'stays@x.example', 'new', 1)",
        "INSERT INTO users VALUES (2, 'gone@x.example', 'old', 1)",
        "INSERT INTO memberships VALUES (1, 1, 'admin'), (2, 1, 'admin')",
        "INSERT INTO sessions VALUES (1, 'd', 1, '', 1, 1, 9e9)",
        "INSERT INTO sign_in_links VALUES ('d', 1, 9e9, NULL)",
        "INSERT INTO shares VALUES (1, 1, NULL, 'kept', 'A', 1, NULL)",
        "INSERT INTO shares VALUES (2, 1, NULL, 'revoked', 'B', 1, NULL)",
    ):
        place.sql(statement)
    place.backed_up()
    for statement in (
        "UPDATE users SET password_hash = 'newer' WHERE id = 1",
        "UPDATE memberships SET role = 'viewer' WHERE user_id = 1",
        "DELETE FROM memberships WHERE user_id = 2",
        "DELETE FROM users WHERE id = 2",
        "DELETE FROM shares WHERE id = 2",
    ):
        place.sql(statement)
    place.restored()
    assert place.sql("SELECT email, password_hash FROM users ORDER BY id") == [
        ("stays@x.example", "newer"),
        ("gone@x.example", None),
    ]
    assert place.sql("SELECT user_id, role FROM memberships") == [(1, "viewer")]
    assert place.sql("SELECT digest FROM shares") == [("kept",)]
    assert place.sql("SELECT * FROM sessions") == []
    assert place.sql("SELECT * FROM sign_in_links") == []


async def test_clients_are_told_that_lists_changed(place: Place) -> None:
    """What they have seen of the replaced database is not what there is now."""
    place.sql("UPDATE event_marks SET written_at = 5, counted_at = 5")
    place.backed_up()
    before = int(time.time())
    place.restored()
    [(written, counted)] = place.sql("SELECT written_at, counted_at FROM event_marks")
    assert int(str(written)) >= before
    assert int(str(counted)) >= before


async def test_an_older_schema_is_brought_up_to_date(place: Place) -> None:
    """That of the backup, and not the backup's own file."""
    old = place.backup
    old.parent.mkdir()
    old.touch()
    database = Database(f"sqlite+aiosqlite:///{old}", 5)
    async with database.write() as connection:
        await connection.run_sync(lambda sync: schema.upgrade(sync, "0002"))
        for statement in (
            "INSERT INTO organizers VALUES (1, 'acme')",
            "INSERT INTO events VALUES (1, 1, 'summer', '')",
            "INSERT INTO campaigns VALUES (9, 1, 'old', '', '', 0, 0)",
        ):
            await connection.exec_driver_sql(statement)
    await database.close()
    before = old.read_bytes()
    assert "schema 0002, 1 campaigns, 0 clicks" in place.restored()
    assert old.read_bytes() == before
    assert place.counts() == {"old": 0}
    assert place.waymark("audit")[0] == 0
    assert await create_campaign(place, "new") > 9


def newer(path: Path) -> None:
    """Makes a backup one of a later version."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def torn(path: Path) -> None:
    """Breaks a backup in the midst."""
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = b"\xff" * 4096
    path.write_bytes(content)


def foreign(path: Path) -> None:
    """Puts another program's database there."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name)")


def orphaned(path: Path) -> None:
    """Takes away what others refer to."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events")


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer": (newer, "schema 9999 is newer than this version"),
    "torn": (torn, "broken|no backup"),
    "orphaned": (orphaned, "broken"),
    "foreign": (foreign, "is no backup of Waymark's"),
    "text": (lambda path: path.write_text("hello"), "is no backup of Waymark's"),
    "empty": (lambda path: path.write_bytes(b""), "is no backup of Waymark's"),
}


@pytest.mark.parametrize(("spoil", "line"), UNUSABLE.values(), ids=UNUSABLE)
async def test_what_is_no_backup_replaces_nothing(
    place: Place, spoil: Callable[[Path], object], line: str
) -> None:
    """One line says why, and the database is as it was."""
    place.backed_up()
    spoil(place.backup)
    before = place.file.read_bytes()
    status, said = place.waymark("restore", str(place.backup))
    assert (status, said.count("\n")) == (1, 1), said
    assert any(part in said for part in line.split("|")), said
    assert place.file.read_bytes() == before
    names = {path.name for path in place.data.iterdir()}
    assert names <= {"waymark.db", "waymark.db-wal", "waymark.db-shm", "waymark.db.lock"}
