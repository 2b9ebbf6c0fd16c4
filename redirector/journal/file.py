"""A journal's file: what is written to it is on disk when the call returns.

`redirector/journal/format.py` tells what is in it. It has its full size from the beginning, zeros
written, so that a record's write changes nothing but its own bytes: that is one trip to the disk
where a growing file takes two. Its halves are written by turns: one is begun anew when SQL has all
that is in it. When that is not so, the file is made anew, with what SQL has not, merged, and with
as much room again.

Everything here blocks, as long as the disk takes, and raises JournalError alone.
"""

import errno
import fcntl
import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from redirector.journal import directory
from redirector.journal.directory import NEW_SUFFIX
from redirector.journal.errors import JournalError, disk_errors
from redirector.journal.format import (
    HEADER_SIZE,
    Half,
    Place,
    Placed,
    decode,
    encode,
    header,
    read_half,
    read_header,
)
from redirector.journal.records import Record, merged
from tracking.writers import Writer

# What 100,000 clicks a second on 1,000 links take in the two seconds until SQL has them: who is not
# faster than that never waits for a file that is made anew.
HALF_SIZE = 4 * 1024 * 1024


class FullError(JournalError):
    """There is no room, or no file at its path any more: it has to be made anew."""


class JournalFile:
    """A journal, owned by this process.

    Made by `create` or `adopt`. Its methods must not run at the same time. One that was adopted is
    read, and never written to.
    """

    def __init__(self, path: Path, file: int, content: "_Content") -> None:
        self.writer = content.writer
        self.path = path
        self._file = file
        self._half_size = content.half_size
        halves = content.halves
        # Which half is written to, in which generation, and where its next record begins.
        self._active = 0 if halves[0].generation >= halves[1].generation else 1
        self._generation = max(halves[self._active].generation, 1)
        self._end = halves[self._active].end
        # The highest number in each half.
        self._lasts = [max((p.record.last for p in half.records), default=0) for half in halves]
        # `RWF_DSYNC`, or 0 where the file system does not know it.
        self._flags = os.RWF_DSYNC

    @classmethod
    def create(cls, path: Path, writer: Writer) -> Self:
        """Makes an empty one.

        Raises:
            JournalDiskError: it can't be written.
        """
        with disk_errors():
            directory.make(path.parent)
            file, _ = _write_file(path, writer, [])
            return cls(path, file, _read(file))

    @classmethod
    def adopt(cls, path: Path) -> "tuple[Self, list[Placed]] | None":
        """Takes over that of an ended process, with what it holds, in the order of numbers.

        Returns:
            None when its owner lives, or it is gone.

        Raises:
            UnreadableJournalError: it is none; it stays as it is, and nobody's.
            JournalDiskError: the disk refused; likewise.
        """
        with disk_errors():
            file = directory.open_abandoned(path)
            if file is None:
                return None
            try:
                content = _read(file)
            except (OSError, JournalError):
                os.close(file)
                raise
        return cls(path, file, content), content.in_order()

    def append(self, records: Sequence[Record], acknowledged: int) -> list[Place]:
        """Adds records, which are on disk when this returns.

        Args:
            records: in the order of their numbers, which are higher than all before.
            acknowledged: the number up to which the writer's records are in SQL.

        Returns:
            Where they are.

        Raises:
            FullError: there is no room; nothing was written.
            JournalDiskError: the disk refused. Those that came to it all the same are found by who
                reads the file: the same numbers must come with the same clicks.
        """
        encoded = [encode(record, self._generation) for record in records]
        size = sum(map(len, encoded))
        if self._end + size > self._begin(self._active) + self._half_size:
            self._turn(size, acknowledged)
            encoded = [encode(record, self._generation) for record in records]
        with disk_errors():
            if not directory.is_at(self._file, self.path):
                raise FullError("it is not at its path any more")
            self._write(b"".join(encoded), self._end)
        places = _side_by_side(encoded, self._end)
        self._end = places[-1].end
        self._lasts[self._active] = records[-1].last
        return places

    def read(self, places: Iterable[Place]) -> list[Record]:
        """The records at these places; one that was damaged on the disk is left out.

        Raises:
            JournalDiskError: the disk refused.
        """
        with disk_errors():
            found = [decode(os.pread(self._file, p.length, p.offset)) for p in places]
        return [each[1] for each in found if each is not None]

    def make_anew(
        self, records: Sequence[Record], acknowledged: int, ends: Collection[int]
    ) -> tuple[list[Placed], list[Place]]:
        """Writes the file anew: what SQL has not, merged, and these records behind it.

        Args:
            records: as in `append`.
            acknowledged: the number up to which the writer's records are in SQL.
            ends: the last numbers of what was sent: SQL may have any of them, so that no record
                reaches over one.

        Returns:
            What it held before, and where that is now; where the records are.

        Raises:
            JournalDiskError: it can't be written; every record is where it was.
        """
        with disk_errors():
            found = _read(self._file).in_order()
            known = [
                placed.record
                for placed in found
                if acknowledged < placed.record.last < records[0].first
            ]
            kept = _merged_between(known, ends)
            directory.make(self.path.parent)
            file, places = _write_file(self.path, self.writer, [*kept, *records])
            os.close(self._file)
            self._file = file
            self._half_size = _read(file).half_size
        self._active, self._generation = 0, 1
        self._end = places[-1].end
        self._lasts = [records[-1].last, 0]
        return list(map(Placed, kept, places)), places[len(kept) :]

    def remove(self) -> None:
        """Deletes the file: SQL has all that is in it.

        Raises:
            JournalDiskError: it can't be deleted, and is still this process's.
        """
        with disk_errors():
            if directory.is_at(self._file, self.path):
                self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leaves the file to whoever adopts it; called again, it does nothing."""
        file, self._file = self._file, -1
        if file != -1:
            # Whatever a broken disk says to that, the file is closed, and the lock gone.
            with suppress(OSError):
                os.close(file)

    def _begin(self, half: int) -> int:
        return HEADER_SIZE + half * self._half_size

    def _turn(self, size: int, acknowledged: int) -> None:
        """Goes on in the other half, for so many bytes."""
        other = 1 - self._active
        # A file that grew is made anew when it can be: it gets its size from what it holds.
        if (
            self._lasts[other] > acknowledged
            or size > self._half_size
            or self._half_size > HALF_SIZE
        ):
            raise FullError("it is full")
        self._active, self._generation = other, self._generation + 1
        self._end = self._begin(other)
        self._lasts[other] = 0

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            try:
                written = os.pwritev(self._file, [data], offset, self._flags)
            except OSError as error:
                if not self._flags or error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                    raise
                self._flags = 0
                continue
            data, offset = data[written:], offset + written
        if not self._flags:
            os.fdatasync(self._file)


def look_at(path: Path) -> tuple[Writer, list[Record], bool] | None:
    """What a journal holds, as anyone may read it.

    Returns:
        Its writer, its records, and whether a living process owns it; None when it is gone.

    Raises:
        UnreadableJournalError: it is none.
        JournalDiskError: the disk refused.
    """
    with disk_errors():
        try:
            file = directory.open_file(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            owned = not directory.lock(file, fcntl.LOCK_SH)
            content = _read(file)
        finally:
            os.close(file)
    return content.writer, [placed.record for placed in content.in_order()], owned


def write_abandoned(path: Path, writer: Writer, records: Sequence[Record]) -> None:
    """Writes a journal that nobody owns.

    Raises:
        OSError: it can't be written.
    """
    directory.make(path.parent)
    file, _ = _write_file(path, writer, records)
    os.close(file)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds."""

    writer: Writer
    half_size: int
    halves: tuple[Half, Half]

    def in_order(self) -> list[Placed]:
        """All records, in the order of their numbers.

        A write that failed may have come to the disk all the same, and behind what was written in
        its place its rest may be left: the same clicks, whose numbers were told before.
        """
        records: list[Placed] = []
        found = (placed for half in self.halves for placed in half.records)
        for placed in sorted(found, key=lambda each: (each.record.first, -each.record.last)):
            if not records or placed.record.first > records[-1].record.last:
                records.append(placed)
        return records


def _read(file: int) -> _Content:
    data = os.pread(file, os.fstat(file).st_size, 0)
    writer, half_size = read_header(data)
    middle = HEADER_SIZE + half_size
    end = middle + half_size
    return _Content(
        writer,
        half_size,
        (read_half(data, HEADER_SIZE, middle), read_half(data, middle, end)),
    )


def _merged_between(records: Iterable[Record], ends: Collection[int]) -> list[Record]:
    """The records, merged but for where something that was sent ended."""
    kept: list[Record] = []
    run: list[Record] = []
    for record in records:
        run.append(record)
        if record.last in ends:
            kept += merged(run)
            run = []
    return kept + merged(run)


def _write_file(path: Path, writer: Writer, records: Sequence[Record]) -> tuple[int, list[Place]]:
    """Writes a whole journal, which gets its name when all of it is on disk.

    It is locked before it has its name, so that nobody can take it for abandoned.
    """
    encoded = [encode(record, 1) for record in records]
    half_size = HALF_SIZE
    while half_size < 2 * sum(map(len, encoded)):
        half_size *= 2
    new = path.with_suffix(NEW_SUFFIX)
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = b"".join((header(writer, half_size), *encoded)).ljust(
            HEADER_SIZE + 2 * half_size, b"\0"
        )
        written = 0
        while written < len(content):
            written += os.pwrite(file, memoryview(content)[written:], written)
        os.fsync(file)
        new.rename(path)
        directory.sync(path.parent)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        os.close(file)
        raise
    return file, _side_by_side(encoded, HEADER_SIZE)


def _side_by_side(encoded: Iterable[bytes], at: int) -> list[Place]:
    """Where these are when they are written one behind the other, from here on."""
    places: list[Place] = []
    for data in encoded:
        places.append(Place(at, len(data)))
        at = places[-1].end
    return places
