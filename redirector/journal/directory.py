"""The directory that journals are in: how their files are found, opened and locked.

Whoever holds the lock on a file is its owner; when that process ends, however it ends, the lock is
gone. Everything here blocks, as long as the disk takes.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from redirector.journal.errors import UnreadableJournalError, disk_errors
from tracking.writers import Writer

SUFFIX = ".journal"
NEW_SUFFIX = ".new"


def path_of(directory: Path, writer: Writer) -> Path:
    """Where a writer's journal is."""
    return directory / f"{writer}{SUFFIX}"


def make(directory: Path) -> None:
    """Makes the directory where there is none.

    Raises:
        OSError: it can't be made.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def files(directory: Path, suffix: str = SUFFIX) -> list[Path]:
    """The files with this suffix; none where there is no directory.

    Raises:
        JournalDiskError: the directory can't be read.
    """
    with disk_errors():
        try:
            return sorted(path for path in directory.iterdir() if path.suffix == suffix)
        except FileNotFoundError:
            return []


def tidy(directory: Path) -> None:
    """Removes what ended processes began to write: what it stands for is in the old files.

    Raises:
        JournalDiskError: the directory can't be read.
    """
    for path in files(directory, NEW_SUFFIX):
        with suppress(OSError, UnreadableJournalError):  # litter, which hurts nobody
            file = open_abandoned(path)
            if file is not None:
                path.unlink(missing_ok=True)
                os.close(file)


def open_file(path: Path, how: int) -> int:
    """Opens a file, and neither follows a link nor waits for the other end of a pipe.

    Raises:
        OSError: it can't be opened.
        UnreadableJournalError: there is something else than a file.
    """
    file = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UnreadableJournalError("it is no file")
    return file


def open_abandoned(path: Path) -> int | None:
    """Opens and locks a file whose owner ended; None when it has one, or is gone."""
    try:
        file = open_file(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    ours = False
    try:
        # Between opening and locking its owner may have deleted it, or put another in its place.
        ours = lock(file, fcntl.LOCK_EX) and is_at(file, path)
    finally:
        if not ours:
            os.close(file)
    return file if ours else None


def lock(file: int, kind: int) -> bool:
    """Locks a file, `fcntl.LOCK_EX` or `LOCK_SH`, unless another process has; whether it did."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(file: int, path: Path) -> bool:
    """Whether the path still leads to this open file."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))  # noqa: PTH116 - a third of the time that Path takes
    except FileNotFoundError:
        return False


def sync(directory: Path) -> None:
    """Returns when the names in the directory are on disk."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)
