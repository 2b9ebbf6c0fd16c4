"""Output whose reader is there, stands still, or is gone."""

import logging
import os
import select
import socket
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from tests.waiting import until
from tracking.output import Output, OutputHandler

Pipe = tuple[int, IO[bytes]]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A reader's descriptor, and the writer."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        yield reader, stream
    os.close(reader)


def read(reader: int) -> str:
    """What waits in a pipe."""
    parts = []
    while select.select([reader], [], [], 0)[0]:
        part = os.read(reader, 65536)
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()


def test_lines_come_in_order(pipe: Pipe) -> None:
    """All of them, when somebody reads; what is no text is escaped."""
    reader, stream = pipe
    output = Output(stream)
    for line in ("one\n", "zwei: ü\n", "\udcff\n"):
        output.write(line)
    output.drain()
    assert read(reader) == "one\nzwei: ü\n\\udcff\n"


async def test_a_reader_that_stands_still_stops_nobody(pipe: Pipe) -> None:
    """What it could not take is left out, and it is told of that when it reads again."""
    reader, stream = pipe
    output = Output(stream)
    line = "x" * 1023 + "\n"
    for _ in range(4096):  # 4 MiB
        output.write(line)
    output.drain(seconds=0.01)
    came = ""
    written = 4096

    def all_came() -> bool:
        nonlocal came, written
        came += read(reader)
        output.write("the end\n")
        written += 1
        return came.endswith("the end\n")

    await until(all_came)
    output.drain()
    lines = (came + read(reader)).splitlines()
    notes = [int(text.removeprefix("(").split()[0]) for text in lines if text.startswith("(")]
    # What waits, what is being written, and what the pipe took before that.
    assert 1024 <= lines.count(line.rstrip()) <= 1024 + 1024 + 64
    assert len(lines) - len(notes) + sum(notes) == written


def test_a_reader_that_is_gone_stops_nobody() -> None:
    """Nothing is raised, and nothing waits."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as stream:
        output = Output(stream)
        for _ in range(10):
            output.write("x\n")
            output.drain()


def test_a_non_blocking_file_is_waited_for() -> None:
    """As a terminal is that another program made non-blocking."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("wb") as stream:
        ours.setblocking(False)
        output = Output(stream)
        output.write("x" * 1_000_000)
        received = 0
        while received < 1_000_000:
            received += len(theirs.recv(65536))
        output.drain()


def test_without_a_file_nothing_is_written() -> None:
    """A closed standard error may be another file's number by now."""
    before = threading.active_count()
    Output(None).write("x\n")
    assert threading.active_count() == before


def test_a_record_is_a_line(pipe: Pipe) -> None:
    """`flush`, which logging calls at the end, waits for it."""
    reader, stream = pipe
    handler = OutputHandler(Output(stream))
    handler.emit(logging.makeLogRecord({"msg": "%s is away", "args": ("Redis",)}))
    handler.flush()
    assert read(reader) == "Redis is away\n"
