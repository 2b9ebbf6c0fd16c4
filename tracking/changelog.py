"""The log of changes: who made, changed or ended which campaign or token. A line each, when the
transaction that did it is committed.

What a client may have chosen is written as Python writes a text, with what is not printable
escaped: a line stays one line. No token is in it, only its id.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

logger = logging.getLogger(__name__)

SOMEBODY = "this program"

_NOTES = "changes"


def note(connection: AsyncConnection, what: str) -> None:
    """Notes what the transaction changes."""
    connection.info.setdefault(_NOTES, []).append(what)


@contextmanager
def collected(connection: AsyncConnection) -> Iterator[list[str]]:
    """Collects what is noted on a connection, which others will have after this."""
    notes: list[str] = []
    # Asked for once: a connection that breaks meanwhile has none any more.
    info = connection.info
    info[_NOTES] = notes
    try:
        yield notes
    finally:
        info.pop(_NOTES, None)


def write(by: str, notes: list[str]) -> None:
    """Writes the lines, once what they say is true.

    Args:
        by: who did it, in words.
    """
    for what in notes:
        logger.info("%s: %s", by, what)
