"""How many files, and so connections, a process may have open."""

import logging
import resource
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

# For the database, Redis, the disk and the log, of each process.
_RESERVE: Final = 100


def allowed_connections(wanted: int | None) -> int:
    """How many connections this process, and each that it starts, may hold.

    The limit of open files is raised as far as the system lets us.

    Args:
        wanted: None: as many as that limit allows, less a reserve. More than these are not
            promised, since what can't be accepted is refused by the system without a word.
    """
    files = _raise_limit()
    allowed = files - min(_RESERVE, files // 2)
    if wanted is None:
        return allowed
    if wanted > allowed:
        logger.warning(
            "MAX_CONNECTIONS is %d, but %d files may be open: %d connections at most",
            wanted, files, allowed,
        )  # fmt: skip
    return min(wanted, allowed)


def _raise_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Without a hard limit the kernel has one of its own, which it does not tell: then it stays.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
