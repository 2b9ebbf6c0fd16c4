"""A writer's own spool, as the event loop uses it."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from redirector.batches import NumberedBatch, Writer
from redirector.spool import Spool

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Spooling:
    """A spool that is there from the first batch on until it is removed.

    What touches the disk takes turns on a thread of its own. All raise OSError when the disk fails.

    Args:
        spool_dir: where the spool will be.
        writer: whose it is.
    """

    def __init__(self, spool_dir: Path, writer: Writer) -> None:
        self._spool_dir = spool_dir
        self._writer = writer
        self._spool: Spool | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")

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
        await self._on_disk(partial(self._append, batch, sent))

    async def head(self) -> list[NumberedBatch]:
        """The first batches, as many as go in one trip; none when it is empty."""
        return [] if self._spool is None else await self._on_disk(self._spool.head)

    async def confirm(self, number: int) -> None:
        """Drops the batches up to this number."""
        if self._spool is not None:
            await self._on_disk(partial(self._spool.confirm, number))

    async def remove(self) -> None:
        """Takes the empty spool away."""
        if self._spool is not None:
            await self._on_disk(self._spool.remove)
            self._spool = None

    async def close(self) -> None:
        """Leaves what is in it for who starts next."""
        await self._on_disk(self._close)
        self._thread.shutdown()

    def _append(self, batch: NumberedBatch, sent: bool) -> None:
        if self._spool is None:
            self._spool = Spool.create(self._spool_dir, self._writer)
        self._spool.append(batch, sent=sent)
        try:
            self._spool.compact()
        except OSError as error:
            logger.warning("the spool can't be made smaller: %s", error)

    def _close(self) -> None:
        if self._spool is not None:
            logger.warning("%d clicks stay on disk, for who starts next", self._spool.clicks)
            self._spool.close()

    async def _on_disk(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
