"""`waymark run` whose Redis ends by itself: links answer, and every answered click is counted."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.processes import free_port, launched
from tests.system import sessions
from tests.system.full_disk import small_disk
from tests.waiting import until

RUN = [sys.executable, "-m", "redirector.commands.cli", "run"]
AUDIT = [sys.executable, "-m", "redirector.commands.cli", "audit"]
LINK = "/bigevents/sampleconf/c/newsletter/"


def family(pid: int) -> list[int]:
    """A process, those that it has started, and theirs."""
    return [pid] + [each for child in sessions.children(pid) for each in family(child)]


@dataclass(frozen=True, slots=True)
class Running:
    """`waymark run` in a directory, its log, and a visitor of its links."""

    process: "subprocess.Popen[str]"
    variables: dict[str, str]
    log: Path
    visitor: httpx.AsyncClient
    clicks: Counter[int] = field(default_factory=Counter)

    @property
    def family(self) -> list[int]:
        """All its processes; it is the first."""
        return family(self.process.pid)

    @property
    def redis_pids(self) -> list[int]:
        """Of the processes by this name, in the order of their starts."""
        return [
            int(pid) for pid in re.findall(r"redis started \(pid=(\d+)\)", self.log.read_text())
        ]

    async def click(self) -> None:
        """Is answered, and noted by how."""
        answer = await self.visitor.get(LINK)
        self.clicks[answer.status_code] += 1

    async def all_counted(self) -> bool:
        """Whether SQL has as many clicks as were answered, and nothing is on its way."""
        said = await asyncio.to_thread(self._audit)
        waiting = "0 clicks in journals are" in said and "0 clicks in Redis are" in said
        assert set(self.clicks) == {302}
        return waiting and said.startswith(f"{self.clicks[302]} clicks were moved")

    def _audit(self) -> str:
        with launched(AUDIT, self.variables) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said


@asynccontextmanager
async def running(
    directory: Path, log: Path, end: signal.Signals = signal.SIGTERM
) -> AsyncIterator[Running]:
    """It runs in the block, and is sent this signal at the end, after which nobody is left."""
    settings = ("REDIRECTOR_PORT", "API_PORT", "DASHBOARD_PORT")
    ports = {name: str(free_port()) for name in settings}
    variables = {"DATA_DIR": str(directory), "FLUSH_INTERVAL": "0.2", **ports}
    link = f"http://127.0.0.1:{ports['REDIRECTOR_PORT']}"
    with (
        log.open("wb") as file,
        # Its own output is no file, which a limit of its files' size would be true for.
        subprocess.Popen(  # noqa: ASYNC220 - it starts at once, and nobody else waits
            ["cat"], stdin=subprocess.PIPE, stdout=file
        ) as writer,
    ):
        assert writer.stdin is not None
        pipe = writer.stdin.fileno()
        with launched(RUN, variables, output=pipe, log=pipe) as process:
            writer.stdin.close()
            async with httpx.AsyncClient(base_url=link, verify=False, timeout=30) as visitor:
                await until(lambda: "sample event's link" in log.read_text(), within=60)
                yield Running(process, variables, log, visitor)
            everyone = family(process.pid)
            process.send_signal(end)
            await until(lambda: process.poll() is not None, within=60)
            await until(lambda: not any(map(sessions.lives, everyone)))
        assert process.returncode == (-end if end is signal.SIGKILL else 0)


@pytest.mark.timeout(240)
async def test_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    """Links answer, and what was clicked meanwhile is counted when there is room."""
    with small_disk() as disk:
        async with running(disk.directory, tmp_path / "log") as waymark:
            await waymark.click()
            await until(waymark.all_counted, within=60, every=0.5)
            disk.fill(waymark.family)

            for _ in range(50):
                await waymark.click()
                await asyncio.sleep(0.05)
            assert set(waymark.clicks) == {302}

            async def counted_when_free() -> bool:
                disk.free(waymark.family)
                return await waymark.all_counted()

            await until(counted_when_free, within=60, every=0.5)
            assert len(waymark.redis_pids) == 1


@pytest.mark.timeout(240)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_a_killed_redis_is_started_again(
    short_dir: Path, tmp_path: Path, end: signal.Signals
) -> None:
    """Meanwhile links answer; and who stops all when the supervisor is killed knows the new one."""
    async with running(short_dir, tmp_path / "log", end) as waymark:
        await waymark.click()
        os.kill(waymark.redis_pids[0], signal.SIGKILL)

        async def started_again() -> bool:
            await waymark.click()
            return len(waymark.redis_pids) == 2

        await until(started_again, every=0.1)
        await until(waymark.all_counted, within=60, every=0.5)
        log = waymark.log.read_text()
        assert "redis ended by itself (killed by signal 9): it is started again in 1 s" in log
