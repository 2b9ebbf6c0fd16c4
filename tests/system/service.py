"""One process of Waymark under a process manager's eyes: when it was killed it is started again."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from loadtest.process import ROOT
from tests.system import sessions
from tests.waiting import until

# What a process leaves behind has so long to end by itself; a manager would not wait at all.
_ORPHAN_SECONDS = 1.5
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
# A process that ends again and again does not become a loop without pause.
_RESTART_SECONDS = 0.1


class Service:
    """A process in a session of its own, with the log of all its lives.

    Args:
        name: for people.
        module: what `python -m` runs.
        environment: all that it is given.

    Attributes:
        log: lines, each with the seconds since the service was made.
        problems: what a process manager would wake somebody for: an end that nobody asked for.
        orphans: processes that outlived the one that had started them, and were killed.
        statuses: with which it ended, life by life.
    """

    def __init__(self, name: str, module: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log: list[str] = []
        self.problems: list[str] = []
        self.orphans = 0
        self.statuses: list[int] = []
        self._module = module
        self._environment = dict(environment)
        self._began = time.monotonic()
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._killed = False
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process's id, which is its session's too; of the last one, when none runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The worker processes, where it is a supervisor of some."""
        return sessions.workers(self.pid)

    def start(self) -> None:
        """Starts the process, and from now on again whenever it ends."""
        self._stopping = False
        self._launch()
        self._keeper = asyncio.create_task(self._keep())

    def kill(self) -> None:
        """`kill -9`; the next process is under way at once."""
        self._killed = True
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if it lives."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, *numbers: signal.Signals) -> int:
        """Ends it for good by the signals, one SIGTERM where none is named; its exit status."""
        self._stopping = True
        for number in numbers or (signal.SIGTERM,):
            self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Waits for the end of a process that was told to stop; its exit status."""
        self._stopping = True
        await until(lambda: not self.runs, within=_STOP_SECONDS)
        assert self._keeper is not None
        await self._keeper
        return self.statuses[-1]

    async def destroy(self) -> None:
        """Makes sure that nothing is left of it, whatever happened."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._process is not None:
            self._process.kill()
            for pid in sessions.members(self.pid):
                sessions.kill(pid)
            self._process.wait()
        for reader in self._readers:
            await asyncio.to_thread(reader.join)

    def _launch(self) -> None:
        self._killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # Not a file: a disk that is full for the process must not take its log away.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        reader.start()
        self._readers = [each for each in self._readers if each.is_alive()] + [reader]

    async def _keep(self) -> None:
        while True:
            while self.runs:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(_POLL_SECONDS)
            assert self._process is not None
            status = self._process.returncode
            self.statuses.append(status)
            self._say(f"ended with status {status}")
            if not self._killed and not self._stopping:
                self.problems.append(f"{self.name} ended by itself with status {status}")
            await self._clear()
            if self._stopping:
                return
            await asyncio.sleep(_RESTART_SECONDS)
            self._launch()

    async def _clear(self) -> None:
        """Ends what the process left behind; it would hold its port."""
        with suppress(AssertionError):
            await until(lambda: not sessions.members(self.pid), within=_ORPHAN_SECONDS)
        left = sessions.members(self.pid)
        for pid in left:
            sessions.kill(pid)
        if left:
            self.orphans += len(left)
            self._say(f"{len(left)} processes outlived it, and were killed: {left}")
        await until(lambda: not sessions.members(self.pid))

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._say(line.rstrip())

    def _say(self, text: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:8.2f}  {text}")
