"""Waymark's processes, started as an operator starts them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from tracking.settings import Settings

_DEADLINE_SECONDS = 30


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment with no settings but these."""
    names = {name.upper() for name in Settings.model_fields}
    return {**{name: value for name, value in os.environ.items() if name not in names}, **settings}


def started(*arguments: str, **environment: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """`python -m` with these arguments, as a `launched` command.

    Its log is on `stderr`, which must be read, in the end by `communicate`.
    """
    return launched([sys.executable, "-m", *arguments], environment)


@contextmanager
def launched(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    output: int = subprocess.PIPE,
    log: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """A command with no settings but those named; killed at the end.

    It leads a session of its own, by which what it starts can be found.

    Args:
        output: where its standard output goes; by default to a pipe of ours.
        log: where its standard error goes; likewise.
    """
    process = subprocess.Popen(
        command,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        stdout=output,
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(process: "subprocess.Popen[str]") -> str:
    """Waits for the process's end; what it logged."""
    _, log = process.communicate(timeout=_DEADLINE_SECONDS)
    return log


def failure(*arguments: str, **environment: str) -> tuple[int, str]:
    """The status and the log of a process that ends by itself."""
    with started(*arguments, **environment) as process:
        log = finished(process)
    return process.returncode, log
