"""`waymark run`: all processes of the Procfile, started together and stopped in order."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import WaymarkError
from tracking.output import Output
from tracking.printer import LineReader, Printer
from tracking.process import stop_signals
from tracking.reaper import STAGE_SECONDS, Reaper

# Clicks go from the redirector through Redis to the flusher, whose last flush needs Redis: whoever
# feeds another is stopped before it.
_STOPPED_LAST = ("flusher", "redis")

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
# How long the last lines of a process that ended are waited for, in seconds: one that it started
# may hold the pipe.
_LAST_LINES_SECONDS = 0.5

Address = tuple[str, int]


def run(procfile: Path, addresses: Sequence[Address], greeting: str) -> int:
    """Runs all processes until a signal, or until any of them ends.

    Args:
        procfile: a line `name: command` for each process.
        addresses: host and port of each service, which are waited for.
        greeting: printed when all of them listen.

    Returns:
        The exit status: 0 when it was told to stop and everyone stopped well, else 1.

    Raises:
        WaymarkError: somebody else listens where the services should, the Procfile can't be read,
            or a process can't be started.
    """
    commands = read_procfile(procfile)
    for host, port in addresses:
        if _listens((host, port)):
            raise WaymarkError(f"{host} port {port} is in use: is Waymark running already?")
    output = Output(sys.stdout)
    coloured = sys.stdout is not None and sys.stdout.isatty()
    supervisor = Supervisor(commands, Printer(output, list(commands), coloured=coloured))
    with _terminal_of_our_own():
        try:
            return asyncio.run(_run(supervisor, addresses, lambda: output.write(greeting)))
        finally:
            output.drain()


async def _run(
    supervisor: "Supervisor", addresses: Sequence[Address], greet: Callable[[], None]
) -> int:
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, supervisor.stop, f"{number.name} received")
    greeting = asyncio.create_task(_when_ready(addresses, greet))
    try:
        return await supervisor.run()
    finally:
        greeting.cancel()


def read_procfile(path: Path) -> dict[str, str]:
    """Each process's command by its name; lines that begin with `#` say nothing.

    Raises:
        WaymarkError: it can't be read, or a line is not `name: command`.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WaymarkError(f"can't read {path}: {reason}") from None
    commands: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9_-]+):\s*(\S.*)", line)
        if match is None or match[1] in commands:
            raise WaymarkError(f"{path}, line {number}: must be a new name, a colon and a command")
        commands[match[1]] = match[2]
    return commands


@dataclass(frozen=True, slots=True)
class _Service:
    """A process of the Procfile; it leads a session of its own, with whatever it starts."""

    name: str
    process: asyncio.subprocess.Process
    lines: LineReader

    @classmethod
    async def start(
        cls, name: str, command: str, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> "_Service":
        reader, writer = os.pipe()
        transport, lines = await asyncio.get_running_loop().connect_read_pipe(
            lambda: LineReader(say), os.fdopen(reader, "rb", buffering=0)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                # Without `exec` some shells stay before the process, and die of its signal.
                *("/bin/sh", "-c", f"exec {command}"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            transport.close()
            raise WaymarkError(f"can't start {name}: {error.strerror}") from None
        finally:
            os.close(writer)
        return cls(name, process, lines)

    @property
    def stage(self) -> int:
        """When it is stopped: those of a lower stage before."""
        return _STOPPED_LAST.index(self.name) + 1 if self.name in _STOPPED_LAST else 0

    async def gone(self) -> None:
        """Waits until it, and whatever it started, has ended."""
        await self.process.wait()
        await self.lines.closed.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Starts processes, passes on what they print, notices who ends, stops all in order.

    Args:
        commands: what the shell is given for each, by name.
        stage_seconds: how long each of the three stages may take to stop before it is killed.
    """

    def __init__(
        self,
        commands: Mapping[str, str],
        printer: Printer,
        stage_seconds: float = STAGE_SECONDS,
    ) -> None:
        self._commands = commands
        self._printer = printer
        self._stage_seconds = stage_seconds
        self._services: list[_Service] = []
        self._stopping = asyncio.Event()

    def stop(self, why: str) -> None:
        """Lets `run` stop everyone; called again, it changes nothing."""
        if not self._stopping.is_set():
            self._system(why)
            self._stopping.set()

    async def run(self) -> int:
        """Runs until `stop` is called, or until any process ends.

        Returns:
            0 when it was told to stop and everyone stopped well, else 1.

        Raises:
            WaymarkError: a process can't be started.
        """
        reaper = await Reaper.start()
        try:
            for name, command in self._commands.items():
                self._services.append(await self._start(name, command))
                reaper.watch(self._services[-1].process.pid, self._services[-1].stage)
            told_first = await self._until_the_end(reaper)
        finally:
            await self._stop_in_order()
            reaper.release()
            await reaper.process.wait()
        # Who was told to stop before it listened to signals ends by the signal, and that is well.
        well = {0, -signal.SIGTERM}
        failed = any(service.process.returncode not in well for service in self._services)
        return 0 if told_first and not failed else 1

    async def _start(self, name: str, command: str) -> _Service:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        service = await _Service.start(
            name, command, environment, lambda line: self._printer.say(name, line)
        )
        self._system(f"{name} started (pid={service.process.pid})")
        return service

    async def _until_the_end(self, reaper: Reaper) -> bool:
        """Waits until somebody says so, or anybody ends; whether somebody said so."""
        told = asyncio.create_task(self._stopping.wait())
        reaper_ended = asyncio.create_task(reaper.process.wait())
        ends = [asyncio.create_task(service.process.wait()) for service in self._services]
        done, waiting = await asyncio.wait(
            [told, reaper_ended, *ends], return_when=asyncio.FIRST_COMPLETED
        )
        for task in waiting:
            task.cancel()
        if reaper_ended in done:
            self._system("the reaper was killed")
        return told in done

    async def _stop_in_order(self) -> None:
        reports = [asyncio.create_task(self._report(service)) for service in self._services]
        for stage in range(len(_STOPPED_LAST) + 1):
            services = [service for service in self._services if service.stage == stage]
            for service in services:
                with suppress(ProcessLookupError):
                    service.process.terminate()
            await self._see_off(services)
        if reports:
            await asyncio.wait(reports, timeout=2 * _LAST_LINES_SECONDS)

    async def _see_off(self, services: list[_Service]) -> None:
        """Waits until these have stopped; kills who takes too long."""
        tasks = {asyncio.create_task(service.gone()): service for service in services}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._stage_seconds)
        for task in late:
            self._system(f"{tasks[task].name} did not stop, and is killed")
            tasks[task].kill()
        if late:
            await asyncio.wait(late, timeout=self._stage_seconds)

    async def _report(self, service: _Service) -> None:
        status = await service.process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_LINES_SECONDS):
                await service.lines.closed.wait()
        self._system(f"{service.name} stopped (rc={status})")

    def _system(self, line: str) -> None:
        self._printer.say("system", line)


async def _when_ready(addresses: Sequence[Address], greet: Callable[[], None]) -> None:
    """Greets when somebody listens on every address, if that is so before long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_SECONDS):
            for address in addresses:
                while not await asyncio.to_thread(_listens, address):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(_POLL_SECONDS)
            greet()


def _listens(address: Address) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


def _is_in_foreground(group: int) -> bool:
    with suppress(OSError):  # there is no terminal, or it is gone
        return os.tcgetpgrp(0) == group
    return False


@contextmanager
def _terminal_of_our_own() -> Iterator[None]:
    """Takes the terminal's foreground for this process alone, away from the `make` it runs under.

    Ctrl-C then stops Waymark, whose status `make` passes on; otherwise it would stop `make` too,
    which reports an interrupt however well everything stopped.
    """
    former = os.getpgrp()
    if former == os.getpid() or not _is_in_foreground(former):
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # The shell's job is `make`: stopping us alone would leave the terminal with nobody.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        # The terminal may be gone by now.
        with suppress(OSError):
            os.tcsetpgrp(0, former)
