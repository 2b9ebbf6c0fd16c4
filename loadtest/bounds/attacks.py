"""`python -m loadtest.bounds.attacks NAME URL SECONDS PERCENT`: a stranger, bounded in all he does.

Prints what came of it, as JSON: the fields of `Stranger`.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlsplit

from loadtest.loopback import require_loopback

_PIECE: Final = 64 * 1024
_ANSWER_SECONDS: Final = 0.5
_HOST: Final = b"Host: 127.0.0.1\r\n"
# Answered with an error before its body is there; so is what the API refuses for want of a token.
_POST: Final = b"POST /api/v1/organizers/x/events/x/campaigns/ HTTP/1.1\r\n" + _HOST


@dataclass(slots=True)
class Stranger:
    """Where he goes, for how long, and what came of it.

    Attributes:
        percent: of his connections and bytes.
        sent: bytes that the server, or the kernel for it, has taken.
        open: his connections that the server had not closed at the end.
    """

    url: str
    seconds: float
    percent: float
    sent: int = 0
    open: int = 0

    def times(self, number: int) -> int:
        """A part of a number, and at least one."""
        return max(1, round(number * self.percent / 100))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncio.StreamWriter]:
        """One connection, until the time is over."""
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=_PIECE)
        # Else the kernel takes 4 MB that the server never sees.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE)
        try:
            yield writer
            is_open = await _is_open(reader)
            self.open += is_open  # not across the await: his other connections count as well
        finally:
            writer.transport.abort()

    async def send(self, writer: asyncio.StreamWriter, piece: bytes, number: int = 1) -> None:
        """Sends a piece so often, as fast as it is taken."""
        for _ in range(number):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


async def _is_open(reader: asyncio.StreamReader) -> bool:
    """Whether the server has not closed the connection, when all that it sent is read."""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            while await reader.read(_PIECE):
                pass
            return False
    return reader.exception() is None


Attack = Callable[[Stranger, asyncio.StreamWriter], Awaitable[None]]
"""What happens on one connection."""


async def _silent(stranger: Stranger, _: asyncio.StreamWriter) -> None:
    await asyncio.sleep(stranger.seconds)


async def _half(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, b"GET / HTTP/1.1\r\n" + _HOST)
    for _number in range(int(stranger.seconds) + 1):
        await stranger.send(writer, b"X: y\r\n")
        await asyncio.sleep(1)


async def _heads(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, b"GET / HTTP/1.1\r\n" + _HOST)
    field = b"X-Field: " + b"x" * 1000 + b"\r\n"
    await stranger.send(writer, field * 64, 47)


async def _url(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, b"GET /")
    await stranger.send(writer, b"x" * _PIECE, 60 * 16)
    await stranger.send(writer, b" HTTP/1.1\r\n" + _HOST + b"\r\n")


async def _pipelined(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    request = b"GET /x HTTP/1.1\r\n" + _HOST + b"\r\n"
    await stranger.send(writer, request * (246 * 1024 // len(request)))


async def _refused(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, _POST + b"Content-Length: 9000000000\r\n\r\n")
    await stranger.send(writer, b"x" * _PIECE, 160 * 8)


async def _half_bodies(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, _POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * _PIECE)


async def _slow(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    """Asks again and again, and reads no answer: the reader's buffer is full soon."""
    request = b"GET /api/v1/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n"
    await stranger.send(writer, request * 100, 20)


async def _nonsense(stranger: Stranger, writer: asyncio.StreamWriter) -> None:
    await stranger.send(writer, b"nonsense\r\n\r\n")


# How many connections, and what each does.
ATTACKS: Final[dict[str, tuple[int, Attack]]] = {
    "silent connections": (500, _silent),
    "half heads": (500, _half),
    "huge heads": (50, _heads),
    "a huge URL": (1, _url),
    "pipelining": (10, _pipelined),
    "bodies after a refusal": (5, _refused),
    "half bodies": (200, _half_bodies),
    "slow readers": (50, _slow),
    "nonsense": (500, _nonsense),
}


async def attack(name: str, stranger: Stranger) -> None:
    """All connections of an attack, until its time is over."""
    count, one = ATTACKS[name]
    end = time.monotonic() + stranger.seconds

    async def connect() -> None:
        with suppress(OSError, EOFError, TimeoutError):
            async with stranger.connected() as writer:
                with suppress(OSError, EOFError, TimeoutError):
                    async with asyncio.timeout(end - time.monotonic()):
                        await one(stranger, writer)
                await asyncio.sleep(end - time.monotonic())

    await asyncio.gather(*(connect() for _ in range(stranger.times(count))))


if __name__ == "__main__":
    chosen, target, duration, part = sys.argv[1:]
    one_stranger = Stranger(require_loopback(target), float(duration), float(part))
    asyncio.run(attack(chosen, one_stranger))
    print(json.dumps(asdict(one_stranger)))
