"""A disk that is full, or that gives nothing back, for this process."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from redirector.spooling import Spooling


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Meanwhile no file of this process can grow beyond this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refuse_reading(spooling: Spooling) -> None:
    """From now on what is in this spool can't be read, and everything else goes on."""
    spool = spooling._spool
    assert spool is not None
    writing_only = os.open(spool._path, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(writing_only, spool._file, inheritable=False)
    os.close(writing_only)
    fcntl.flock(spool._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
