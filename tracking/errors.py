"""What can go wrong in the domain. HTTP statuses for these are chosen in `api/errors.py` alone."""


class WaymarkError(Exception):
    """The root of every error that Waymark raises on purpose; its text is meant for people."""


class DatabaseUnavailableError(WaymarkError):
    """SQL can't be used now: it is locked, out of reach, full or broken. Trying later may help."""


class DatabaseBusyError(DatabaseUnavailableError):
    """Another connection kept the database locked for longer than `DATABASE_TIMEOUT`."""


class QueryTimeoutError(DatabaseUnavailableError):
    """A query was interrupted: it took longer than it may. The database is well."""


class NoDatabaseError(WaymarkError):
    """There is no database where one is needed, or the file was never Waymark's."""


class DatabaseInUseError(WaymarkError):
    """A restore needs the database for itself, or has it."""


class BackupError(WaymarkError):
    """A backup can't be made, or a file is none."""


class SchemaError(WaymarkError):
    """The database was written by a newer Waymark than this one."""


class DuplicateCodeError(WaymarkError):
    """A campaign with this code exists, maybe in another event or organizer."""


class OrderTakenError(WaymarkError):
    """An order belongs to another campaign of its event.

    Args:
        order: the order's code.
        campaign: the code of the campaign that has it.
    """

    def __init__(self, order: str, campaign: str) -> None:
        super().__init__(f"Order {order} is attributed to the campaign {campaign} already.")


class KeyClaimedError(WaymarkError):
    """Another request with the same idempotency key is being worked on."""


class UnknownNameError(WaymarkError):
    """An organizer, event or token that a command names does not exist."""


class InvalidNameError(WaymarkError):
    """A slug given to a command does not have the form it needs."""
