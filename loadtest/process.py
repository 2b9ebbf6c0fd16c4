"""Processes that the load test starts: none of them outlives it, whenever a signal comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

ROOT = Path(__file__).parents[1]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Whatever else is set might lead to somebody's Redis or database, or change what locust does.
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


def clean_environment(home: Path) -> dict[str, str]:
    """What every process is given: little of ours, and another home, where no configuration is."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "HOME": str(home)}


@contextmanager
def child(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: IO[bytes] | int,
    stderr: int,
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m <module>` in the project's directory, killed if it outlasts the block.

    It has a session of its own: the terminal's Ctrl-C is for us, who stop everyone in order.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        # A signal in the midst of it would leave a process that nobody knows.
        with signals_held():
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
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
