"""The files that spools are: how they are found, opened, locked and written.

Everything here blocks, as long as the disk takes.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redirector.batches import NumberedBatch, Writer
from redirector.spool_format import (
    Content,
    SpoolDiskError,
    UnreadableSpoolError,
    encode,
    header,
    parse,
)

SUFFIX = ".spool"
_NEW_SUFFIX = ".new"


def writers(directory: Path) -> set[Writer]:
    """The writers that have a spool.

    Raises:
        SpoolDiskError: the directory can't be read.
    """
    return {path.name.removesuffix(SUFFIX) for path in spool_files(directory)}


def spool_files(directory: Path) -> list[Path]:
    """The files that are named like spools; none where there is no directory.

    Raises:
        SpoolDiskError: the directory can't be read.
    """
    return _files(directory, SUFFIX)


def tidy(directory: Path) -> None:
    """Removes what ended processes began to write: what it stands for is in the old files.

    Raises:
        SpoolDiskError: the directory can't be read.
    """
    for path in _files(directory, _NEW_SUFFIX):
        with suppress(OSError):  # litter, which hurts nobody
            _remove_if_abandoned(path)


def _files(directory: Path, suffix: str) -> list[Path]:
    with disk_errors():
        try:
            return sorted(path for path in directory.iterdir() if path.suffix == suffix)
        except FileNotFoundError:
            return []


def write_file(path: Path, writer: Writer, batches: list[NumberedBatch]) -> tuple[int, Content]:
    """Writes a whole spool, which gets its name when all of it is on disk.

    It is locked before it has its name, so that nobody can take it for abandoned.

    Returns:
        The open file, and what is in it.
    """
    new = path.with_suffix(_NEW_SUFFIX)
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(file, b"".join([header(writer), *map(encode, batches)]), 0)
        os.fsync(file)
        content = read_file(file)
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        os.close(file)
        raise
    return file, content


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raises the system's errors as the spool's."""
    try:
        yield
    except OSError as error:
        raise SpoolDiskError(error.strerror or str(error)) from error


def open_file(path: Path, how: int) -> int:
    """Opens a file, and neither follows a link nor waits for the other end of a pipe.

    Raises:
        UnreadableSpoolError: there is something else than a file.
    """
    file = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UnreadableSpoolError("it is no file")
    return file


def read_file(file: int) -> Content:
    """What is in an open file.

    Raises:
        UnreadableSpoolError: it is no spool.
    """
    return parse(os.pread(file, os.fstat(file).st_size, 0))


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


def _remove_if_abandoned(path: Path) -> None:
    file = open_abandoned(path)
    if file is not None:
        path.unlink(missing_ok=True)
        os.close(file)


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
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def write_all(file: int, data: bytes, offset: int) -> None:
    """Writes all of the data, however many calls that takes."""
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def sync_directory(directory: Path) -> None:
    """Returns when the names in the directory are on disk."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)
