"""Visitors who come in ways that wrk does not: once each, all at a given rate, or to stay."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlsplit

from loadtest.loopback import require_loopback

_PATIENCE_SECONDS = 30.0
_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n"
    "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Safari/537.36\r\nAccept: text/html\r\nAccept-Language: en\r\n\r\n"
)


@dataclass(slots=True)
class Visits:
    """What came of them.

    Attributes:
        times: seconds until each redirect, with those that connecting took.
        failures: visitors who got anything else, or nothing.
    """

    times: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def answered(self) -> int:
        """Redirects that arrived."""
        return len(self.times)

    def percentile(self, number: int) -> float:
        """Of the times, in milliseconds; 0 without any."""
        if len(self.times) < 2:
            return 1000 * sum(self.times)
        return 1000 * quantiles(self.times, n=100, method="inclusive")[number - 1]


class Connection:
    """One visitor's connection, which is kept open until it is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> "Connection":
        """Connects.

        Raises:
            LoadtestError: the server is not on this machine.
            OSError: there is none.
        """
        address = urlsplit(require_loopback(url))
        return cls(*await asyncio.open_connection(address.hostname, address.port))

    async def click(self, path: str, *, last: bool = False) -> bool:
        """Whether the answer is a redirect, whose body is empty.

        Args:
            last: whether the server is asked to close the connection.

        Raises:
            OSError, EOFError, TimeoutError: no answer came.
        """
        connection = "close" if last else "keep-alive"
        text = _REQUEST.format(path=path, host="127.0.0.1", connection=connection)
        self._writer.write(text.encode())
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await self._reader.readuntil(b"\r\n\r\n")
            if last:
                await self._reader.read()
        return answer.startswith(b"HTTP/1.1 302 ")

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed it."""
        return not self._reader.at_eof()

    def close(self) -> None:
        """Closes it."""
        self._writer.close()


async def walk(url: str, paths: Iterable[str], connections: int) -> Visits:
    """Each path is asked for once, over so many connections that are kept."""
    visits = Visits()
    left = iter(paths)

    async def visit() -> None:
        connection = await Connection.open(url)
        for path in left:
            await _timed(visits, connection, path)
        connection.close()

    await asyncio.gather(*(visit() for _ in range(connections)))
    return visits


async def come_and_go(url: str, paths: Sequence[str], per_second: int, seconds: int) -> Visits:
    """New visitors at an even rate, whether those before are answered or not; each clicks once."""
    visits = Visits()
    start = time.perf_counter()

    async def visit(path: str) -> None:
        came = time.perf_counter()
        try:
            connection = await Connection.open(url)
            redirected = await connection.click(path, last=True)
            connection.close()
        except (OSError, EOFError):
            redirected = False
        if redirected:
            visits.times.append(time.perf_counter() - came)
        else:
            visits.failures += 1

    async with asyncio.TaskGroup() as visitors:
        for number in range(per_second * seconds):
            early = start + number / per_second - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            visitors.create_task(visit(paths[number % len(paths)]))
    return visits


async def stay(url: str, path: str, count: int, visits: Visits) -> list[Connection]:
    """Visitors who each click once and then hold their connections."""
    connections: list[Connection] = []
    left = iter(range(count))

    async def arrive() -> None:
        for _ in left:
            connection = await Connection.open(url)
            await _timed(visits, connection, path)
            connections.append(connection)

    await asyncio.gather(*(arrive() for _ in range(_ARRIVING)))
    return connections


# So many connect at a time.
_ARRIVING = 100


async def click_for(url: str, path: str, seconds: float, visits: Visits) -> None:
    """One visitor clicks again and again, over one connection."""
    connection = await Connection.open(url)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        await _timed(visits, connection, path)
    connection.close()


async def _timed(visits: Visits, connection: Connection, path: str) -> None:
    start = time.perf_counter()
    try:
        redirected = await connection.click(path)
    except (OSError, EOFError):
        redirected = False
    if redirected:
        visits.times.append(time.perf_counter() - start)
    else:
        visits.failures += 1
