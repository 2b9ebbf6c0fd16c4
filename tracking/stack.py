"""`waymark run`: all processes of the Procfile, started together and stopped in order."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from tracking.errors import WaymarkError

# Clicks go from the redirector through Redis to the flusher, whose last flush needs Redis: whoever
# feeds another is stopped before it.
_STOPPED_LAST = ("flusher", "redis")

# Each of the three stages may take this many seconds; then all that is left is killed.
_STAGE_SECONDS = 10.0
_KILL_SECONDS = 3 * _STAGE_SECONDS

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Stack(Manager):  # type: ignore[misc] # honcho carries no types
    """honcho's manager, with processes that stop in the order of the data's flow.

    Args:
        procfile: path of the Procfile.
        addresses: host and port of each service, which are waited for.
        greeting: printed when all of them listen.

    Raises:
        WaymarkError: the Procfile can't be read.
    """

    def __init__(self, procfile: Path, addresses: list[tuple[str, int]], greeting: str) -> None:
        super().__init__(Printer(sys.stdout, colour=sys.stdout.isatty()))
        try:
            processes = parse_procfile(procfile.read_text()).processes
        except OSError as error:
            raise WaymarkError(f"can't read {procfile}: {error.strerror}") from None
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        for name, command in processes.items():
            # Without `exec` some shells stay between honcho and the process, and die of its signal.
            self.add_process(name, f"exec {command}", env=environment)
        self._addresses = addresses
        self._greeting = greeting
        self._terminating: bool = False
        self._signalled = False
        self._kill_at = float("inf")

    def run(self) -> int:
        """Runs until a signal, or until any process ends.

        Returns:
            The exit status: 0 when it was told to stop and everyone stopped well, else 1.

        Raises:
            WaymarkError: somebody else listens where the services should.
        """
        for host, port in self._addresses:
            if _listens((host, port)):
                raise WaymarkError(f"{host} port {port} is in use: is Waymark running already?")
        # A closed terminal stops everything too.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        threading.Thread(target=self._greet, daemon=True).start()
        with _terminal_of_our_own():
            self.loop()
        # Who was told to stop before it listened to signals ends by the signal, and that is well.
        well = {0, -signal.SIGTERM}
        failed = any(process["returncode"] not in well for process in self._processes.values())
        return 0 if self._signalled and not failed else 1

    def terminate(self) -> None:
        """Stops everyone, stage after stage; called again, it changes nothing.

        honcho calls this at a signal, and when a process has ended by itself.
        """
        if self._terminating:
            return
        self._terminating = True
        self._signalled = not self._any_stopped()
        self._kill_at = time.monotonic() + _KILL_SECONDS
        threading.Thread(target=self._stop_in_order, daemon=True).start()

    def kill(self) -> None:
        """honcho calls this five seconds after the first process ended; the stages have longer."""
        if time.monotonic() > self._kill_at:
            super().kill()

    def _stop_in_order(self) -> None:
        first = [name for name in self._processes if name not in _STOPPED_LAST]
        for stage in (first, *([name] for name in _STOPPED_LAST)):
            deadline = time.monotonic() + _STAGE_SECONDS
            for name in stage:
                self._stop(name, deadline)
            for name in stage:
                self._wait_for(name, "returncode", deadline)

    def _stop(self, name: str, deadline: float) -> None:
        self._wait_for(name, "pid", deadline)  # it may have been about to start
        process = self._processes.get(name, {})
        if "pid" in process and "returncode" not in process:
            self._procmgr.terminate(process["pid"])

    def _wait_for(self, name: str, event: str, deadline: float) -> None:
        process = self._processes.get(name)
        while process is not None and event not in process and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _greet(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        for address in self._addresses:
            while not _listens(address):
                if self._terminating or time.monotonic() > deadline:
                    return
                time.sleep(_POLL_SECONDS)
        sys.stdout.write(self._greeting)
        sys.stdout.flush()


def _listens(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


@contextmanager
def _terminal_of_our_own() -> Iterator[None]:
    """Takes the terminal's foreground for this process alone, away from the `make` it runs under.

    Ctrl-C then stops Waymark, whose status `make` passes on; otherwise it would stop `make` too,
    which reports an interrupt however well everything stopped.
    """
    leads_its_group = os.getpgrp() == os.getpid()
    if leads_its_group or not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    former = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # The shell's job is `make`: stopping us alone would leave the terminal with nobody.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(0, former)
