"""A writer's own spool, as the event loop uses it."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from redirector.batches import NumberedBatch, Writer
from redirector.disk_thread import DiskThread
from redirector.spool import Spool
from redirector.spool_format import SpoolError
from tracking.background import finish

logger = logging.getLogger(__name__)


class Spooling:
    """A spool that is there from the first batch on until it is removed.

    What touches the disk takes turns on a thread of its own. All raise SpoolError when it fails.

    Args:
        spool_dir: where the spool will be.
        writer: whose it is.
    """

    def __init__(self, spool_dir: Path, writer: Writer) -> None:
        self._spool_dir = spool_dir
        self._writer = writer
        self._spool: Spool | None = None
        self._thread = DiskThread("spool")

    @property
    def clicks(self) -> int:
        """How many clicks are on disk and not confirmed."""
        return self._spool.clicks if self._spool is not None else 0

    @property
    def fields(self) -> int:
        """How many fields their batches have."""
        return self._spool.fields if self._spool is not None else 0

    @property
    def empty(self) -> bool:
        """Whether no batch is left in it."""
        return self._spool is None or self._spool.empty

    async def append(self, batch: NumberedBatch, *, sent: bool) -> None:
        """Returns when the batch is on disk.

        Args:
            sent: whether Redis may have it already.
        """
        await self._thread.run(partial(self._append, batch, sent))

    async def head(self) -> list[NumberedBatch]:
        """The first batches, as many as go in one trip; none when it is empty."""
        return [] if self._spool is None else await self._thread.run(self._spool.head)

    async def confirm(self, number: int) -> None:
        """Drops the batches up to this number."""
        if self._spool is not None:
            await self._thread.run(partial(self._spool.confirm, number))

    async def remove(self) -> None:
        """Takes the empty spool away.

        What can't be deleted stays, and is used again: Redis knows its batches by their numbers.
        """
        if self._spool is None:
            return
        try:
            await self._thread.run(self._spool.remove)
        except SpoolError as error:
            logger.warning("the empty spool can't be deleted: %s", error)
        else:
            self._spool = None

    async def close(self, at_most: float) -> None:
        """Leaves what is in it for who starts next; waits no longer than so many seconds.

        A disk that hangs does later what it still has to do, if the process lives then.
        """
        closing = asyncio.create_task(self._thread.run(self._close))
        await finish(closing, at_most=at_most)
        self._thread.end()

    def _append(self, batch: NumberedBatch, sent: bool) -> None:
        if self._spool is None:
            self._spool = Spool.create(self._spool_dir, self._writer)
        self._spool.append(batch, sent=sent)
        try:
            self._spool.compact()
        except SpoolError as error:
            logger.warning("the spool can't be made smaller: %s", error)

    def _close(self) -> None:
        if self._spool is None:
            return
        if self._spool.clicks:
            logger.warning("%d clicks stay on disk, for who starts next", self._spool.clicks)
        self._spool.close()
