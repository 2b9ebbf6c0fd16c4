"""A visitor's HTTP client, which tells a request that was never sent from one that broke."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from loadtest.loopback import HOST

# Far above what any fault lasts: a visitor who gave up would only make the count less exact.
_PATIENCE_SECONDS = 20.0
_NONE: Mapping[str, str] = MappingProxyType({})


class RefusedError(Exception):
    """Nobody accepted the connection: no request was sent."""


class BrokenError(Exception):
    """The request was sent, at least in part, and its answer did not come as a whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came as a whole; the headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(path: str, headers: Mapping[str, str] = _NONE, *, method: str = "GET") -> bytes:
    """A request's bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: links.example"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Browser:
    """A keep-alive connection, made when it is needed and again when it broke."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def local_port(self) -> int:
        """The connection's port on our side."""
        assert self._writer is not None
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    @property
    def is_closed(self) -> bool:
        """Whether there is no connection, or the server has ended it."""
        return self._reader is None or self._reader.at_eof()

    async def connect(self) -> None:
        """Makes the connection, unless there is one.

        Raises:
            RefusedError: nobody listens.
        """
        if not self.is_closed:
            return
        self.close()
        try:
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        except OSError as error:
            raise RefusedError from error

    async def ask(self, request: bytes) -> Answer:
        """Sends a request and waits for the answer.

        Raises:
            RefusedError: nobody listens.
            BrokenError: as its name says; the next request takes a new connection.
        """
        await self.connect()
        reader, writer = self._reader, self._writer
        assert reader is not None
        assert writer is not None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                writer.write(request)
                await writer.drain()
                answer = await _read(reader, has_body=not request.startswith(b"HEAD "))
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise BrokenError(str(error)) from error
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader, *, has_body: bool) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0")) if has_body else 0
    return Answer(int(first.split()[1]), headers, await reader.readexactly(length))
