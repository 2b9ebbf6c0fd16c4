"""A process of the Procfile, as the supervisor sees it."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tracking.errors import WaymarkError
from tracking.printer import LineReader

# Clicks go from the redirector through Redis to the flusher, whose last flush needs Redis: whoever
# feeds another is stopped before it.
STOPPED_LAST = ("flusher", "redis")

# How long the last lines of a process that ended are waited for, in seconds: one that it started
# may hold the pipe.
LAST_LINES_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the Procfile; it leads a session of its own, with whatever it starts."""

    name: str
    process: asyncio.subprocess.Process
    lines: LineReader

    @classmethod
    async def start(
        cls, name: str, command: str, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> "Service":
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
        return STOPPED_LAST.index(self.name) + 1 if self.name in STOPPED_LAST else 0

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self.process.returncode
        if status is not None and status < 0:
            return f"killed by signal {-status}"
        return f"status {status}"

    async def ended(self) -> int:
        """Waits until it has ended, and until its last lines are here, if they come; its status."""
        status = await self.process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_LINES_SECONDS):
                await self.lines.closed.wait()
        return status

    async def gone(self) -> None:
        """Waits until it, and whatever it started, has ended."""
        await self.process.wait()
        await self.lines.closed.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
