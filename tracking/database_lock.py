"""Who uses the database: whoever does shares a lock, and a restore has it alone.

SQLite's own locks last as long as a transaction, or a connection that may not be open now. This one
is held on a file beside the database from a process's start to its end, and goes with the process,
however that ends.
"""

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from tracking.errors import DatabaseInUseError, WaymarkError

logger = logging.getLogger(__name__)

SUFFIX = ".lock"


class DatabaseLock:
    """A process's part in the lock of a database.

    Args:
        database: the database's file, in whose directory the lock is.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + SUFFIX)
        self._database = database
        self._file: int | None = None
        self._complained = False

    def share(self) -> None:
        """Takes part in using the database; called again, it changes nothing.

        Raises:
            DatabaseInUseError: a restore is at work.
        """
        if self._file is not None:
            return
        try:
            self._take(fcntl.LOCK_SH)
        except BlockingIOError:
            raise DatabaseInUseError(
                f"{self._database} is being restored: start again when that is done"
            ) from None
        except OSError as error:
            # Whoever may only read the directory may go on; a restore sees open connections too.
            if not self._complained:
                logger.warning("can't lock %s: %s", self._path, error.strerror)
            self._complained = True

    def take_alone(self) -> None:
        """Keeps everybody from using the database.

        Raises:
            DatabaseInUseError: somebody does.
            WaymarkError: the lock can't be made.
        """
        try:
            self._take(fcntl.LOCK_EX)
        except BlockingIOError:
            raise DatabaseInUseError(
                f"something of Waymark's uses {self._database}: stop it first"
            ) from None
        except OSError as error:
            raise WaymarkError(f"can't lock {self._path}: {error.strerror}") from None

    def release(self) -> None:
        """Lets others have it; called again, it does nothing."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _take(self, kind: int) -> None:
        file = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            self._give_to_the_databases_owner(file)
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
        self._file = file

    def _give_to_the_databases_owner(self, file: int) -> None:
        """What root makes must not keep a service's user out, as SQLite does with its files."""
        if os.geteuid() != 0:
            return
        with suppress(OSError):
            owner = self._path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
