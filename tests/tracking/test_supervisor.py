"""The supervisor of small shell commands: what they print, how they end, who is left."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system import sessions
from tests.waiting import until
from tracking.errors import WaymarkError
from tracking.output import Output
from tracking.printer import Printer
from tracking.procfile import read_procfile
from tracking.supervisor import Supervisor, Works

# Shells that do something at SIGTERM, as soon as their sleep is over; they say when they are ready.
IDLE = "sh -c 'trap exit TERM; echo ready; while :; do sleep 0.05; done'"
SLOW_TO_STOP = "sh -c 'trap \"sleep 0.3; exit\" TERM; echo ready; while :; do sleep 0.05; done'"
DEAF = "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done'"
WITH_A_CHILD = "sh -c 'sleep 1000 & echo ready; exec sleep 1000'"
STAGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """A supervisor at work, and the log that it writes."""

    supervisor: Supervisor
    status: "asyncio.Task[int]"
    log: Path

    def lines(self, name: str) -> list[str]:
        """What one process printed, or `system` said."""
        split = [line.split("|", 1) for line in self.log.read_text().splitlines()]
        texts = [text.removeprefix(" ") for who, text in split if who.strip() == name]
        # The supervisor's own lines have a date and a time.
        return [text.split(" ", 2)[2] for text in texts] if name == "system" else texts

    def pid(self, name: str) -> int:
        """The id of a process; of the last one that was started by this name."""
        return self.pids(name)[-1]

    def pids(self, name: str) -> list[int]:
        """The ids of all that were started by this name."""
        lines = [line for line in self.lines("system") if line.startswith(f"{name} started")]
        return [int(line.partition("pid=")[2].rstrip(")")) for line in lines]

    def ready(self, *names: str) -> bool:
        """Whether these have said so."""
        return all(self.lines(name) == ["ready"] for name in names)

    def stopped(self) -> list[str]:
        """Whose end was told of, in order, with their statuses."""
        return [line for line in self.lines("system") if " stopped " in line]


@asynccontextmanager
async def running(
    directory: Path, commands: Mapping[str, str], lasting: Mapping[str, Works] | None = None
) -> AsyncIterator[Run]:
    """Runs it in the block; at the end it has stopped, and all it started."""
    log = directory / "log"
    with log.open("wb", buffering=0) as file:
        output = Output(file)
        printer = Printer(output, list(commands), coloured=False)
        supervisor = Supervisor(commands, printer, STAGE_SECONDS, lasting)
        run = Run(supervisor, asyncio.create_task(supervisor.run()), log)
        try:
            yield run
            supervisor.stop("the test is over")
            await run.status
        finally:
            run.status.cancel()
            await asyncio.gather(run.status, return_exceptions=True)
            output.drain()
    pids = [pid for name in commands for pid in run.pids(name)]
    assert not [pid for leader in pids for pid in sessions.members(leader)]


# A command, and the lines that it leads to.
PRINTED = {
    "lines": ("printf 'one\\ntwo\\n'", ["one", "two"]),
    "an empty line": ("printf '\\n'", [""]),
    "a line without an end": ("printf 'one\\ntw'", ["one", "tw"]),
    "a line in parts": ("sh -c 'printf on; sleep 0.1; echo e'", ["one"]),
    "no UTF-8": ("printf 'a\\377b\\n'", ["a\\xffb"]),
    "UTF-8": ("printf 'ü\\n'", ["ü"]),
    "a carriage return": ("printf 'one\\r\\n'", ["one"]),
    "on standard error": ("sh -c 'echo one >&2'", ["one"]),
    "a long line": ("sh -c 'head -c 100000 /dev/zero | tr \\\\0 x'", ["x" * 65536, "x" * 34464]),
    "nothing": ("true", []),
}


@pytest.mark.parametrize(("command", "lines"), PRINTED.values(), ids=PRINTED)
async def test_what_is_printed_is_passed_on(tmp_path: Path, command: str, lines: list[str]) -> None:
    """Each line with its process's name; the last ones come before its end is told."""
    async with running(tmp_path, {"talker": command}) as run:
        assert await run.status == 1
    assert run.lines("talker") == lines
    text = run.log.read_text().splitlines()
    assert text[1 + len(lines)].endswith("talker ended by itself (status 0): stopping the others")


# A command, and how its end is told.
ENDINGS = {
    "well": ("true", "status 0"),
    "not well": ("sh -c 'exit 3'", "status 3"),
    "killed": ("sh -c 'kill -9 $$'", "killed by signal 9"),
    "not found": ("no-such-command", "status 127"),
}


@pytest.mark.parametrize(("command", "told"), ENDINGS.values(), ids=ENDINGS)
async def test_who_ends_ends_all(tmp_path: Path, command: str, told: str) -> None:
    """Any process that ends is noticed; the others are stopped in order, and the status is 1."""
    commands = {"redis": IDLE, "flusher": IDLE, "api": IDLE, "redirector": command}
    async with running(tmp_path, commands) as run:
        assert await run.status == 1
    assert f"redirector ended by itself ({told}): stopping the others" in run.lines("system")
    assert [line.split()[0] for line in run.stopped()] == ["api", "flusher", "redis"]


async def test_a_lasting_one_is_started_again(tmp_path: Path) -> None:
    """Once it has worked, however it ends, with a longer pause each time; the others go on."""
    works = asyncio.Event()

    async def does_work() -> bool:
        return works.is_set()

    async with running(tmp_path, {"redis": IDLE, "api": IDLE}, {"redis": does_work}) as run:
        await until(lambda: run.ready("redis", "api"))
        works.set()
        for life, number in ((1, signal.SIGKILL), (2, signal.SIGTERM)):
            await until(lambda life=life: len(run.lines("redis")) == life)  # type: ignore[misc]
            os.kill(run.pid("redis"), number)
        await until(lambda: len(run.lines("redis")) == 3)
        run.supervisor.stop("told")
        assert await run.status == 0
    told = [line for line in run.lines("system") if "by itself" in line]
    assert told == [
        "redis ended by itself (killed by signal 9): it is started again in 1 s",
        "redis ended by itself (status 0): it is started again in 2 s",
    ]
    assert run.stopped() == ["api stopped (rc=0)", "redis stopped (rc=0)"]


async def test_a_lasting_one_that_never_worked_ends_all(tmp_path: Path) -> None:
    """Nothing would come of starting it again."""

    async def does_not() -> bool:
        return False

    commands = {"redis": "sh -c 'exit 1'", "api": IDLE}
    async with running(tmp_path, commands, {"redis": does_not}) as run:
        assert await run.status == 1
    assert "redis ended by itself (status 1): stopping the others" in run.lines("system")


async def test_a_stop_waits_for_no_other_start(tmp_path: Path) -> None:
    """While a lasting one is down the others stop all the same; the status says that it is."""

    async def works() -> bool:
        return True

    async with running(tmp_path, {"redis": IDLE, "api": IDLE}, {"redis": works}) as run:
        await until(lambda: run.ready("redis", "api"))
        os.kill(run.pid("redis"), signal.SIGKILL)
        await until(lambda: any("started again" in line for line in run.lines("system")))
        run.supervisor.stop("told")
        assert await run.status == 1
    assert run.stopped() == ["api stopped (rc=0)"]
    assert len(run.pids("redis")) == 1


async def test_all_stop_in_the_order_of_the_datas_flow(tmp_path: Path) -> None:
    """Nobody is told to stop while somebody before it still works; the status is 0."""
    commands = {"redis": IDLE, "flusher": SLOW_TO_STOP, "api": SLOW_TO_STOP, "redirector": IDLE}
    async with running(tmp_path, commands) as run:
        await until(lambda: run.ready(*commands))
        run.supervisor.stop("told")
        run.supervisor.stop("told again")
        assert await run.status == 0
    order = ["redirector", "api", "flusher", "redis"]
    assert run.stopped() == [f"{name} stopped (rc=0)" for name in order]


@pytest.mark.parametrize("deaf", [DEAF, WITH_A_CHILD], ids=["itself", "what it started"])
async def test_who_does_not_stop_is_killed(tmp_path: Path, deaf: str) -> None:
    """When its stage's time is over; the next stage goes on."""
    async with running(tmp_path, {"flusher": deaf, "redis": IDLE}) as run:
        await until(lambda: run.ready("flusher", "redis"))
        run.supervisor.stop("told")
        status = await run.status
    assert "flusher did not stop, and is killed" in run.lines("system")
    assert run.stopped()[-1] == "redis stopped (rc=0)"
    assert status == (1 if deaf == DEAF else 0)


async def test_the_reapers_end_ends_all(tmp_path: Path) -> None:
    """Without it somebody could be left behind: all stop, and the status is 1."""
    async with running(tmp_path, {"api": IDLE}) as run:
        await until(lambda: run.ready("api"))
        children = sessions.children(os.getpid())
        [reaper] = [pid for pid in children if "tracking.reaper" in sessions.command_line(pid)]
        os.kill(reaper, signal.SIGKILL)
        assert await run.status == 1
    assert run.stopped() == ["api stopped (rc=0)"]


async def test_names_have_colours_on_a_terminal(tmp_path: Path) -> None:
    """The prefix has, the line has not."""
    with (tmp_path / "log").open("wb", buffering=0) as file:
        output = Output(file)
        printer = Printer(output, ["api"], coloured=True)
        printer.say("api", "one")
        printer.say("system", "two")
        output.drain()
    one, two = (tmp_path / "log").read_text().splitlines()
    assert one == "\033[36mapi    | \033[0mone"
    assert two == "system | two"


WRONG = {
    "no colon": "redis redis-server\n",
    "no command": "redis:\n",
    "no name": ": redis-server\n",
    "a name with a space": "my redis: redis-server\n",
    "the same name again": "redis: one\nredis: two\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_named(tmp_path: Path, text: str) -> None:
    """With the file and its number."""
    procfile = tmp_path / "Procfile"
    procfile.write_text(f"# ours\n\nweb: server\n{text}")
    number = 5 if "again" in text or text.count("\n") == 2 else 4
    with pytest.raises(WaymarkError, match=f"Procfile, line {number}: "):
        read_procfile(procfile)


def test_a_procfile_is_read(tmp_path: Path) -> None:
    """Names and commands; comments and empty lines say nothing."""
    procfile = tmp_path / "Procfile"
    procfile.write_text("# ours\n\nweb:  server --port 80 # main\nmy-job_2: job\n")
    assert read_procfile(procfile) == {"web": "server --port 80 # main", "my-job_2": "job"}
    with pytest.raises(WaymarkError, match=r"can't read .*: No such file"):
        read_procfile(tmp_path / "other")
    procfile.write_bytes(b"web: \xff\n")
    with pytest.raises(WaymarkError, match=r"can't read .*: it is no text"):
        read_procfile(procfile)
