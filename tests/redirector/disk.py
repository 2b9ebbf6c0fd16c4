"""A spool that gives nothing back."""

import fcntl
import os

from redirector.spooling import Spooling


def refuse_reading(spooling: Spooling) -> None:
    """From now on what is in this spool can't be read, and everything else goes on.

    One that its writer has left already is read by nobody.
    """
    spool = spooling._spool
    assert spool is not None
    if spool._file == -1:
        return
    writing_only = os.open(spool._path, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(writing_only, spool._file, inheritable=False)
    os.close(writing_only)
    fcntl.flock(spool._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
