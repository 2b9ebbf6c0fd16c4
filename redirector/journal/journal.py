"""A writer's journal, as the event loop sees it."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from redirector.journal.directory import path_of
from redirector.journal.disk_thread import DiskThread
from redirector.journal.errors import JournalError
from redirector.journal.file import FullError, JournalFile
from redirector.journal.format import Place, Placed
from redirector.journal.records import Record
from tracking.writers import Writer

Written = Callable[[list[Place], JournalError | None], None]
"""Called with where the records are, or with what the disk said."""
MadeAnew = Callable[[list[Placed]], None]
"""Called with what the file held, and where that is now."""


class Journal:
    """Writes on a thread of its own, one write at a time.

    Args:
        on_made_anew: called when the file was made anew, because there was no room.

    Attributes:
        writing: whether a write is under way.
        making_anew: whether the file is being made anew. Meanwhile nothing may be sent that was not
            sent before: records are merged between what was sent.
    """

    def __init__(
        self, directory: Path, writer: Writer, ends: Collection[int], on_made_anew: MadeAnew
    ) -> None:
        self.writing = False
        self.making_anew = False
        self._path = path_of(directory, writer)
        self._writer = writer
        self._ends = ends
        self._on_made_anew = on_made_anew
        self._thread = DiskThread("journal")
        self._file: JournalFile | None = None

    async def prepare(self, at_most: float) -> None:
        """Makes the file, so that the first write need not; waits so many seconds for that.

        Raises:
            JournalError: it can't be made, which the first write tries again.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._thread.run(self._prepare)

    def write(self, records: Sequence[Record], acknowledged: int, written: Written) -> None:
        """Writes records; none may be under way.

        Args:
            records: that follow those before; they do not change while they are written.
            acknowledged: the number up to which SQL has all.
        """
        self.writing = True

        def done(places: list[Place] | None, error: BaseException | None) -> None:
            if isinstance(error, FullError):
                self._make_anew(records, acknowledged, written)
            else:
                self._finish(written, places, error)

        self._thread.submit(partial(self._append, records, acknowledged), done)

    async def read(self, places: Sequence[Place]) -> list[Record]:
        """The records at these places, which must be the last that were told.

        Raises:
            JournalError: the disk refused.
        """
        return await self._thread.run(partial(self._read, places))

    async def close(self, at_most: float) -> None:
        """Leaves the file to whoever adopts it; waits so many seconds for a disk that hangs."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._thread.run(self._close)
        self._thread.end()

    def _make_anew(self, records: Sequence[Record], acknowledged: int, written: Written) -> None:
        self.making_anew = True

        def done(
            result: tuple[list[Placed], list[Place]] | None, error: BaseException | None
        ) -> None:
            self.making_anew = False
            held, places = result or ([], None)
            if result is not None:
                self._on_made_anew(held)
            self._finish(written, places, error)

        assert self._file is not None
        work = partial(self._file.make_anew, records, acknowledged, frozenset(self._ends))
        self._thread.submit(work, done)

    def _finish(
        self, written: Written, places: list[Place] | None, error: BaseException | None
    ) -> None:
        self.writing = False
        if error is not None and not isinstance(error, JournalError):
            raise error
        written(places or [], error)

    # On the thread.

    def _prepare(self) -> JournalFile:
        if self._file is None:
            self._file = JournalFile.create(self._path, self._writer)
        return self._file

    def _append(self, records: Sequence[Record], acknowledged: int) -> list[Place]:
        return self._prepare().append(records, acknowledged)

    def _read(self, places: Sequence[Place]) -> list[Record]:
        assert self._file is not None
        return self._file.read(places)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
