"""What Waymark keeps in `DATA_DIR`: for its own user alone, and never anywhere else.

`DATA_DIR` may be a symbolic link that the operator chose; nothing of ours in it may be one, since
whoever could put it there would choose what is overwritten, or who can read it.
"""

import logging
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tracking.errors import WaymarkError
from tracking.settings import DATABASE_NAME, Settings

logger = logging.getLogger(__name__)

_UMASK = 0o077
_OTHERS = 0o077
# What SQLite makes beside a database.
_SIDE_FILES = ("-wal", "-shm", "-journal")
_OURS = (DATABASE_NAME, "redis", "journal", "spool", ".writable")


def keep_private() -> None:
    """Makes all that this process and its children will make 0700 and 0600."""
    os.umask(_UMASK)


def secure(settings: Settings) -> None:
    """To be called at the start: what was made with looser modes is tightened, and that is logged.

    Files of other users are told in the log.

    Raises:
        WaymarkError: something of ours is a symbolic link, or a database elsewhere has no
            directory.
    """
    refuse_links(settings)
    require_directory(settings)
    directory = settings.data_dir
    if not directory.is_dir():
        return
    ours = [*_entries(settings)]
    if _holds_nothing_else(directory):
        ours.insert(0, directory.resolve())
    tightened, foreign = [], []
    for path in ours:
        with suppress(FileNotFoundError):  # others start at the same time
            before = stat.S_IMODE(path.lstat().st_mode)
            if path.lstat().st_uid != os.geteuid():
                foreign.append(f"{path} ({_owner(path)})")
            if before & _OTHERS and _tighten(path):
                tightened.append(f"{path} (was {before:04o})")
    if tightened:
        logger.warning("closed to other users: %s", ", ".join(tightened))
    if foreign:
        logger.warning("owned by another user than this process's: %s", ", ".join(foreign))


def refuse_links(settings: Settings) -> None:
    """Makes sure that nothing of ours leads out of `DATA_DIR`.

    Raises:
        WaymarkError: something is a symbolic link.
    """
    linked = [path for path in _directories(settings) if path.is_symlink()]
    if not linked:
        linked = [path for path in _below(settings.redis_dir) if path.is_symlink()]
    if settings.database_url is None:
        database = settings.database_path
        linked += [path for path in (database, *side_files(database)) if path.is_symlink()]
    if linked:
        raise WaymarkError(
            f"{linked[0]} is a symbolic link, which is not followed out of DATA_DIR: make DATA_DIR "
            "itself the link, or set DATABASE_URL for a database that lies elsewhere"
        )


def require_directory(settings: Settings) -> None:
    """Makes sure that a database elsewhere has a directory: only `DATA_DIR` is made.

    Raises:
        WaymarkError: it has none.
    """
    directory = settings.database_path.parent
    if directory.is_dir() or directory.resolve().is_relative_to(settings.data_dir.resolve()):
        return
    raise WaymarkError(
        f"there is no directory {directory.absolute()} for the database (setting DATABASE_URL)"
    )


def side_files(database: Path) -> list[Path]:
    """What SQLite may make beside a database."""
    return [database.with_name(f"{database.name}{end}") for end in _SIDE_FILES]


def make_directory(directory: Path) -> None:
    """Makes the database's directory, and makes sure that it can be written.

    Raises:
        WaymarkError: it can't.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise WaymarkError(f"can't write to {directory}: {error.strerror} (DATA_DIR)") from None


def _directories(settings: Settings) -> tuple[Path, ...]:
    return settings.redis_dir, settings.journal_dir, settings.spool_dir


def _entries(settings: Settings) -> Iterator[Path]:
    """Files and directories of ours below `DATA_DIR`, but for sockets and links."""
    roots = [path for path in _directories(settings) if path.is_dir()]
    found = [*roots, *(path for root in roots for path in _below(root))]
    found += settings.data_dir.glob(f"{DATABASE_NAME}*")
    for path in found:
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            yield path


def _below(directory: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(directory.rglob("*"))
    return []


def _holds_nothing_else(directory: Path) -> bool:
    """Whether the whole directory is ours to close: it may be one that the operator shares."""
    with suppress(OSError):
        return all(path.name.startswith(_OURS) for path in directory.iterdir())
    return False


def _tighten(path: Path) -> bool:
    """Takes all rights from group and others; False when that can't be done."""
    try:
        # By what is opened, so that nobody puts a link there meanwhile.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) & ~_OTHERS)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)


def _owner(path: Path) -> str:
    uid = path.lstat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
