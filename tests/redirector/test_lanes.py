"""Both lanes give the same bytes and the same counts, and only what is plain goes express."""

import asyncio
import itertools
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.redirector.lanes import (
    TARGETS,
    Clicks,
    Lane,
    WatchedExpress,
    WatchedStarlette,
    create_campaigns,
    lane,
)
from tests.redis_server import RedisServer
from tests.serving.client import connected, connections, until_soon
from tests.waiting import until
from tracking import campaigns
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

NEWS = b"/acme/summer/c/news1/"
FIREFOX = b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = b"User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BROWSER = (
    b"Host: tickets.example:8000",
    FIREFOX,
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    b"Accept-Language: de,en-US;q=0.7,en;q=0.3",
    b"Accept-Encoding: gzip, deflate, br, zstd",
    b"Referer: https://mail.example/?id=%20#x",
    b"Connection: keep-alive",
    b'Cookie: a=b; c="d"',
    b"Upgrade-Insecure-Requests: 1",
    b"Sec-Fetch-Mode: navigate",
)

# Closes the connection, whatever came before it.
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def request(
    target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1"
) -> bytes:
    """A request's head; HTTP/1.1 wants to be told the host."""
    if version == b"HTTP/1.1" and not any(field.lower().startswith(b"host:") for field in fields):
        fields = (b"Host: x", *fields)
    return b"\r\n".join((b" ".join((method, target, version)), *fields, b"", b""))


def get(*fields: bytes) -> bytes:
    """A GET for news1."""
    return request(NEWS, *fields)


HOSTLESS = b"GET " + NEWS + b" HTTP/1.1\r\n"
PLAIN = get(*BROWSER)
MISSING = request(b"/acme/summer/c/nothing/")


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent, each packet when the one before has come.

    Attributes:
        express: how many requests of it are answered in the express lane. If there are, each packet
            is sent when the one before is answered. None: it depends on which is sooner, the answer
            or the next packet.
        ends: whether the server can tell where the last request ends.
    """

    packets: tuple[bytes, ...]
    express: int | None
    ends: bool = True


def express(*packets: bytes) -> Case:
    """A case for the express lane, each of its packets."""
    return Case(packets, len(packets))


def starlette(*packets: bytes) -> Case:
    """A case for Starlette, every request of it."""
    return Case(packets, 0)


def unfinished(*packets: bytes) -> Case:
    """A case that leaves the server waiting for more."""
    return Case(packets, 0, ends=False)


def at_every_byte(data: bytes) -> tuple[bytes, ...]:
    """Packets of one byte."""
    return tuple(data[at : at + 1] for at in range(len(data)))


LINKS = {
    f"link {code}": express(request(b"/acme/summer/c/%b/" % code.encode())) for code in TARGETS
}
LINKS_WITH_QUERY = {
    f"link {code} with query": express(request(b"/acme/summer/c/%b/?b=2" % code.encode()))
    for code in TARGETS
}
FAST = {
    "browser": express(PLAIN),
    "few fields": express(get()),
    "no slash": express(request(NEWS.rstrip(b"/"), *BROWSER)),
    "no slash, query": express(request(NEWS.rstrip(b"/") + b"?b=2", *BROWSER)),
    "query": express(request(NEWS + b"?utm_source=mail&x=%C3%A4", *BROWSER)),
    "query of odd characters": express(request(NEWS + b"?!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~a1")),
    "empty query": express(request(NEWS + b"?")),
    "query that breaks lines, encoded": express(request(NEWS + b"?a=%0d%0aX:%20y")),
    "a line of 8 KiB": express(request(NEWS + b"?" + b"a" * (8192 - 16 - len(NEWS)))),
    "query of 7 KiB": express(request(NEWS + b"?" + b"a" * 7000)),
    "bot": express(get(b"Host: x", GOOGLEBOT)),
    "curl": express(get(b"Host: x", b"User-Agent: curl/8.5.0", b"Accept: */*")),
    "image in a page": express(get(FIREFOX, b"Sec-Fetch-Dest: image")),
    "frame that was clicked": express(get(b"Sec-Fetch-User: ?1", b"Sec-Fetch-Dest: iframe")),
    "passed on by a service worker": express(
        get(b"Sec-Fetch-Dest: empty", b"Sec-Fetch-Mode: navigate")
    ),
    "fetch()": express(get(b"Sec-Fetch-Dest: empty", b"Sec-Fetch-Mode: cors")),
    "document, then image": express(get(b"Sec-Fetch-Dest: document", b"Sec-Fetch-Dest: image")),
    "another purpose": express(get(*BROWSER, b"Purpose: navigate")),
    "query that ends in a dot": express(request(NEWS + b"?a=b.")),
    "query behind what sticks": express(request(NEWS + b"?.)a")),
    "person, then bot": express(get(FIREFOX, GOOGLEBOT)),
    "bot, then person": express(get(GOOGLEBOT, FIREFOX)),
    "names in capitals": express(get(*(field.upper() for field in BROWSER if field != FIREFOX))),
    "no space after the colon": express(get(b"Host:x", FIREFOX.replace(b": ", b":"))),
    "forwarded": express(get(*BROWSER, b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: https")),
    "keep-alive field": express(get(b"Connection: Keep-Alive", b"Keep-Alive: timeout=5")),
    "many fields": express(get(*(b"X-%d: %d" % (n, n) for n in range(500)))),
    "one after the other": express(PLAIN, PLAIN, request(NEWS + b"?b=2"), get(GOOGLEBOT)),
    "after a request without link": Case((MISSING, PLAIN), 1),
    "after HEAD": Case((request(NEWS, method=b"HEAD"), PLAIN), 1),
    "after a body": Case((request(b"/", b"Content-Length: 2", method=b"POST") + b"ab", PLAIN), 1),
    "after an upgrade": Case((get(b"Connection: Upgrade", b"Upgrade: websocket"), PLAIN), 1),
    "after pieces": Case((PLAIN[:9], PLAIN[9:], PLAIN), 1),
}
SLOW = {
    **{
        method.decode(): starlette(request(NEWS, *BROWSER, method=method))
        for method in (
            b"HEAD",
            b"POST",
            b"PUT",
            b"DELETE",
            b"OPTIONS",
            b"PATCH",
            b"TRACE",
            b"PURGE",
        )
    },
    "get in small letters": starlette(request(NEWS, method=b"get")),
    "CONNECT": starlette(request(b"x.example:443", b"Host: x.example:443", method=b"CONNECT")),
    "a method that none is": starlette(request(NEWS, method=b"CLICK")),
    "prefetch": starlette(get(*BROWSER, b"Sec-Purpose: prefetch;prerender")),
    "prefetch, then a click": Case((get(b"Purpose: prefetch"), PLAIN), 1),
    "old prefetch": starlette(get(*BROWSER, b"X-moz: prefetch")),
    "preview": starlette(get(*BROWSER, b"X-Purpose: preview")),
    "purpose, in another case": starlette(get(FIREFOX, b"PURPOSE: Prefetch")),
    "one purpose of two": starlette(get(b"Purpose: navigate", b"Purpose: prefetch")),
    "speculative bot": starlette(get(GOOGLEBOT, b"Purpose: prefetch")),
    "prefetch by HEAD": starlette(request(NEWS, b"Purpose: prefetch", method=b"HEAD")),
    "prefetch of no link": starlette(request(b"/acme/summer/c/nothing/", b"Purpose: prefetch")),
    "query of a question mark": starlette(request(NEWS + b"??")),
    "query of what sticks": starlette(request(NEWS + b"?).%20")),
    "query of an encoded letter": starlette(request(NEWS + b"?%61")),
    **{
        f"{stuck!r} behind the link": starlette(request(NEWS + stuck, FIREFOX))
        for stuck in (
            b".",
            b").",
            b"//",
            b"%20",
            b"%E2%80%A6",
            b"&a=b",
            b"%26a=b?c=d",
            b"\xe2\x80\xa6",
        )
    },
    "HTTP/1.0": starlette(request(NEWS, *BROWSER, version=b"HTTP/1.0")),
    "HTTP/1.0, no fields": starlette(request(NEWS, version=b"HTTP/1.0")),
    "HTTP/0.9": starlette(request(NEWS, version=b"HTTP/0.9")),
    "HTTP/1.2": starlette(request(NEWS, version=b"HTTP/1.2")),
    "HTTP/2.0": starlette(request(NEWS, version=b"HTTP/2.0")),
    "no host": starlette(HOSTLESS + b"\r\n"),
    "no host, but fields": starlette(HOSTLESS + FIREFOX + b"\r\n\r\n"),
    "two hosts": starlette(get(b"Host: x", b"Host: x")),
    "a host of nothing": starlette(get(b"Host:")),
    "a host with a port": express(get(b"Host: x.example:8000", FIREFOX)),
    "an IPv6 host": express(get(b"Host: [::1]:8000", FIREFOX)),
    "a host with a path": starlette(get(b"Host: x/y", FIREFOX)),
    "a host with spaces": starlette(get(b"Host: a b/c?d@e", FIREFOX)),
    "a host with a word for a port": starlette(get(b"Host: x:y", FIREFOX)),
    "a host and one that is none": starlette(get(b"Host: x", b"Host: x/y")),
    "a folded line": starlette(get(b"Host: x", b"X: y\r\n z")),
    "no version": starlette(b"GET " + NEWS + b"\r\n\r\n"),
    "HTTP/2's beginning": starlette(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "close": starlette(get(b"Host: x", b"Connection: close")),
    "close among others": starlette(get(b"Connection: keep-alive, close")),
    "keep-alive, then close": starlette(get(b"Connection: keep-alive", b"Connection: close")),
    "close through a proxy": starlette(get(b"Proxy-Connection: close")),
    "another connection option": starlette(get(b"Connection: te", b"TE: trailers")),
    "unknown code": starlette(MISSING),
    "another case": starlette(request(b"/acme/summer/c/NEWS1/")),
    "another event": starlette(request(b"/acme/winter/c/news1/")),
    "another organizer": starlette(request(b"/zenith/summer/c/news1/")),
    "two slashes at the end": starlette(request(NEWS + b"/")),
    "two slashes inside": starlette(request(b"/acme//summer/c/news1/")),
    "a path before": starlette(request(b"/x" + NEWS)),
    "a link in a link": starlette(request(b"/acme/summer/c/x/c/news1/")),
    "path parameter": starlette(request(b"/acme/summer/c/news1;a=1/")),
    "no code": starlette(request(b"/acme/summer/c/")),
    "root": starlette(request(b"/")),
    "health": starlette(request(b"/healthz/")),
    "star": starlette(request(b"*")),
    "encoded letters": starlette(request(b"/%61cme/summer/c/ne%77s1/")),
    "encoded slash": starlette(request(b"/acme/summer/c%2Fnews1/")),
    "encoded question mark": starlette(request(b"/acme/summer/c/news1/%3Fb=2")),
    "other letters": starlette(request("/acme/summer/c/n\u00e9ws1/".encode())),
    "query of other letters": starlette(request(NEWS + b"?name=J\xf6rg", *BROWSER)),
    "fragment": starlette(request(NEWS + b"#top")),
    "query and fragment": starlette(request(NEWS + b"?b=2#top")),
    "tab in the query": starlette(request(NEWS + b"?a\tb")),
    "NUL in the query": starlette(request(NEWS + b"?a\x00b")),
    "space in the query": starlette(request(NEWS + b"?a b")),
    "two spaces": starlette(b"GET  " + NEWS + b" HTTP/1.1\r\n\r\n"),
    "spaces at the line's end": starlette(b"GET " + NEWS + b" HTTP/1.1 \r\n\r\n"),
    "absolute-form": starlette(request(b"http://x.example" + NEWS + b"?b=2", b"Host: x")),
    "absolute-form, https": starlette(request(b"https://x.example" + NEWS, b"Host: x")),
    "no leading slash": starlette(request(NEWS.lstrip(b"/"))),
    "two leading slashes": starlette(request(b"/" + NEWS)),
    "body of nothing": starlette(get(b"Content-Length: 0")),
    "body": starlette(get(b"Content-Length: 5") + b"hello"),
    "body in a packet of its own": starlette(get(b"Content-Length: 5"), b"hello"),
    "body in pieces": starlette(get(b"Content-Length: 5"), b"he", b"llo"),
    "body in chunks": starlette(get(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"),
    "two lengths": starlette(get(b"Content-Length: 1", b"Content-Length: 2") + b"ab"),
    "length and chunks": starlette(
        get(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"
    ),
    "other transfer coding": starlette(get(b"Transfer-Encoding: gzip") + b"xx"),
    "a body that looks like a link": starlette(
        request(NEWS, b"Content-Length: %d" % len(PLAIN), method=b"POST"), PLAIN
    ),
    "a chunk that looks like a link": starlette(
        get(b"Transfer-Encoding: chunked") + b"%x\r\n" % len(PLAIN), PLAIN, b"\r\n0\r\n\r\n"
    ),
    "a field that goes on as a link": starlette(b"GET / HTTP/1.1\r\nX: ", PLAIN),
    "a line that goes on as a link": starlette(b"POST /", PLAIN),
    "Expect": starlette(get(b"Expect: 100-continue")),
    "Expect with a body": starlette(get(b"Expect: 100-continue", b"Content-Length: 2"), b"ab"),
    "Expect something else": starlette(get(b"Expect: the unexpected")),
    "WebSocket": starlette(
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    ),
    "h2c": starlette(
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")
    ),
    "an upgrade nobody asked for": starlette(get(b"Upgrade: h2c")),
    "bare LF": starlette(PLAIN.replace(b"\r\n", b"\n")),
    "bare LF in the request line": starlette(PLAIN.replace(b"\r\n", b"\n", 1)),
    "bare LF at the end": starlette(PLAIN.removesuffix(b"\r\n") + b"\n"),
    "bare CR": starlette(get(b"A: b\rC: d")),
    "empty line before": starlette(b"\r\n" + PLAIN),
    "a folded field": starlette(get(b"A: b", b" c")),
    "space before the colon": starlette(get(b"A : b")),
    "no colon": starlette(get(b"A")),
    "no name": starlette(get(b": b")),
    "no value": starlette(get(b"A:")),
    "spaces around a value": starlette(get(b"User-Agent:  Googlebot/2.1 \t ")),
    "tab in a value": starlette(get(b"A: b\tc")),
    "NUL in a value": starlette(get(b"A: b\x00c")),
    "DEL in a value": starlette(get(b"A: b\x7fc")),
    "Latin-1 in a value": starlette(get(b"User-Agent: J\xf6rg")),
    "odd name": starlette(get(b"A_b!#$: c")),
    "name with a parenthesis": starlette(get(b"A(b): c")),
    "a longer line": starlette(request(NEWS + b"?" + b"a" * (8193 - 16 - len(NEWS)))),
    "a query of 64 KiB": starlette(request(NEWS + b"?" + b"a" * 65536)),
    "a path of 64 KiB": starlette(request(b"/acme/summer/c/" + b"a" * 65536)),
    "a value of 64 KiB": starlette(get(b"A: " + b"b" * 65536)),
    "a thousand fields": starlette(get(*(b"X-%d: %d" % (n, n) for n in range(1000)))),
    "no HTTP": starlette(b"hello\r\n\r\n"),
    "TLS": starlette(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "split at every byte": starlette(*at_every_byte(request(NEWS + b"?b=2", b"Host: x"))),
    "split before the last byte": starlette(PLAIN[:-1], PLAIN[-1:]),
    "split in the empty line": starlette(PLAIN[:-2], PLAIN[-2:]),
    "two in a packet": starlette(PLAIN + PLAIN),
    "fast, slow, fast in a packet": starlette(
        PLAIN + MISSING + request(NEWS + b"?b=2") + request(NEWS, method=b"HEAD") + get(GOOGLEBOT)
    ),
    "one and a half": starlette(PLAIN + PLAIN[:50], PLAIN[50:]),
    "one after the end": starlette(get(b"Connection: close") + PLAIN),
    "one after HTTP/1.0": starlette(request(NEWS, version=b"HTTP/1.0") + PLAIN),
    "nonsense behind": starlette(PLAIN + b"nonsense\r\n\r\n"),
}
MIXED = {
    "fast, slow, fast": Case((PLAIN, MISSING, request(NEWS + b"?b=2")), None),
    "slow, fast, slow": Case((MISSING, PLAIN, request(NEWS, method=b"HEAD")), None),
    "many at once": Case((PLAIN, MISSING, PLAIN + PLAIN + MISSING, PLAIN) * 5, None),
    "fast, then nonsense": Case((PLAIN, b"nonsense\r\n\r\n"), None),
    "fast, then close": Case((PLAIN, get(b"Connection: close")), None),
}
UNFINISHED = {
    "nothing": unfinished(),
    "an empty line": unfinished(b"\r\n"),
    "half a request": unfinished(PLAIN[:-2]),
    "half a body": unfinished(request(b"/", b"Content-Length: 5", method=b"POST"), b"he"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: all bytes until the server closed, and the clicks."""

    received: bytes
    clicks: Clicks


@pytest.fixture
async def codes(database: Database) -> dict[int, str]:
    """The campaigns' codes by id."""
    return await create_campaigns(database)


@pytest.fixture
async def expressway(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> AsyncIterator[Lane]:
    """A redirector with an express lane."""
    async with lane(settings, redis, codes) as expressway:
        yield expressway


async def outcome(lane: Lane, case: Case) -> Outcome:
    """Sends a case's packets, and a last request that closes the connection."""
    async with connected(lane) as client:
        for packet in case.packets:
            await client.send(packet)
            if case.express:
                await client.idle()
        if case.ends:
            await client.send(LAST)
        else:
            client.transport.write_eof()
        # A request whose connection was closed for what came behind it is counted all the same.
        await until(lambda: client.closed and not lane.server.server_state.tasks)
        return Outcome(client.received, lane.take_clicks())


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
@pytest.mark.parametrize(
    "cases",
    [LINKS, LINKS_WITH_QUERY, FAST, SLOW, MIXED, UNFINISHED],
    ids=["links", "links with query", "fast", "slow", "mixed", "unfinished"],
)
async def test_both_lanes_answer_alike(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    expressway: Lane,
    cases: dict[str, Case],
    *,
    cached: bool,
) -> None:
    """The same bytes to the last, the same clicks; and each request takes the lane that it should,
    whether its link is in the cache or SQL has to be asked for it.

    What looks like a link to a careless reader, but is the body of another request or a piece of
    its head, is neither answered nor counted in either.
    """
    async with lane(settings, redis, codes, WatchedStarlette) as starlette_lane:
        headers = expressway.server.server_state.default_headers
        starlette_lane.server.server_state.default_headers = headers  # the same second
        expected = {name: await outcome(starlette_lane, case) for name, case in cases.items()}
    differences: list[str] = []
    for name, case in cases.items():
        before = expressway.express_requests
        if not cached:
            expressway.forget_links()
        got = await outcome(expressway, case)
        if got != expected[name]:
            differences.append(f"{name}: {got} in place of {expected[name]}"[:2000])
        taken = expressway.express_requests - before
        if case.express is not None and taken != case.express:
            differences.append(f"{name}: {taken} express requests in place of {case.express}")
    assert not differences, "\n".join(differences)


def test_the_table_has_no_name_twice() -> None:
    """Each case of the table is run."""
    assert len(LINKS | LINKS_WITH_QUERY | FAST | SLOW | MIXED | UNFINISHED) == sum(
        map(len, (LINKS, LINKS_WITH_QUERY, FAST, SLOW, MIXED, UNFINISHED))
    )


@pytest.mark.parametrize("cut", range(1, 4))
async def test_pieces(expressway: Lane, cut: int) -> None:
    """A request in two packets, wherever it is cut, is answered and counted once."""
    plain = request(NEWS, b"Host: x")
    positions = range(cut, len(plain), 3)
    async with connected(expressway) as client:
        for at in positions:
            await client.send(plain[:at], plain[at:])
            await client.idle()
        await until(lambda: client.heads() == len(positions))
    assert expressway.take_clicks() == {("news1", "human"): len(positions)}


async def test_pipelined_answers_keep_their_order(expressway: Lane) -> None:
    """Fast and slow requests, sent at once in packets of all sizes, are answered as they came."""
    numbers = range(300)
    requests = [
        request(NEWS + b"?n=%d" % n, *([b"Expect: 100-continue"] if n % 7 == 3 else []))
        for n in numbers
    ]
    async with connected(expressway) as client:
        for size in itertools.cycle([1, 1, 3, 1, 2, 1, 1, 7]):
            await client.send(b"".join(requests[:size]))
            del requests[:size]
            if not requests:
                break
        await until(lambda: client.heads() == len(numbers))
    assert [int(n) for n in re.findall(rb"&n=(\d+)#top", client.received)] == list(numbers)
    assert expressway.take_clicks() == {("news1", "human"): len(numbers)}
    assert expressway.express_requests > 0
    assert expressway.asgi_requests > 0


async def test_who_does_not_read_is_held(expressway: Lane) -> None:
    """A client that sends and never reads fills a buffer of bounded size, and is read no more.

    When it reads at last, it gets all answers in order.
    """
    async with connected(expressway) as client:
        client.transport.pause_reading()
        peer = client.peer.transport
        for transport, option in ((peer, socket.SO_SNDBUF), (client.transport, socket.SO_RCVBUF)):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 4096)
        sent = 0
        while not expressway.asgi_requests:
            assert sent < 10_000, "the express lane goes on answering"
            await client.send(request(b"/acme/summer/c/long/?n=%d" % sent))
            await until_soon(lambda: client.is_answered() or expressway.asgi_requests > 0)
            sent += 1
        assert client.peer.flow.write_paused
        # The next one waits behind the one that waits for the client.
        await client.send(request(NEWS + b"?n=%d" % sent))
        assert client.peer.flow.read_paused
        sent += 1
        total = sent + 1000
        held = expressway.express_requests + expressway.asgi_requests
        assert client.peer.raw_transport.get_write_buffer_size() < 100_000
        # What it sends now stays in the kernel's buffers, and nothing more is worked on.
        client.transport.write(b"".join(request(NEWS + b"?n=%d" % n) for n in range(sent, total)))
        for _ in range(100):
            await asyncio.sleep(0)
        assert expressway.express_requests + expressway.asgi_requests == held
        assert client.peer.raw_transport.get_write_buffer_size() < 100_000
        # A few bytes at a time would take long.
        own = client.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.transport.resume_reading()
        await until(lambda: client.heads() == total)
    assert [int(n) for n in re.findall(rb"[?&]n=(\d+)", client.received)] == list(range(total))
    assert expressway.express_requests > 0


async def test_idle_connections_are_closed(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """After its time-out a connection whose last request was express is closed."""
    async with lane(settings, redis, codes, timeout_keep_alive=1) as expressway:
        async with connected(expressway) as client:
            await client.send(PLAIN)
            await until(lambda: client.closed)
        assert client.heads() == expressway.express_requests == 1


async def test_used_connections_are_not_closed(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """The time-out begins with the last express answer, not with the first."""
    loop = asyncio.get_running_loop()
    async with (
        lane(settings, redis, codes, timeout_keep_alive=1) as expressway,
        connected(expressway) as used,
        connected(expressway) as idle,
    ):
        begun = loop.time()
        for client in (used, idle):
            await client.send(PLAIN)
            await client.idle()
        await until(lambda: loop.time() > begun + 0.5)
        await used.send(PLAIN)
        await until(lambda: used.closed and idle.closed)
    assert used.heads() == 2
    assert used.closed_at > idle.closed_at


async def test_a_request_stops_the_time_out(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """A connection whose request waits for the disk is not idle, however long that takes."""
    async with lane(settings, redis, codes, timeout_keep_alive=1) as expressway:
        async with connected(expressway) as client, connected(expressway) as idle:
            await client.send(PLAIN)
            await client.idle()
            with expressway.hanging_disk():
                await client.send(PLAIN)
                await idle.send(MISSING)
                # The other's time-out begins later and comes to its end.
                await until(lambda: idle.closed)
                assert not client.closed
            await until(lambda: client.heads() == 2)
        assert expressway.express_requests == 2


LOGGED = (PLAIN, request(NEWS + b"?a=%20&b"), request(NEWS + b"?"), request(NEWS.rstrip(b"/")))


async def test_the_access_log_is_the_same(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each lane writes the same lines, with the client's address."""
    caplog.set_level(logging.INFO, "uvicorn.access")
    lines: list[list[str]] = []
    for protocol in (WatchedExpress, WatchedStarlette):
        async with lane(settings, redis, codes, protocol, access_log=True) as logged:
            caplog.clear()
            async with connected(logged) as client:
                for packet in LOGGED:
                    await client.send(packet)
                    await client.idle()
                own = "{}:{}".format(*client.transport.get_extra_info("sockname"))
            lines.append([record.getMessage().replace(own, "client") for record in caplog.records])
            assert logged.express_requests == len(LOGGED) * (protocol is WatchedExpress)
    assert lines[0] == lines[1]
    assert lines[0][1] == 'client - "GET /acme/summer/c/news1/?a=%20&b HTTP/1.1" 302'


async def test_a_root_path_stands_before_all_paths(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """Where uvicorn puts a path before that of every request, the lane leaves that to it."""
    async with lane(settings, redis, codes, root_path="/tickets") as expressway:
        async with connected(expressway) as client:
            await client.send(PLAIN)
            await until(lambda: client.heads() == 1)
        assert client.received.startswith(b"HTTP/1.1 404 ")
        assert expressway.express_requests == 0


@pytest.mark.parametrize("access_log", [False, True])
async def test_forwarded_addresses(
    settings: Settings,
    redis: RedisServer,
    codes: dict[int, str],
    caplog: pytest.LogCaptureFixture,
    *,
    access_log: bool,
) -> None:
    """Behind a proxy links are answered; the log, where there is one, has the visitor's address."""
    caplog.set_level(logging.INFO, "uvicorn.access")
    async with lane(
        settings, redis, codes, access_log=access_log, proxy_headers=True
    ) as expressway:
        caplog.clear()
        async with connected(expressway) as client:
            await client.send(get(b"X-Forwarded-For: 192.0.2.7"))
            await until(lambda: client.heads() == 1)
        assert expressway.express_requests == (not access_log)
        assert expressway.take_clicks() == {("news1", "human"): 1}
    lines = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert lines == ['192.0.2.7:0 - "GET /acme/summer/c/news1/ HTTP/1.1" 302'] * access_log


async def test_a_stopping_server_answers_what_is_under_way(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """Requests that wait for the disk when the process is told to stop are answered and counted.

    Their connections are closed behind the answer, and idle ones at once.
    """
    async with lane(settings, redis, codes) as expressway, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(expressway)) for _ in range(20)]
        idle = await stack.enter_async_context(connected(expressway))
        await idle.send(PLAIN)
        await idle.idle()
        with expressway.hanging_disk():
            for client in clients:
                await client.send(PLAIN)
            stopping = asyncio.create_task(expressway.server.shutdown())
            await until(lambda: idle.closed)
            assert not any(client.received or client.closed for client in clients)
        await stopping
        await until(lambda: all(client.closed for client in clients))
        assert {client.received.count(b"Connection: close\r\n\r\n") for client in clients} == {1}
        assert expressway.take_clicks() == {("news1", "human"): 21}


async def test_who_leaves_is_counted(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """A visitor who goes before the answer is counted, and others get theirs."""
    async with lane(settings, redis, codes) as expressway:
        async with connected(expressway) as leaving, connected(expressway) as staying:
            await leaving.send(PLAIN)
            await leaving.idle()
            with expressway.hanging_disk():
                await leaving.send(PLAIN)
                await staying.send(PLAIN)
                leaving.transport.abort()
                await until(lambda: len(connections(expressway.server)) == 1)
            await until(lambda: staying.heads() == 1)
        assert expressway.take_clicks() == {("news1", "human"): 3}
        assert expressway.express_requests == 3


async def test_changed_links_are_answered_anew(expressway: Lane, database: Database) -> None:
    """A link that is edited leads where it was told within the time of a poll, and express."""
    [id] = [id for id, code in expressway.codes.items() if code == "plain"]
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        change = {"external_target": "https://new.example/"}
        await campaigns.change(connection, event.id, id, change)
    async with connected(expressway) as client:

        async def arrived() -> bool:
            await client.send(request(b"/acme/summer/c/plain/"))
            await client.idle()
            return b"location: https://new.example/\r\n" in client.received

        await until(arrived)
        assert await arrived()
        assert expressway.asgi_requests == 0


async def test_who_comes_back_to_a_link_keeps_it(
    settings: Settings, redis: RedisServer, codes: dict[int, str]
) -> None:
    """Not who let it come: links that are asked for once are dropped before others."""
    few = settings.model_copy(update={"link_cache_size": 2})
    async with lane(few, redis, codes) as expressway, connected(expressway) as client:
        for code in (b"news1", b"plain", b"plain", b"open"):
            await client.send(request(b"/acme/summer/c/%b/" % code))
            await client.idle()
        assert expressway.asgi_requests == 0
        kept = [code for code in TARGETS if expressway.links.cached(code)]
        assert kept == ["plain", "open"]
