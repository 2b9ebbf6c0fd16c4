"""What a connection may send, and how long it may take."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.serving import running
from tests.serving.bounded import GET, LAST, POST, App, Bounded, Hasty, one, served, statuses
from tests.serving.client import connected, connections
from tests.waiting import until


def head(line: int, whole: int) -> bytes:
    """A head whose first line, and which as a whole, has so many bytes."""
    start = b"GET /"
    end = b" HTTP/1.1\r\n"
    first = start + b"a" * (line - len(start) - len(end)) + end
    rest = b"Host: x\r\nX: "
    return first + rest + b"b" * (whole - line - len(rest) - 4) + b"\r\n\r\n"


HEADS = {
    "a line of 8 KiB": (head(8192, 9000), 204),
    "a longer line": (head(8193, 9000), 414),
    "a line of 60 KiB": (head(60_000, 61_000), 414),
    "a head of 32 KiB": (head(100, 32 * 1024), 204),
    "a longer head": (head(100, 32 * 1024 + 1), 431),
    "a head of 60 KiB": (head(100, 60_000), 431),
    "a line without end": (b"GET /" + b"a" * 9000, 414),
    "a head without end": (head(100, 40_000)[:-4], 431),
    "thousands of fields": (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 9000, 431),
    "other letters": (
        b"GET /" + "é".encode() * 4001 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 204
    ),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "no host in HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", 204),
    "a host of nothing": (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", 204),
    "a host and a port": (b"GET / HTTP/1.1\r\nHost: t_1.example-a.:8000\r\n\r\n", 204),
    "an IPv6 host": (b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 204),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "a host with a space": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a host with a user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "a host with a word for a port": (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    "a host of other letters": ("GET / HTTP/1.1\r\nHost: ä\r\n\r\n".encode(), 400),
    "a wrong host in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: x?y\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", 400),
    "a folded line behind LF": (b"GET / HTTP/1.1\nHost: x\nX: y\n\tz\n\n", 400),
    "a space behind the first line": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "a body with spaces": (POST % 8 + b"a\r\n b\n\tc"[:8], 204),
    "a URL with a user": (b"GET http://x@y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "any method": (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 204),
    "no target": (b"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a URL": (b"GET http://y.example?a HTTP/1.1\r\nHost: x\r\n\r\n", 204),
    "empty lines before": (b"\r\n\r\n" + GET, 204),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}  # fmt: skip


@pytest.mark.parametrize("size", [1_000_000, 7000, 999, 1], ids=lambda size: f"by {size}")
async def test_heads(size: int) -> None:
    """The same status however a head is cut; after a refusal the connection is closed."""
    seen = {}
    app = App()
    async with served(app) as server:
        for name, (sent, _) in HEADS.items():
            if size == 1 and len(sent) > 12_000:
                continue
            async with connected(server) as client:
                await client.send(*(sent[at : at + size] for at in range(0, len(sent), size)))
                await until(lambda: bool(client.received))
                seen[name] = statuses(client)
                if seen[name] != [204]:
                    await until(lambda: client.closed)
    assert seen == {name: [HEADS[name][1]] for name in seen}
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((), []),
        ((b"\r\n",), []),
        ((b"GET / HT",), [408]),
        ((GET,), [204]),
        ((GET, b"G"), [204, 408]),
        ((GET, b"\r\n"), [204]),
    ],
    ids=["nothing", "an empty line", "half a head", "a request", "one and a half", "and a line"],
)
async def test_a_head_is_not_waited_for(sent: tuple[bytes, ...], expected: list[int]) -> None:
    """A connection is closed when its next head is not there in time."""
    async with one(App(), Bounded, head_seconds=1) as client:
        await client.send(*sent)
        await until(lambda: client.closed)
        assert statuses(client) == expected


async def test_bytes_of_a_head_win_no_time() -> None:
    """Whoever sends one now and then is not waited for longer than who sends none."""
    async with (
        served(App(), head_seconds=1) as server,
        connected(server) as dripping,
        connected(server) as silent,
    ):
        await dripping.send(b"GET / HTTP/1.1\r\nX: ")

        async def waits_no_more() -> bool:
            await dripping.send(b"x")
            return silent.closed and dripping.closed

        await until(waits_no_more)
        assert statuses(dripping) == [408]


async def test_a_body_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """408, and the app is told that the client is gone, quietly."""
    app = App(reads=True)
    async with one(app, Hasty, head_seconds=1) as client:
        await client.send(POST % 100, b"x")
        await until(lambda: client.closed)
        assert statuses(client) == [408]
        await until(lambda: app.gone == 1)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "head",
    [
        POST % 10**9,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
        (POST % 100).replace(b"Content", b"Expect: 100-continue\r\nContent"),
    ],
    ids=["sized", "chunked", "expects"],
)
async def test_what_comes_after_a_refusal_is_not_read(head: bytes) -> None:
    """An answer that comes before a large body ends the connection; a few KiB more are read."""
    async with one(App()) as client:
        client.stays = True
        await client.send(head)
        await until(lambda: bool(client.received))
        assert b"\r\nConnection: close\r\n" in client.received
        before = client.peer.received
        client.transport.write(b"x" * 10_000_000)
        await until(lambda: client.peer.received > before or client.closed)
        for _ in range(100):
            await asyncio.sleep(0)
        assert client.peer.received - before < 400_000
        assert statuses(client) == [204]


async def test_a_small_body_is_read_after_a_refusal() -> None:
    """So that the connection goes on."""
    async with one(App()) as client:
        await client.send(POST % 1000)
        await until(lambda: bool(client.received))
        await client.send(b"x" * 500, b"x" * 500 + GET)
        await until(lambda: client.heads() == 2)
        assert b"close" not in client.received


async def test_who_closes_behind_the_last_answer_is_waited_for_no_longer() -> None:
    """A client that neither closes nor ends its body is closed all the same."""
    async with served(App(), Hasty) as server, connected(server) as client:
        client.stays = True
        await client.send(POST % 10**9, b"x" * 50_000)
        await until(lambda: not connections(server.server))
        assert statuses(client) == [204]


async def test_an_answer_that_nobody_reads_is_dropped() -> None:
    """A client that leaves it in the buffers for too long is closed, and its memory is free."""
    app = App(body=b"x" * 50_000_000)
    async with served(app, Hasty, head_seconds=1) as server, connected(server) as client:
        client.transport.pause_reading()
        await client.send(GET)
        await until(lambda: app.answered == 1)
        assert client.peer.raw_transport.get_write_buffer_size() > 1_000_000
        await until(lambda: not connections(server.server))


async def test_pipelined_requests_wait_unread() -> None:
    """Behind a request that is not answered nothing is read, and little kept."""
    app = App()
    app.may_answer.clear()
    total = 20_000
    async with one(app) as client:
        await client.send(GET)
        await until(lambda: app.asked == 1)
        client.transport.write(GET * (total - 1))
        await until(lambda: client.peer.flow.read_paused)
        held = client.peer.received
        for _ in range(100):
            await asyncio.sleep(0)
        assert client.peer.received == held < 300_000
        assert app.asked == 1
        app.may_answer.set()
        # As it is answered, no more of it is kept.
        largest = 0
        while app.answered < total:
            largest = max(largest, len(client.peer.conn.trailing_data[0]))
            await asyncio.sleep(0)
        assert largest < 300_000


async def test_a_body_in_tiny_pieces_lets_others_in() -> None:
    """However many chunks come in a packet, another's request is answered between them."""
    app = App(reads=True)
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(app) as server, connected(server) as sending, connected(server) as other:
        await sending.send(chunked + b"1\r\nx\r\n" * 10_000)
        assert sending.peer.conn.paused
        await other.send(GET)
        await until(lambda: other.heads() == 1)
        await until(lambda: app.received == 10_000)
        await sending.send(b"1\r\nx\r\n" * 10_000, b"0\r\n\r\n" + GET)
        await until(lambda: sending.heads() == 2)
        assert app.received == 20_000


async def test_expectations_are_met() -> None:
    """Who waits for "100 Continue" gets it when the body is wanted."""
    async with one(App(reads=True)) as client:
        await client.send((POST % 3).replace(b"Content", b"Expect: 100-continue\r\nContent"))
        await until(lambda: bool(client.received))
        assert statuses(client) == [100]
        await client.send(b"abc", GET)
        await until(lambda: client.heads() == 3)
        assert statuses(client) == [100, 204, 204]


async def test_nonsense_in_a_body() -> None:
    """The request is answered 400, once, and its app is told that the client is gone."""
    app = App(reads=True)
    async with one(app) as client:
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        await client.send(chunked, b"nonsense\r\n")
        await until(lambda: client.closed)
        assert statuses(client) == [400]
        await until(lambda: app.gone == 1)


@pytest.mark.parametrize(
    "sent",
    [GET * 500, LAST + GET * 500, GET[:-2], POST % 9],
    ids=["many", "the last and more", "half a head", "no body"],
)
async def test_who_leaves_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """Whatever was under way, and whatever was behind it."""
    app = App(reads=True)
    async with served(app) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server)) for _ in range(20)]
        for number, client in enumerate(clients):
            await client.send(sent)
            for _ in range(number):
                await asyncio.sleep(0)
            if number % 2:
                client.transport.abort()
            else:
                client.transport.close()
        await until(lambda: not connections(server.server))
    assert [record.getMessage() for record in caplog.records] == []


async def test_the_host_of_a_url_is_the_host() -> None:
    """Whatever the field says, which comes once all the same (RFC 9112, section 3.2.2)."""
    seen: list[list[bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append([value for name, value in scope["headers"] if name == b"host"])
        await App()(scope, receive, send)

    config = uvicorn.Config(app, http=Bounded, lifespan="off", log_config=None)
    async with running(config) as server, connected(server) as client:
        await client.send(b"GET http://a:1/ HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n", GET)
        await until(lambda: client.heads() == 2)
    assert seen == [[b"a:1"], [b"x"]]
