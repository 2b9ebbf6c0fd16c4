"""This machine's own addresses: the load test talks to no others."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

from loadtest.errors import LoadtestError

HOST = "127.0.0.1"
_HOSTS = {HOST, "::1", "localhost"}


def require_loopback(url: str) -> str:
    """Returns the URL.

    Raises:
        LoadtestError: it leads to another machine, which might be somebody's.
    """
    if urlsplit(url).hostname not in _HOSTS:
        raise LoadtestError(f"{url!r} is not on this machine: the load test talks to {HOST} alone")
    return url


def free_ports(count: int) -> list[int]:
    """TCP ports that nobody listens on; they differ from each other."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
