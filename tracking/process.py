"""What every process of Waymark does alike: settings, log, sockets and the exit status."""

import argparse
import asyncio
import gc
import inspect
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tracking import changelog, data_dir
from tracking.database import Database
from tracking.database_lock import DatabaseLock
from tracking.errors import DatabaseUnavailableError, WaymarkError
from tracking.output import Output, OutputHandler
from tracking.presence import Start
from tracking.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

EXIT_FAILURE = 1
EXIT_WRONG_SETTING = 2


def configure_logging(level: int = logging.INFO) -> None:
    """Sends the log to standard error, one line a record, libraries' chatter left out.

    Who does not read the log keeps nobody from working.

    Args:
        level: of what is written at least; changes of campaigns and tokens always are.
    """
    changelog.logger.setLevel(logging.INFO)
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[OutputHandler(Output(sys.stderr))],
    )
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of each body that is no multipart form, which its sender is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def flush_log() -> None:
    """Waits until the log so far is written, or its reader has had some seconds."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def spare_collector() -> None:
    """Keeps what is loaded by now, and stays, out of the garbage collector's rounds.

    A full round walks through all there is: the libraries' 100,000 objects take 60 ms or more, in
    which nobody is answered. None goes before: imports leave next to nothing for it.
    """
    gc.freeze()


def run(name: str, main: Callable[[Settings], None]) -> None:
    """Loads the settings and calls `main`, with the log on standard error.

    To be called when all is imported. Exits as `reported_errors` says; there are no arguments but
    `--help`, which shows what `main`'s module says of itself.
    """
    _check_arguments(name, main)
    configure_logging()
    Start.begin()
    spare_collector()
    data_dir.keep_private()
    with reported_errors(name):
        settings = Settings.load()
        data_dir.secure(settings)
        main(settings)


def _check_arguments(name: str, main: Callable[[Settings], None]) -> None:
    module = sys.modules[main.__module__]
    prog = name if module.__spec__ is None else f"python -m {module.__spec__.parent}"
    if module.__spec__ is not None and not module.__spec__.name.endswith(".__main__"):
        prog = f"python -m {module.__spec__.name}"
    argparse.ArgumentParser(
        prog=prog,
        description=inspect.getdoc(module),
        epilog="All settings are environment variables; README.md lists them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


@contextmanager
def reported_errors(name: str) -> Iterator[None]:
    """Turns what Waymark raises into one line on standard error and an exit status.

    Exits with 2 when a setting is wrong, with 1 when the process can't do its work.
    """
    try:
        yield
    except SettingsError as error:
        _complain(f"{name}: {line}" for line in str(error).splitlines())
        sys.exit(EXIT_WRONG_SETTING)
    except WaymarkError as error:
        _complain([f"{name}: {error}"])
        sys.exit(EXIT_FAILURE)


def _complain(lines: Iterable[str]) -> None:
    flush_log()
    try:
        for line in lines:
            print(line, file=sys.stderr)  # noqa: T201 - the one line to the operator
    except OSError:
        # Nobody reads it. What Python has of it would fail once more at the end, and change the
        # status (docs.python.org, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


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


def stop_signals() -> list[signal.Signals]:
    """Signals that stop a process in order: SIGINT, SIGTERM, and SIGHUP unless it was ignored when
    the process started, as `nohup` has it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM] + ([] if ignored else [signal.SIGHUP])


def stop_at_hangup() -> None:
    """Makes SIGHUP, which a closing terminal sends, do what SIGTERM does."""
    if signal.SIGHUP in stop_signals():
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def hold_stop_signals() -> list[int]:
    """Leaves SIGINT, SIGTERM and SIGHUP to the server that runs next.

    uvicorn stops in order at either of the first two, then raises the signal again for whoever
    handled it before; with nobody there, the process ends with status 0.

    Returns:
        Those that come while no server handles them, which the next one must be told of.
    """
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    stop_at_hangup()
    return came


def prepare_database(settings: Settings) -> None:
    """Brings the schema up to date before a service starts, which must do without when SQL is away.

    From then to its end the process shares the lock that a restore needs for itself.

    Raises:
        WaymarkError: `DATA_DIR` can't be written, the database is newer than this program, or a
            restore is at work.
    """
    data_dir.make_directory(settings.database_path.parent)
    DatabaseLock(settings.database_path).share()

    async def prepare() -> None:
        database = Database.of(settings)
        try:
            await database.migrate()
        except DatabaseUnavailableError as error:
            logger.warning("the database can't be used yet: %s", error)
        finally:
            await database.close()

    asyncio.run(prepare())
