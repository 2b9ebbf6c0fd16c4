"""Processes that the load test starts: none of them outlives it, whenever a signal comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from loadtest.cores import pinned
from loadtest.errors import LoadtestError

ROOT = Path(__file__).parents[1]

_STOP_SECONDS = 20.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Whatever else is set might lead to somebody's Redis or database, or change what locust does.
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


def clean_environment(home: Path) -> dict[str, str]:
    """What every process is given: little of ours, and another home, where no configuration is."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "HOME": str(home)}


def child(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: IO[bytes] | int,
    stderr: int,
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`python -m <module>`, as a `program`."""
    command = [sys.executable, "-m", module, *arguments]
    return program(command, environment, stdout=stdout, stderr=stderr)


@contextmanager
def program(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: IO[bytes] | int,
    stderr: int,
    cores: AbstractSet[int] | None = None,
    directory: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a checkout's directory, killed if it outlasts the block.

    It has a session of its own: the terminal's Ctrl-C is for us, who stop everyone in order.

    Args:
        cores: it, and whatever it starts, stays on these; None: as we do.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        # A signal in the midst of it would leave a process that nobody knows.
        with signals_held(), pinned(cores):
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            with process:
                process.kill()


@contextmanager
def service(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    log: Path,
    cores: AbstractSet[int] | None = None,
    directory: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A `program` that runs until it is told to stop, at the block's end.

    Args:
        log: the file that its output is added to.

    Raises:
        LoadtestError: it did not stop, or not well.
    """
    with (
        log.open("ab") as output,
        program(
            command,
            environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cores=cores,
            directory=directory,
        ) as process,
    ):
        try:
            yield process
        finally:
            # Whoever ends us now waits until everyone has stopped in order.
            with signals_held():
                process.terminate()
                try:
                    status = process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    raise LoadtestError(f"{log.stem} did not stop") from None
    if status not in {0, -signal.SIGTERM}:
        raise LoadtestError(f"{log.stem} ended with status {status}: {last_line(log)}")


def last_line(log: Path) -> str:
    """The last thing that a log says."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing in its log"


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals that come meanwhile take effect at the block's end."""
    came: list[int] = []
    former = {
        number: signal.signal(number, lambda came_now, _: came.append(came_now))
        for number in _STOP_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def exit_on_signals() -> None:
    """From now on a signal ends the program by `SystemExit`, so that all blocks are left."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _exit)


def ignore_signals() -> None:
    """From now on no signal hurries what is being tidied up."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    ignore_signals()
    sys.exit(128 + number)
