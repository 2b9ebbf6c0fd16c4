"""`waymark backup`: one moment of a database that is in use."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.redirector.place import Place
from tests.waiting import until
from tracking import clicks


async def test_a_backup_is_one_moment(place: Place) -> None:
    """While clicks are flushed each backup's counts agree, with themselves and the ledger."""
    database = place.database()
    ended = asyncio.Event()

    async def flush() -> int:
        number = 0
        while not ended.is_set():
            number += 1
            counts = tuple(
                clicks.ClickCount(id, clicks.Hour(500_000 + number % 50), clicks.Audience.HUMAN, 1)
                for id in (1, 2)
            )
            async with database.write() as connection:
                await clicks.apply(connection, [clicks.Batch("w", number, number, counts)])
            await asyncio.sleep(0)
        return number

    flushing = asyncio.create_task(flush())
    await until(lambda: place.counts()["first"] > 0)
    for _ in range(3):
        said = await asyncio.to_thread(place.backed_up)
        assert "do not agree" not in said
        with closing(sqlite3.connect(place.backup)) as backup:
            counts = backup.execute("SELECT click_count FROM campaigns").fetchall()
            assert backup.execute("SELECT sum(clicks) FROM writers").fetchone() == (
                2 * counts[0][0],
            )
            assert counts[0] == counts[1]
        place.backup.unlink()
    ended.set()
    assert await flushing > 0
    await database.close()


async def test_a_backup_is_one_private_file(place: Place) -> None:
    """Nothing is left beside it, and the database is as it was, its schema too."""
    before = place.sql("SELECT * FROM sqlite_master")
    place.backed_up()
    assert [path.name for path in place.backup.parent.iterdir()] == ["waymark.backup"]
    assert stat.S_IMODE(place.backup.stat().st_mode) == 0o600
    assert place.sql("SELECT * FROM sqlite_master") == before


async def test_a_file_is_not_overwritten_unasked(place: Place) -> None:
    """Only with the flag, and never the database itself."""
    place.backup.parent.mkdir()
    place.backup.write_text("precious")
    assert place.waymark("backup", str(place.backup)) == (
        1,
        f"waymark: {place.backup} exists: choose another name, or --overwrite it\n",
    )
    assert place.backup.read_text() == "precious"
    assert place.waymark("backup", "--overwrite", str(place.backup))[0] == 0
    assert place.backup.read_bytes().startswith(b"SQLite format 3")
    link = place.directory / "link"
    link.symlink_to(place.file)
    before = place.file.read_bytes()
    for name in (place.file, Path(f"{place.file}-wal"), link, place.data / ".." / "var/waymark.db"):
        status, said = place.waymark("backup", "--overwrite", str(name))
        assert (status, said.count("\n")) == (1, 1), said
    assert place.file.read_bytes() == before
    assert link.is_symlink()


async def test_a_directory_that_can_not_be_written_is_one_line(place: Place) -> None:
    """It is named."""
    status, said = place.waymark("backup", str(place.directory / "missing" / "file"))
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(
        f"waymark: can't make {place.directory}/missing/file: No such file or directory"
    )
    assert said.count("file") == 2


async def test_a_backup_says_when_counts_do_not_agree(place: Place) -> None:
    """It is made all the same, with status 1."""
    place.sql("UPDATE campaigns SET click_count = 5 WHERE code = 'first'")
    place.backup.parent.mkdir()
    status, said = place.waymark("backup", str(place.backup))
    assert status == 1
    assert "first: click_count is 5, its hourly rows add up to 0\n" in said
    assert "first: click_count is 5" in place.restored()


@pytest.mark.parametrize("broken", ["a page", "a reference"])
async def test_a_broken_database_makes_no_backup(place: Place, broken: str) -> None:
    """What can't be restored is not kept as if it could."""
    if broken == "a page":
        place.sql("PRAGMA journal_mode = DELETE")
        content = bytearray(place.file.read_bytes())
        content[-3 * 4096 : -2 * 4096] = b"\xff" * 4096
        place.file.write_bytes(content)
    else:
        place.sql("DELETE FROM events")
    place.backup.parent.mkdir()
    status, said = place.waymark("backup", str(place.backup))
    assert (status, said.count("\n")) == (1, 1), said
    assert list(place.backup.parent.iterdir()) == []


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_wrong_directory_stays_as_it_is(short_dir: Path, command: str) -> None:
    """There is nothing to back up, and no file to restore."""
    place = Place(short_dir)
    status, said = place.waymark(command, str(short_dir / "file"))
    assert (status, said.count("\n")) == (1, 1)
    assert list(short_dir.iterdir()) == []
