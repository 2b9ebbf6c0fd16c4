"""What goes wrong with a load test, other than wrong counts."""


class LoadtestError(Exception):
    """The load test can't be done; the text says why, in one line."""


class MissingError(LoadtestError):
    """A program that the load test needs is not installed."""
