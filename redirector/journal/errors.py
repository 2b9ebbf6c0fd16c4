"""What can be wrong with a journal."""

from collections.abc import Iterator
from contextlib import contextmanager

from tracking.errors import WaymarkError


class JournalError(WaymarkError):
    """A journal can't be used: the root of these errors, none of which Redis or SQL ever raises."""


class JournalDiskError(JournalError):
    """The disk refused: it is full, read-only, broken or out of reach. The text is the system's."""


class UnreadableJournalError(JournalError):
    """A file that is no journal, or one of a later version: it is left alone."""


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raises the system's errors as the journal's."""
    try:
        yield
    except OSError as error:
        raise JournalDiskError(error.strerror or str(error)) from error
