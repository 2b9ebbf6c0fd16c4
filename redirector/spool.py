"""Spools: a writer's numbered batches on disk, while Redis is away.

A spool is a file that grows at its end, `<writer>.spool`. Whoever holds the lock on it is its
owner; when that process ends, however it ends, the lock is gone, and another may adopt the spool.
`redirector/spool_format.py` tells what is in it. Everything here blocks, as long as the disk takes,
and raises SpoolError alone: whoever talks to Redis as well can't mistake one for the other.
"""

import logging
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

from redirector.batches import MAX_FIELDS, NumberedBatch, Writer, merged
from redirector.spool_files import (
    SUFFIX,
    disk_errors,
    is_at,
    open_abandoned,
    read_file,
    sync_directory,
    write_all,
    write_file,
)
from redirector.spool_format import (
    Content,
    Place,
    SpoolDiskError,
    SpoolError,
    decode,
    encode,
    place_of,
)

logger = logging.getLogger(__name__)

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
            SpoolDiskError: it can't be written.
        """
        with disk_errors():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = directory / f"{writer}{SUFFIX}"
            file, content = write_file(path, writer, [])
            spool = cls(path, file, content)
            try:
                sync_directory(directory)
            except OSError:
                spool.remove()
                raise
            return spool

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Takes over the spool of an ended process; None when its owner lives, or it is gone.

        Raises:
            UnreadableSpoolError: it is none; it stays as it is, and nobody's.
            SpoolDiskError: the disk refused; likewise.
        """
        with disk_errors():
            file = open_abandoned(path)
            if file is None:
                return None
            try:
                content = read_file(file)
                _mend(path, file, content)
            except (OSError, SpoolError):
                os.close(file)
                raise
            return cls(path, file, content)

    @property
    def empty(self) -> bool:
        """Whether every batch was confirmed."""
        return not self._places

    def append(self, batch: NumberedBatch, *, sent: bool) -> None:
        """Adds a batch, which is on disk when this returns.

        Args:
            sent: whether it was sent to Redis before.

        Raises:
            SpoolDiskError: it is not; the spool is as it was.
        """
        record = encode(batch)
        try:
            with disk_errors():
                write_all(self._file, record, self._end)
                os.fdatasync(self._file)
        except SpoolDiskError:
            # Half a record would end the file for whoever adopts it, with all that comes after it.
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        if sent:
            self._sent = batch.number
        self._note(batch, len(record))

    def head(self, most_fields: int = MAX_FIELDS) -> list[NumberedBatch]:
        """The oldest batches that were not confirmed yet, to be sent: as many as fit, or one.

        One that was damaged on the disk is dropped, said in the log, and stops no other.

        Args:
            most_fields: that they may have together.

        Raises:
            SpoolDiskError: the disk refused to read.
        """
        batches: list[NumberedBatch] = []
        room = most_fields
        for place in tuple(self._places):
            room -= place.fields
            if batches and room < 0:
                break
            batch = self._read(place)
            if batch is not None:
                batches.append(batch)
        if batches:
            self._sent = max(self._sent, batches[-1].number)
        return batches

    def confirm(self, number: int) -> None:
        """Drops the batches up to this number: they are in Redis."""
        while self._places and self._places[0].number <= number:
            self._drop(self._places[0])

    def compact(self) -> None:
        """Writes the spool anew when it has grown too large, with what is left to be confirmed.

        Batches that were never sent are merged: nobody else knows what their numbers stood for.

        Raises:
            SpoolDiskError: it can't be written; every batch is where it was, or in the new file.
        """
        if self._end < self._compact_at:
            return
        with disk_errors():
            batches = [batch for place in tuple(self._places) if (batch := self._read(place))]
            kept = [batch for batch in batches if batch.number <= self._sent]
            unsent = [batch for batch in batches if batch.number > self._sent]
            file, content = write_file(self._path, self.writer, kept + merged(unsent))
            os.close(self._file)
            self._file, self._end = file, content.end
            self._places = deque(content.places)
            self.fields = sum(place.fields for place in self._places)
            self._compact_at = max(_COMPACT_BYTES, 2 * content.end)
            sync_directory(self._path.parent)

    def remove(self) -> None:
        """Deletes the file, all of whose batches must be confirmed.

        Raises:
            SpoolDiskError: it can't be deleted, and is still this process's.
        """
        assert self.empty
        with disk_errors():
            if is_at(self._file, self._path):
                self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leaves the file to whoever adopts it; called again, it does nothing."""
        file, self._file = self._file, -1
        if file != -1:
            # Whatever a broken disk says to that, the file is closed, and the lock gone.
            with suppress(OSError):
                os.close(file)

    def _read(self, place: Place) -> NumberedBatch | None:
        """The batch there; None, and it is dropped, when it was damaged."""
        with disk_errors():
            batch = decode(os.pread(self._file, place.length, place.offset))
        if batch is None:
            self._drop(place)
            logger.error(
                "batch %d of the spool %s was damaged on the disk: its %d clicks are lost",
                place.number,
                self._path.name,
                place.clicks,
            )
        return batch

    def _drop(self, place: Place) -> None:
        self._places.remove(place)
        self.clicks -= place.clicks
        self.fields -= place.fields

    def _note(self, batch: NumberedBatch, length: int) -> None:
        place = place_of(batch, self._end, length)
        self._places.append(place)
        self._end += length
        self.clicks += place.clicks
        self.fields += place.fields


def _mend(path: Path, file: int, content: Content) -> None:
    """Cuts off what a write that did not end has left; the log says that, and what was damaged."""
    if content.corrupt:
        logger.error(
            "the spool %s was damaged on the disk: %d of its batches are lost",
            path.name,
            content.corrupt,
        )
    torn = os.fstat(file).st_size - content.end
    if torn:
        logger.warning("the spool %s had a torn tail of %d bytes", path.name, torn)
        os.ftruncate(file, content.end)
