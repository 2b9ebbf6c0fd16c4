"""`waymark run`: all processes of the Procfile, started together and stopped in order."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tracking.output import Output
from tracking.printer import Printer
from tracking.process import stop_signals
from tracking.reaper import STAGE_SECONDS, Reaper
from tracking.service import LAST_LINES_SECONDS, STOPPED_LAST, Service
from tracking.terminal import own_terminal

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
# A process that is started again waits longer each time that it lived only briefly, in seconds.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 5.0
_BRIEF_LIFE = 30.0

Address = tuple[str, int]
Works = Callable[[], Awaitable[bool]]


def run(
    commands: Mapping[str, str],
    addresses: Sequence[Address],
    greeting: Callable[[], Awaitable[str]],
    lasting: Mapping[str, Works],
) -> int:
    """Runs all processes until a signal, or until any of them ends for good.

    Args:
        commands: what the shell is given for each, by name.
        addresses: host and port of each service, which are waited for.
        greeting: asked for what to print when all of them listen.
        lasting: as `Supervisor` takes it.

    Returns:
        The exit status: 0 when it was told to stop and everyone stopped well, else 1.

    Raises:
        WaymarkError: a process can't be started.
    """
    output = Output(sys.stdout)
    coloured = sys.stdout is not None and sys.stdout.isatty()
    printer = Printer(output, list(commands), coloured=coloured)
    supervisor = Supervisor(commands, printer, lasting=lasting)

    async def greet() -> None:
        output.write(await greeting())

    with own_terminal():
        try:
            return asyncio.run(_run(supervisor, addresses, greet))
        finally:
            output.drain()


async def _run(
    supervisor: "Supervisor", addresses: Sequence[Address], greet: Callable[[], Awaitable[None]]
) -> int:
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, supervisor.stop, f"{number.name} received")
    greeting = asyncio.create_task(_when_ready(addresses, greet))
    try:
        return await supervisor.run()
    finally:
        greeting.cancel()
        await asyncio.wait([greeting])


@dataclass(slots=True)
class _Life:
    """What decides whether a process that ended is started again, and when.

    Attributes:
        worked: whether it, or one before it, was seen working.
        began: when the process now was started, on the monotonic clock.
        pause: seconds before the next start.
    """

    worked: bool = False
    began: float = field(default_factory=time.monotonic)
    pause: float = _FIRST_PAUSE

    def next_pause(self) -> float:
        """Seconds to wait now."""
        if time.monotonic() - self.began > _BRIEF_LIFE:
            self.pause = _FIRST_PAUSE
        pause, self.pause = self.pause, min(2 * self.pause, _LONGEST_PAUSE)
        return pause


class Supervisor:
    """Starts processes, passes on what they print, notices who ends, stops all in order.

    Args:
        commands: what the shell is given for each, by name.
        stage_seconds: how long each of the three stages may take to stop before it is killed.
        lasting: by name, those that are started again when they end after they had worked, as the
            others can wait for them; and what tells whether one works now.
    """

    def __init__(
        self,
        commands: Mapping[str, str],
        printer: Printer,
        stage_seconds: float = STAGE_SECONDS,
        lasting: Mapping[str, Works] | None = None,
    ) -> None:
        self._commands = commands
        self._printer = printer
        self._stage_seconds = stage_seconds
        self._lasting = lasting or {}
        self._lives = {name: _Life() for name in self._lasting}
        self._services: dict[str, Service] = {}
        # Those whose end was told of.
        self._told: set[str] = set()
        self._stopping = asyncio.Event()

    def stop(self, why: str) -> None:
        """Lets `run` stop everyone; called again, it changes nothing."""
        if not self._stopping.is_set():
            self._system(why)
            self._stopping.set()

    async def run(self) -> int:
        """Runs until `stop` is called, or until any process ends that is not started again.

        Returns:
            0 when it was told to stop and everyone stopped well, else 1.

        Raises:
            WaymarkError: a process can't be started.
        """
        reaper = await Reaper.start()
        watches = [asyncio.create_task(self._see_working(name)) for name in self._lasting]
        try:
            for name in self._commands:
                await self._start(name, reaper)
            told_first = await self._until_the_end(reaper)
        finally:
            for watch in watches:
                watch.cancel()
            await self._stop_in_order()
            reaper.release()
            await reaper.process.wait()
        # Who was told to stop before it listened to signals ends by the signal, and that is well.
        well = {0, -signal.SIGTERM}
        failed = any(each.process.returncode not in well for each in self._services.values())
        return 0 if told_first and not failed else 1

    async def _start(self, name: str, reaper: Reaper) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        service = await Service.start(
            name, self._commands[name], environment, lambda line: self._printer.say(name, line)
        )
        reaper.watch(service.process.pid, service.stage)
        self._services[name] = service
        self._told.discard(name)
        if name in self._lives:
            self._lives[name].began = time.monotonic()
        self._system(f"{name} started (pid={service.process.pid})")

    async def _see_working(self, name: str) -> None:
        """Returns when a lasting process works, which is noted."""
        while not await self._lasting[name]():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_POLL_SECONDS)
        self._lives[name].worked = True

    async def _until_the_end(self, reaper: Reaper) -> bool:
        """Waits until somebody says so, or anybody ends for good; whether somebody said so."""
        told = asyncio.create_task(self._stopping.wait())
        reaper_ended = asyncio.create_task(reaper.process.wait())
        ends = {asyncio.create_task(self._may_start_again(name)): name for name in self._services}
        try:
            while True:
                done, _ = await asyncio.wait(
                    [told, reaper_ended, *ends], return_when=asyncio.FIRST_COMPLETED
                )
                if reaper_ended in done:
                    self._system("the reaper was killed: stopping all")
                if told in done or reaper_ended in done:
                    return told in done
                for end in [end for end in ends if end in done]:
                    name = ends.pop(end)
                    if not end.result():
                        return False
                    # Here, where nobody cancels it half-way.
                    await self._start(name, reaper)
                    ends[asyncio.create_task(self._may_start_again(name))] = name
        finally:
            for task in (told, reaper_ended, *ends):
                task.cancel()

    async def _may_start_again(self, name: str) -> bool:
        """Waits until a process has ended, and, where it is to be started again, until then."""
        service = self._services[name]
        await service.ended()
        life = self._lives.get(name)
        self._told.add(name)
        if life is None or not life.worked:
            self._system(f"{name} ended by itself ({service.ending}): stopping the others")
            return False
        pause = life.next_pause()
        self._system(
            f"{name} ended by itself ({service.ending}): it is started again in {pause:g} s"
        )
        await asyncio.sleep(pause)
        return True

    async def _stop_in_order(self) -> None:
        untold = [each for name, each in self._services.items() if name not in self._told]
        reports = [asyncio.create_task(self._report(service)) for service in untold]
        for stage in range(len(STOPPED_LAST) + 1):
            services = [each for each in self._services.values() if each.stage == stage]
            for service in services:
                with suppress(ProcessLookupError):
                    service.process.terminate()
            await self._see_off(services)
        if reports:
            await asyncio.wait(reports, timeout=2 * LAST_LINES_SECONDS)

    async def _see_off(self, services: list[Service]) -> None:
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

    async def _report(self, service: Service) -> None:
        status = await service.ended()
        self._system(f"{service.name} stopped (rc={status})")

    def _system(self, line: str) -> None:
        # Services give their own lines a time.
        self._printer.say("system", f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")


async def _when_ready(addresses: Sequence[Address], greet: Callable[[], Awaitable[None]]) -> None:
    """Greets when somebody listens on every address, if that is so before long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_SECONDS):
            for address in addresses:
                while not await asyncio.to_thread(_listens, address):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(_POLL_SECONDS)
        await greet()


def _listens(address: Address) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False
