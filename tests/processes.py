"""Waymark's processes, started as an operator starts them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m` with these arguments, and no settings but those named; killed at the end.

    It leads a session of its own, by which what it starts can be found.

    Its log is on `stderr`, which must be read, in the end by `communicate`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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
