"""What every process of Waymark does alike: settings, log, sockets and the exit status."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tracking import changelog, data_dir
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError, WaymarkError
from tracking.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

EXIT_FAILURE = 1
EXIT_WRONG_SETTING = 2


def configure_logging(level: int = logging.INFO) -> None:
    """Sends the log to standard error, one line a record, libraries' chatter left out.

    Args:
        level: of what is written at least; changes of campaigns and tokens always are.
    """
    changelog.logger.setLevel(logging.INFO)
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def spare_collector() -> None:
    """Keeps what is loaded by now, and stays, out of the garbage collector's rounds.

    A full round walks through all there is: the libraries' 100,000 objects take 60 ms or more, in
    which nobody is answered. None goes before: imports leave next to nothing for it.
    """
    gc.freeze()


def run(name: str, main: Callable[[Settings], None]) -> None:
    """Loads the settings and calls `main`, with the log on standard error.

    To be called when all is imported. Exits as `reported_errors` says.
    """
    configure_logging()
    spare_collector()
    data_dir.keep_private()
    with reported_errors(name):
        settings = Settings.load()
        data_dir.secure(settings)
        main(settings)


@contextmanager
def reported_errors(name: str) -> Iterator[None]:
    """Turns what Waymark raises into one line on standard error and an exit status.

    Exits with 2 when a setting is wrong, with 1 when the process can't do its work.
    """
    try:
        yield
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"{name}: {line}", file=sys.stderr)  # noqa: T201 - the one line to the operator
        sys.exit(EXIT_WRONG_SETTING)
    except WaymarkError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the one line to the operator
        sys.exit(EXIT_FAILURE)


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Binds a listening TCP socket.

    Args:
        setting: the variable that chose the port, named in the error.

    Raises:
        WaymarkError: the address is in use, not of this machine, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:  # a host that no name can be is a UnicodeError
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise WaymarkError(
            f"can't listen on {host} port {port}: {reason} (settings HOST and {setting})"
        ) from None
    listener.set_inheritable(True)
    return listener


def ignore_stop_signals() -> None:
    """Leaves SIGINT and SIGTERM to the server that runs next.

    uvicorn stops in order at either, then raises the signal again for whoever handled it before;
    with nobody there, the process ends with status 0.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def prepare_database(settings: Settings) -> None:
    """Brings the schema up to date before a service starts, which must do without when SQL is away.

    Raises:
        WaymarkError: `DATA_DIR` can't be written, or the database is newer than this program.
    """

    async def prepare() -> None:
        database = Database.of(settings)
        try:
            await database.migrate()
        except DatabaseUnavailableError as error:
            logger.warning("the database can't be used yet: %s", error)
        finally:
            await database.close()

    asyncio.run(prepare())
