"""`python -m redirector.embedded`: the Redis server that runs where none is configured.

It adds up, and keeps nothing on disk: what it forgets is sent again from the journals. It listens
on a Unix socket in `DATA_DIR` that only its owner can open, on no TCP port. The process becomes the
server, so that whoever stops it stops the server.
"""

import fcntl
import logging
import os
import signal
from typing import NoReturn

from redirector.embedded import data
from redirector.embedded.binary import find_binary
from tracking import process
from tracking.errors import WaymarkError
from tracking.settings import Settings

logger = logging.getLogger("redirector.embedded")


def server_arguments(settings: Settings) -> list[str]:
    """The server's configuration as command line arguments."""
    directory = settings.redis_dir.absolute()
    options = {
        "port": "0",
        # The server changes into `dir` before it binds.
        "unixsocket": settings.redis_socket.name,
        "unixsocketperm": "700",
        "dir": str(directory),
        "pidfile": str(directory / "redis.pid"),
        # The log of an earlier version is read, and no longer than needed written.
        "appendonly": "yes" if data.has_log(directory) else "no",
        "appendfsync": "always",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def main(settings: Settings) -> None:
    """Becomes the Redis server, or waits for a signal where another server is configured."""
    if settings.redis_url is not None:
        stops = set(process.stop_signals())
        signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        logger.info("REDIS_URL is set: no embedded Redis is needed")
        signal.sigwait(stops)
        return
    _become_server(settings)


def _become_server(settings: Settings) -> NoReturn:
    server = find_binary(settings.redis_server)
    try:
        settings.redis_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.redis_dir.chmod(0o700)
        path = settings.redis_dir / data.LOCK
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise WaymarkError(
            f"can't write to {settings.redis_dir}: {error.strerror} (DATA_DIR)"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise WaymarkError(f"an embedded Redis runs in {settings.redis_dir} already") from None
    data.check(settings.redis_dir, server)
    # The server inherits the lock, and so holds it for as long as it lives.
    os.set_inheritable(lock, True)
    logger.info("starting %s (%s) on %s", server, server.path, settings.redis_socket)
    process.flush_log()
    os.execv(server.path, [str(server.path), *server_arguments(settings)])  # noqa: S606 - our own arguments


if __name__ == "__main__":
    process.run("redis", main)
