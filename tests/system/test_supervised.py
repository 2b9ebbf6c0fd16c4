"""`waymark run` with its services, on a bad day: its output is lost, its terminal, its own life."""

import os
import pty
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.processes import free_port, launched
from tests.system import sessions
from tests.waiting import until

RUN = [sys.executable, "-m", "redirector.commands.cli", "run"]
LINK = "/bigevents/sampleconf/c/newsletter/"


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor, and what brings its end."""

    process: "subprocess.Popen[str]"
    end: Callable[[], None]


@contextmanager
def _head(variables: dict[str, str], number: signal.Signals) -> Iterator[Running]:
    """As `waymark run 2>&1 | head -3`; then a signal."""
    reader, writer = os.pipe()
    with launched(RUN, variables, output=writer, log=writer) as process:
        os.close(writer)
        with os.fdopen(reader) as lines:
            for _ in range(3):
                assert lines.readline()
        yield Running(process, lambda: process.send_signal(number))


@contextmanager
def _nobody_reads(variables: dict[str, str]) -> Iterator[Running]:
    """Its output goes to a full pipe; then SIGTERM."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    with launched(RUN, variables, output=writer, log=writer) as process:
        os.close(writer)
        yield Running(process, process.terminate)
    os.close(reader)


@contextmanager
def _terminal(
    command: list[str], variables: dict[str, str], end: Callable[[int], None]
) -> Iterator[Running]:
    """A command in the foreground of a terminal, whose window's descriptor `end` is given."""
    window, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *command],
        env={**os.environ, **variables},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        text=True,
    )
    os.close(terminal)
    try:
        yield Running(process, lambda: end(window))
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):
            os.close(window)


@contextmanager
def _killed(variables: dict[str, str]) -> Iterator[Running]:
    with launched(RUN, variables, output=subprocess.DEVNULL) as process:
        yield Running(process, process.kill)


def _press_ctrl_c(window: int) -> None:
    os.write(window, b"\x03")


Start = Callable[[dict[str, str]], AbstractContextManager[Running]]

# How it runs and ends, and its exit status.
ENDS: dict[str, tuple[Start, int]] = {
    "its reader is gone, SIGTERM": (lambda variables: _head(variables, signal.SIGTERM), 0),
    "its reader is gone, SIGINT": (lambda variables: _head(variables, signal.SIGINT), 0),
    "its reader stands still, SIGTERM": (_nobody_reads, 0),
    "its terminal is closed": (lambda variables: _terminal(RUN, variables, os.close), 0),
    # A shell that got Ctrl-C too would end by the signal.
    "Ctrl-C in a terminal, under another program": (
        lambda variables: _terminal(
            ["sh", "-c", f"{shlex.join(RUN)}; exit $?"], variables, _press_ctrl_c
        ),
        0,
    ),
    "it is killed": (_killed, -signal.SIGKILL),
}


@pytest.mark.parametrize(("start", "status"), ENDS.values(), ids=ENDS)
async def test_everyone_stops_in_order(short_dir: Path, start: Start, status: int) -> None:
    """Whatever becomes of its output: links work, and at the end nobody is left; a click that only
    the flusher's last flush could move is in SQL, for which Redis lived longer than the flusher."""
    redirector_port = free_port()
    variables = {
        "DATA_DIR": str(short_dir),
        "REDIRECTOR_PORT": str(redirector_port),
        "API_PORT": str(free_port()),
        "DASHBOARD_PORT": str(free_port()),
        "FLUSH_INTERVAL": "3600",
    }
    redirector = f"http://127.0.0.1:{redirector_port}"
    with start(variables) as running:
        async with httpx.AsyncClient(base_url=redirector, verify=False) as client:
            await until(lambda: _flushed(short_dir), within=60)
            await until(lambda: _answers(client), within=60)
            assert (await client.get(LINK)).status_code == 302
        family = _family(running.process.pid)
        try:
            running.end()
            await until(lambda: running.process.poll() is not None)
            await until(lambda: not any(map(sessions.lives, family)))
        finally:
            for pid in filter(sessions.lives, family):
                sessions.kill(pid)
    assert running.process.returncode == status
    # The supervisor or a shell before it, five processes, and shells that some systems leave.
    assert len(family) >= 6
    assert _rows(short_dir, "SELECT click_count FROM campaigns") == [(1,)]


def _family(pid: int) -> list[int]:
    """A process, those that it has started, and theirs."""
    return [pid] + [each for child in sessions.children(pid) for each in _family(child)]


def _flushed(directory: Path) -> bool:
    """Whether the flusher's first turn is over; the next one is an hour later."""
    return bool(_rows(directory, "SELECT 1 FROM flusher_status"))


def _rows(directory: Path, query: str) -> list[tuple[object, ...]]:
    with (
        suppress(sqlite3.OperationalError),  # not there yet
        closing(sqlite3.connect(f"file:{directory}/waymark.db?mode=ro", uri=True)) as database,
    ):
        return database.execute(query).fetchall()
    return []


async def _answers(client: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await client.head(LINK)).status_code == 302
    return False
