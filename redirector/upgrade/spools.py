"""Spools: what versions before journals kept on disk while Redis was away.

A spool is `<writer>.spool`, in `DATA_DIR/spool`:

    header   b"waymark spool 1 <writer>\\n"
    record   ">IIQ": length of the payload, CRC-32 of number and payload, number of the batch;
             then the payload, a JSON object from counter to clicks

Each becomes a journal, under an id that is made of its writer's, so that one that is moved twice is
the same journal. Which of its batches were counted before the move, Redis's number for the writer
says, and SQL's: neither changes any more once the counters of those versions are in SQL.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from redirector.journal import directory
from redirector.journal.directory import path_of
from redirector.journal.disk_thread import DiskThread
from redirector.journal.errors import JournalError, UnreadableJournalError, disk_errors
from redirector.journal.file import write_abandoned
from redirector.journal.records import Record
from redirector.upgrade.counters import APPLIED, PENDING, SEALED
from tracking import writers
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.writers import Writer

logger = logging.getLogger(__name__)

SUFFIX = ".spool"
_INTERVAL = 2.0
_HEADER = re.compile(rb"waymark spool 1 ([0-9a-f]{32})\n")
_RECORD = struct.Struct(">IIQ")


class SpoolMove:
    """Moves the spools of one directory to another, as journals."""

    def __init__(
        self, redis: "Redis", database: Database, spool_dir: Path, journal_dir: Path
    ) -> None:
        self._redis = redis
        self._database = database
        self._spool_dir = spool_dir
        self._journal_dir = journal_dir
        # What was said in the log of those that can't be used.
        self._complaints: dict[Path, str] = {}

    async def run(self) -> None:
        """Moves them until there are none that can be moved: no process makes more."""
        thread = DiskThread("upgrade")
        moving = await self._move_all(thread)
        while moving:
            await asyncio.sleep(_INTERVAL)
            moving = await self._move_all(thread)
        thread.end()

    async def _move_all(self, thread: DiskThread) -> bool:
        """Moves what can be moved now; whether to look again."""
        try:
            paths = await thread.run(partial(directory.files, self._spool_dir, SUFFIX))
            if not paths:
                return False
            # Before, Redis may have clicks of which only Redis knows that they are in a spool too.
            if not await self._redis.exists(PENDING, SEALED):
                for path in paths:
                    await self._try(path, thread)
        except (RedisError, OSError, DatabaseUnavailableError, JournalError):
            # Others have said in the log that Redis or SQL is away, or the disk.
            await self._redis.connection_pool.disconnect()
        return True

    async def _try(self, path: Path, thread: DiskThread) -> None:
        try:
            await self._move(path, thread)
        except JournalError as error:
            self._leave(path, str(error))

    def _leave(self, path: Path, reason: str) -> None:
        """Says once what is wrong with a spool."""
        if self._complaints.get(path) != reason:
            logger.error("the spool %s is left alone: %s", path.name, reason)
            self._complaints[path] = reason

    async def _move(self, path: Path, thread: DiskThread) -> None:
        taken = await thread.run(partial(_take, path))
        if taken is None:
            return
        file, writer, batches = taken
        try:
            async with self._database.read() as connection:
                number = await writers.number_of(connection, writer)
            number = max(number, int(await self._redis.hget(APPLIED, writer) or 0))
            left = [batch for batch in batches if batch.first > number]
            await thread.run(partial(_make_journal, self._journal_dir, writer, left, path))
        finally:
            await thread.run(partial(os.close, file))


def journal_writer(writer: Writer) -> Writer:
    """The writer of the journal that a writer's spool becomes."""
    return hashlib.sha256(f"spool {writer}".encode()).hexdigest()[:32]


def _take(path: Path) -> tuple[int, Writer, list[Record]] | None:
    with disk_errors():
        file = directory.open_abandoned(path)
        if file is None:
            return None
        try:
            return file, *_read(file)
        except (OSError, JournalError):
            os.close(file)
            raise


def _make_journal(journals: Path, writer: Writer, batches: list[Record], spool: Path) -> None:
    with disk_errors():
        if batches:
            new = journal_writer(writer)
            write_abandoned(path_of(journals, new), new, batches)
        spool.unlink(missing_ok=True)
        directory.sync(spool.parent)


def _read(file: int) -> tuple[Writer, list[Record]]:
    data = os.pread(file, os.fstat(file).st_size, 0)
    found = _HEADER.match(data)
    if found is None:
        raise UnreadableJournalError("it is no spool that this version knows")
    return found[1].decode(), list(_batches(data, found.end()))


def _batches(data: bytes, at: int) -> Iterator[Record]:
    """Those that are whole: one that was damaged is left out."""
    while at + _RECORD.size <= len(data):
        length, checksum, number = _RECORD.unpack_from(data, at)
        payload = data[at + _RECORD.size : at + _RECORD.size + length]
        if zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "big"))) == checksum:
            yield Record(number, number, json.loads(payload))
        at += _RECORD.size + length
