"""What waits in spools, as anyone may look at it."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from redirector.batches import NumberedBatch, Writer
from redirector.spool_files import disk_errors, lock, open_file, read_file, spool_files
from redirector.spool_format import SpoolError


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
    """What is in a directory of spools.

    Attributes:
        unreadable: by file, why nothing can be told of it.
    """

    waiting: list[Waiting]
    unreadable: dict[Path, str]


def survey(directory: Path) -> Survey:
    """Looks at all spools in the directory, without taking any of them over.

    Raises:
        SpoolDiskError: the directory can't be read.
    """
    found = Survey([], {})
    for path in spool_files(directory):
        try:
            found.waiting.extend(_look_at(path))
        except SpoolError as error:
            found.unreadable[path] = str(error)
    return found


def _look_at(path: Path) -> list[Waiting]:
    """What one holds; nothing when it was drained meanwhile."""
    with disk_errors():
        try:
            file = open_file(path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            owned = not lock(file, fcntl.LOCK_SH)
            content = read_file(file)
            torn = os.fstat(file).st_size - content.end
        finally:
            os.close(file)
    return [Waiting(content.writer, content.batches, owned, torn)]
