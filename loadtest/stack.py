"""A stack of the load test's own: started as a user does, on free ports, in a fresh directory."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from loadtest.errors import LoadtestError
from loadtest.loopback import HOST, free_ports
from loadtest.process import child, clean_environment, signals_held

LOG = "stack.log"

_WAYMARK = "redirector.commands.cli"

_READY_SECONDS = 60.0
# `waymark run` kills what has not stopped by itself after 30 seconds.
_STOP_SECONDS = 45.0
_COMMAND_SECONDS = 60.0
_POLL_SECONDS = 0.1


class Stack:
    """`waymark run` and its processes.

    Args:
        directory: holds the data and the log; short, since a Unix socket's path is.

    Attributes:
        log: the file that all processes' output goes to, begun anew at each start.
    """

    def __init__(self, directory: Path) -> None:
        redirector_port, api_port, dashboard_port = free_ports(3)
        self.redirector = f"http://{HOST}:{redirector_port}"
        self.api = f"http://{HOST}:{api_port}"
        self.dashboard = f"http://{HOST}:{dashboard_port}"
        self.log = directory / LOG
        self._environment = {
            **clean_environment(directory),
            "HOST": HOST,
            "REDIRECTOR_PORT": str(redirector_port),
            "API_PORT": str(api_port),
            "DASHBOARD_PORT": str(dashboard_port),
            "DATA_DIR": str(directory / "data"),
        }

    @contextmanager
    def running(self) -> Iterator["Stack"]:
        """It runs in the block, and is stopped whatever happens there.

        Raises:
            LoadtestError: it did not start, or did not stop well.
        """
        with (
            self.log.open("wb") as log,
            child(
                _WAYMARK, ["run"], self._environment, stdout=log, stderr=subprocess.STDOUT
            ) as process,
        ):
            try:
                self._wait_until_well(process)
                yield self
            finally:
                # Whoever ends us now waits until everyone has stopped in order.
                with signals_held():
                    status = _stop(process)
        if status:
            raise LoadtestError(f"the stack ended with status {status}")

    def waymark(self, *arguments: str) -> str:
        """Runs a `waymark` command on the stack's data and returns what it prints.

        Raises:
            LoadtestError: it failed.
        """
        pipe = subprocess.PIPE
        with child(_WAYMARK, arguments, self._environment, stdout=pipe, stderr=pipe) as process:
            try:
                output, errors = process.communicate(timeout=_COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                raise LoadtestError(f"waymark {arguments[0]} did not end") from None
        if process.returncode:
            said = (errors or output).decode(errors="replace").strip()
            raise LoadtestError(f"waymark {arguments[0]} failed: {said}")
        return output.decode().strip()

    def _wait_until_well(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        for service in (self.redirector, self.api, self.dashboard):
            while not _is_well(service):
                if process.poll() is not None:
                    raise LoadtestError("the stack did not start")
                if time.monotonic() > deadline:
                    raise LoadtestError(f"{service} is not well after {_READY_SECONDS:g} s")
                time.sleep(_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise LoadtestError(f"the stack did not stop within {_STOP_SECONDS:g} s") from None


def _is_well(service: str) -> bool:
    try:
        return httpx.get(f"{service}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
