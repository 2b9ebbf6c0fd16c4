"""Spools: a writer's numbered batches on disk, while Redis is away.

A spool is a file that grows at its end, `<writer>.spool`. Whoever holds the lock on it is its
owner; when that process ends, however it ends, the lock is gone, and another may adopt the spool.
`redirector/spool_format.py` tells what is in it. Everything here blocks, as long as the disk takes.
"""

import fcntl
import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from redirector.batches import MAX_FIELDS, NumberedBatch, Writer, merged
from redirector.spool_format import (
    Content,
    Place,
    UnreadableSpoolError,
    decode,
    encode,
    header,
    parse,
    place_of,
)

logger = logging.getLogger(__name__)

SUFFIX = ".spool"
_NEW_SUFFIX = ".new"

# A spool is written anew, its batches merged, when it has grown to twice what was left the last
# time, as Redis does with its log; and not before it has this many bytes.
_COMPACT_BYTES = 1024 * 1024


class Spool:
    """A writer's spool, owned by this process.

    Made by `create` or `adopt`. Its methods must not run at the same time.
    """

    def __init__(self, path: Path, file: int, content: Content) -> None:
        self.writer = content.writer
        self._path = path
        self._file = file
        self._places = deque(content.places)
        self._end = content.end
        self._compact_at = _COMPACT_BYTES
        # The number of the last batch that may be in Redis: of an ended process's, any may be.
        self._sent = self._places[-1].number if self._places else 0
        self.clicks = sum(place.clicks for place in self._places)
        self.fields = sum(place.fields for place in self._places)

    @classmethod
    def create(cls, directory: Path, writer: Writer) -> Self:
        """Makes a writer's spool, without a batch.

        Raises:
            OSError: it can't be written.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / f"{writer}{SUFFIX}"
        file, content = _write_file(path, writer, [])
        spool = cls(path, file, content)
        try:
            _sync_directory(directory)
        except OSError:
            spool.remove()
            raise
        return spool

    @classmethod
    def adopt(cls, directory: Path, unreadable: set[Path]) -> Iterator[Self]:
        """Takes over the spools of ended processes, one after the other; tidies up after them.

        Args:
            unreadable: files that were no spools before. What is found to be none is said in the
                log, left alone, and added here.

        Raises:
            OSError: the directory can't be read.
        """
        for path in _files(directory, _NEW_SUFFIX):
            _remove_if_abandoned(path)
        for path in _files(directory, SUFFIX):
            file = None if path in unreadable else _open_abandoned(path)
            if file is None:
                continue
            try:
                content = _read_file(file)
            except (UnreadableSpoolError, OSError) as error:
                os.close(file)
                unreadable.add(path)
                logger.error("the spool %s is left alone: %s", path.name, error)  # noqa: TRY400 - no bug
                continue
            torn = os.fstat(file).st_size - content.end
            if torn:
                logger.warning("the spool %s had a torn tail of %d bytes", path.name, torn)
                os.ftruncate(file, content.end)
            yield cls(path, file, content)

    @property
    def empty(self) -> bool:
        """Whether every batch was confirmed."""
        return not self._places

    def append(self, batch: NumberedBatch, *, sent: bool) -> None:
        """Adds a batch, which is on disk when this returns.

        Args:
            sent: whether it was sent to Redis before.

        Raises:
            OSError: it is not; the spool is as it was.
        """
        record = encode(batch)
        try:
            _write_all(self._file, record, self._end)
            os.fdatasync(self._file)
        except OSError:
            # Half a record would end the file for whoever adopts it, with all that comes after it.
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        if sent:
            self._sent = batch.number
        self._note(batch, len(record))

    def head(self, most_fields: int = MAX_FIELDS) -> list[NumberedBatch]:
        """The oldest batches that were not confirmed yet, to be sent: as many as fit, or one.

        Args:
            most_fields: that they may have together.
        """
        batches: list[NumberedBatch] = []
        room = most_fields
        for place in self._places:
            room -= place.fields
            if batches and room < 0:
                break
            batches.append(self._read(place))
        if batches:
            self._sent = max(self._sent, batches[-1].number)
        return batches

    def confirm(self, number: int) -> None:
        """Drops the batches up to this number: they are in Redis."""
        while self._places and self._places[0].number <= number:
            place = self._places.popleft()
            self.clicks -= place.clicks
            self.fields -= place.fields

    def compact(self) -> None:
        """Writes the spool anew when it has grown too large, with what is left to be confirmed.

        Batches that were never sent are merged: nobody else knows what their numbers stood for.

        Raises:
            OSError: it can't be written; every batch is where it was, or in the new file.
        """
        if self._end < self._compact_at:
            return
        batches = [self._read(place) for place in self._places]
        kept = [batch for batch in batches if batch.number <= self._sent]
        unsent = [batch for batch in batches if batch.number > self._sent]
        file, content = _write_file(self._path, self.writer, kept + merged(unsent))
        os.close(self._file)
        self._file, self._end = file, content.end
        self._places = deque(content.places)
        self.fields = sum(place.fields for place in self._places)
        self._compact_at = max(_COMPACT_BYTES, 2 * content.end)
        _sync_directory(self._path.parent)

    def remove(self) -> None:
        """Deletes the file, all of whose batches must be confirmed."""
        assert self.empty
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leaves the file to whoever adopts it; called again, it does nothing."""
        file, self._file = self._file, -1
        if file != -1:
            os.close(file)

    def _read(self, place: Place) -> NumberedBatch:
        record = os.pread(self._file, place.length, place.offset)
        batch = decode(record)
        if batch is None:
            raise OSError(f"batch {place.number} of {self._path.name} can't be read back")
        return batch

    def _note(self, batch: NumberedBatch, length: int) -> None:
        place = place_of(batch, self._end, length)
        self._places.append(place)
        self._end += length
        self.clicks += place.clicks
        self.fields += place.fields


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a spool file holds, as anyone may read it.

    Attributes:
        batches: some of them may be in Redis already; its number for the writer tells.
        owned: whether a living process owns it.
        torn: bytes at its end that are no record, or not yet.
    """

    writer: Writer
    batches: tuple[NumberedBatch, ...]
    owned: bool
    torn: int

    @property
    def clicks(self) -> int:
        """How many clicks are in it."""
        return sum(batch.clicks for batch in self.batches)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in the directory.

    Attributes:
        unreadable: by file, why it is no spool that can be read.
    """

    waiting: list[Waiting]
    unreadable: dict[Path, str]


def survey(directory: Path) -> Survey:
    """All spools in the directory, without taking any of them over.

    Raises:
        OSError: the directory can't be read.
    """
    found = Survey([], {})
    for path in _files(directory, SUFFIX):
        try:
            waiting = _look_at(path)
        except FileNotFoundError:
            continue  # drained meanwhile
        except UnreadableSpoolError as error:
            found.unreadable[path] = str(error)
        except OSError as error:
            found.unreadable[path] = error.strerror or str(error)
        else:
            found.waiting.append(waiting)
    return found


def _look_at(path: Path) -> Waiting:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        owned = not _lock(file, fcntl.LOCK_SH)
        content = _read_file(file)
        return Waiting(content.writer, content.batches, owned, os.fstat(file).st_size - content.end)
    finally:
        os.close(file)


def writers(directory: Path) -> set[Writer]:
    """The writers that have a spool.

    Raises:
        OSError: the directory can't be read.
    """
    return {path.name.removesuffix(SUFFIX) for path in _files(directory, SUFFIX)}


def _files(directory: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == suffix)
    except FileNotFoundError:
        return []


def _write_file(path: Path, writer: Writer, batches: list[NumberedBatch]) -> tuple[int, Content]:
    """Writes a whole spool, which gets its name when all of it is on disk.

    It is locked before it has its name, so that nobody can take it for abandoned.

    Returns:
        The open file, and what is in it.
    """
    new = path.with_suffix(_NEW_SUFFIX)
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_all(file, b"".join([header(writer), *map(encode, batches)]), 0)
        os.fsync(file)
        content = _read_file(file)
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        os.close(file)
        raise
    return file, content


def _read_file(file: int) -> Content:
    return parse(os.pread(file, os.fstat(file).st_size, 0))


def _open_abandoned(path: Path) -> int | None:
    """Opens and locks a file whose owner ended; None when it has one, or is gone."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    # Between opening and locking its owner may have deleted it, or put another in its place.
    if _lock(file, fcntl.LOCK_EX) and _is_at(file, path):
        return file
    os.close(file)
    return None


def _remove_if_abandoned(path: Path) -> None:
    """Removes what an ended process began to write: what it stands for is in the old file."""
    file = _open_abandoned(path)
    if file is not None:
        path.unlink(missing_ok=True)
        os.close(file)


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _write_all(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _sync_directory(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)
