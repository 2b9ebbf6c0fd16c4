"""Requests whose body, or what is none, a careless server reads as the next request.

Each attack holds a request, the smuggled one, which must never be answered.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.serving.client import Served, connected
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Attack:
    """A request's head and what is sent behind it.

    Attributes:
        refused: whether the head is answered 400 or 501 and the connection closed. Else it is a
            request like others, and one that follows its body is answered.
    """

    head: bytes
    body: bytes
    refused: bool = False


def _head(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((line + b" HTTP/1.1", b"Host: x", *fields, b"", b""))


def _chunk(data: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"%x\r\n%b\r\n%b" % (len(data), data, end)


def _grown(smuggled: bytes) -> bytes:
    """A body that begins as a request line, which grows by the smuggled's size when encoded."""
    smuggled += b" " * (len(smuggled) % 2)
    return b"GET /" + b"\xe9" * (len(smuggled) // 2) + b" HTTP/1.1\r\n\r\n" + smuggled


def _sized(body: bytes, *fields: bytes, line: bytes = b"POST /x/", refused: bool = False) -> Attack:
    length = b"Content-Length: %d" % len(body)
    return Attack(_head(line, *fields, length), body, refused)


def _chunked(body: bytes, *fields: bytes, line: bytes = b"POST /x/") -> Attack:
    return Attack(_head(line, *fields, b"Transfer-Encoding: chunked"), body)


def _upgrade(to: bytes) -> tuple[bytes, bytes]:
    return b"Connection: Upgrade", b"Upgrade: " + to


ACCEPTED: dict[str, Callable[[bytes], Attack]] = {
    "a body": _sized,
    "a body that grows": lambda smuggled: _sized(_grown(smuggled)),
    "a chunk that grows": lambda smuggled: _chunked(_chunk(_grown(smuggled))),
    "a body of a GET": lambda smuggled: _sized(smuggled, line=b"GET /x/"),
    "a body of a GET that grows": lambda smuggled: _sized(_grown(smuggled), line=b"GET /x/"),
    "a body of a HEAD": lambda smuggled: _sized(smuggled, line=b"HEAD /x/"),
    "a body of an unknown method": lambda smuggled: _sized(smuggled, line=b"CLICK /x/"),
    "h2c": lambda smuggled: _sized(smuggled, *_upgrade(b"h2c")),
    "h2c, a body that grows": lambda smuggled: _sized(_grown(smuggled), *_upgrade(b"h2c")),
    "h2c, chunked": lambda smuggled: _chunked(_chunk(smuggled), *_upgrade(b"h2c")),
    "a WebSocket": lambda smuggled: _sized(
        smuggled, *_upgrade(b"websocket"), b"Sec-WebSocket-Version: 13", line=b"GET /x/"
    ),
    "an upgrade to TLS": lambda smuggled: _sized(smuggled, *_upgrade(b"TLS/1.0")),
    "an upgrade with HTTP2-Settings": lambda smuggled: _sized(
        smuggled, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"
    ),
    "CONNECT": lambda smuggled: _sized(smuggled, line=b"CONNECT x.example:443"),
    "chunks": lambda smuggled: _chunked(_chunk(smuggled)),
    "a chunk with an extension": lambda smuggled: _chunked(
        b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    ),
    "a trailer": lambda smuggled: _chunked(_chunk(b"x", b"0\r\nX: y\r\n\r\n")),
    "two lengths that agree": lambda smuggled: _sized(
        smuggled, b"Content-Length: %d" % len(smuggled)
    ),
    "lines that end with LF": lambda smuggled: Attack(
        _sized(smuggled).head.replace(b"\r\n", b"\n"), smuggled
    ),
}

REFUSED: dict[str, Callable[[bytes], Attack]] = {
    "a length and chunks": lambda smuggled: _sized(
        b"0\r\n\r\n" + smuggled, b"Transfer-Encoding: chunked", refused=True
    ),
    "chunks and a length": lambda smuggled: Attack(
        _head(b"POST /x/", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        _chunk(b"x") + smuggled,
        refused=True,
    ),
    **{
        name: lambda smuggled, fields=fields: Attack(  # type: ignore[misc]
            _head(b"POST /x/", *fields), smuggled, refused=True
        )
        for name, fields in {
            "two lengths": (b"Content-Length: 0", b"Content-Length: 99"),
            "two lengths in one": (b"Content-Length: 0, 99",),
            "a signed length": (b"Content-Length: +0",),
            "a negative length": (b"Content-Length: -1",),
            "a length in hexadecimal": (b"Content-Length: 0x0",),
            "a length with a space in it": (b"Content-Length: 0 0",),
            "no length": (b"Content-Length:",),
            "a length of 30 digits": (b"Content-Length: " + b"0" * 30,),
            "a length in a folded line": (b"Content-Length:\r\n 99",),
            "a length in a line folded with a tab": (b"X: y\r\n\tContent-Length: 99",),
            "a space before the first field": (b" Content-Length: 99",),
            "a line of a space": (b"X: y\r\n ", b"Content-Length: 99"),
            "a space before the colon": (b"Content-Length : 99",),
            "an unknown coding": (b"Transfer-Encoding: xchunked",),
            "identity": (b"Transfer-Encoding: identity",),
            "two codings": (b"Transfer-Encoding: gzip, chunked",),
            "chunked twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            "a vertical tab": (b"Transfer-Encoding: \x0bchunked",),
            "a bare CR": (b"X: y\rTransfer-Encoding: chunked",),
            "NUL": (b"X: y\0", b"Content-Length: 99"),
            "a name that is none": (b"Content Length: 99",),
        }.items()
    },
    "chunks in HTTP/1.0": lambda smuggled: Attack(
        b"POST /x/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\n\r\n" + smuggled,
        refused=True,
    ),
}


def deliveries(attack: Attack, step: int) -> Iterator[tuple[bytes, ...]]:
    """The ways in which an attack's packets may be cut.

    Args:
        step: bytes from one cut to the next.
    """
    head, body = attack.head, attack.body
    whole = head + body
    yield (whole,)
    yield (head, body)
    yield tuple(whole[at : at + 1] for at in range(len(whole)))
    for at in range(1, len(whole), step):
        yield whole[:at], whole[at:]
    for at in range(1, len(body), step):
        yield head, body[:at], body[at:]


async def answers(served: Served, attack: Attack, packets: tuple[bytes, ...]) -> bytes:
    """All that comes back for these packets, each sent when the server has got the one before, and
    for a request behind them that ends the connection."""
    last = b"GET /last/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with connected(served) as client:
        for packet in packets:
            await client.send(packet)
            for _ in range(3):  # the answer may come before the rest, or not
                await asyncio.sleep(0)
        if not client.closed:
            client.transport.write(last)
        await until(lambda: client.closed)
        return client.received
