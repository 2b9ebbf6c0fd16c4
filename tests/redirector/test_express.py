"""What the express lane reads is what uvicorn's parser reads."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redirector.http.audience import audience_of
from redirector.http.decision import LinkRequest, Redirect, decide
from redirector.http.express import Express
from redirector.links.cache import Links
from redirector.links.destination import Rules
from redirector.links.known_link import KnownLink
from redirector.recording.recorder import Recorder
from serving.connection import Connection
from serving.limits import Limits
from tracking.clicks import Audience
from tracking.database import Database
from tracking.links import Link, parse_path

LINK = Link(7, "acme", "summer", "news1", "https://shop.example/tickets?a=1#top", "")
# What has a new value each time behind a proxy, and what a visitor could let seem so.
NEW_FIELDS = (
    b"X-Forwarded-For",
    b"CF-Ray",
    b"Cookie",
    b"Te",
    b"X-Purpose",
    b"Sec-Fetch-Dest",
)
RULES = Rules("/{organizer}/{event}/", forward_query=True, public_origin="https://links.example")


class Nobody:
    """A recorder that is never asked."""

    def record(self, campaign_id: int, audience: Audience, answer: Callable[[], None]) -> None:
        """Counts nothing."""


@functools.cache
def express(*, forward_query: bool = True) -> Express:
    """A lane to the one link."""
    rules = replace(RULES, forward_query=forward_query)
    return express_of(links_with(LINK, rules=rules))


def express_of(links: Links) -> Express:
    """A lane to the links in a cache."""
    return Express(links, cast("Recorder", Nobody()))


def links_with(*links: Link, size: int = 10, rules: Rules = RULES) -> Links:
    """A cache that has these."""
    cache = Links(Database("sqlite+aiosqlite:///nowhere/waymark.db", 0), size, rules)
    for link in links:
        keep(cache, link)
    return cache


def keep(cache: Links, link: Link) -> None:
    """Puts a link into a cache, as if SQL had been asked for it."""
    cache._keep(link.code, KnownLink(link, cache._rules))


def link(code: str, target: str = "https://shop.example/") -> Link:
    """A link of acme's summer."""
    return Link(8, "acme", "summer", code, target, "")


def get(code: str) -> bytes:
    """A plain request for it."""
    return b"GET /acme/summer/c/%b/ HTTP/1.1\r\nHost: x\r\n\r\n" % code.encode()


@functools.cache
def seasoned() -> Express:
    """A lane to the one link, which has learned that some fields have a new value each time."""
    lane = express_of(links_with(LINK))
    for number in range(200):
        fields = b"".join(b"%b: %d\r\n" % (name, number) for name in NEW_FIELDS)
        lane.read(b"GET /acme/summer/c/news1/ HTTP/1.1\r\nHost: x\r\n%b\r\n" % fields)
    return lane


def check(packet: bytes, lane: Express | None = None) -> bool:
    """Compares what an express lane and what h11 make of a packet.

    Returns:
        Whether it is one for the express lane.
    """
    request = (lane or express()).read(packet)
    if request is None:
        return False
    connection = Connection(Limits())
    connection.receive_data(packet)
    asked = connection.next_event()
    assert isinstance(asked, h11.Request)
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    # Nothing is left of it, it ends nothing, and it leads nowhere else.
    assert connection.next_event() is h11.NEED_DATA
    assert connection.their_state is h11.DONE
    assert (asked.method, asked.http_version) == (b"GET", b"1.1")
    target, _, query = asked.target.partition(b"?")
    path = parse_path(target)
    assert path is not None
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in asked.headers]
    assert "expect" not in dict(fields)
    decision = decide(LinkRequest("GET", path, query, audience_of(fields)), KnownLink(LINK, RULES))
    assert isinstance(decision, Redirect)
    assert decision.click is not None
    campaign_id, audience, location = request
    assert (campaign_id, audience) == (decision.click.campaign_id, decision.click.audience)
    assert location == decision.location.encode()
    return True


PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in range(256)),
        *(
            b"GET /acme/summer/c/news1/",
            b"/acme/summer/c/news1",
            b"?",
            b"#",
            b"//",
            b"%41",
            b"HEAD ",
        ),
        *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\r\n\r\n", b"\n", b": ", b":", b"  "),
        *(b"Connection", b"close", b"keep-alive", b"Upgrade", b"Transfer-Encoding", b"chunked"),
        *(b"Content-Length", b"0", b"User-Agent", b"Googlebot/2.1", b"Purpose", b"prefetch"),
        *(b"Cookie: a\r\n", b"CF-Ray: \r\n", b"\r\nX-Forwarded-For:"),
    ]
)
NAMES = st.one_of(
    st.sampled_from(
        [
            *(b"Connection", b"connection", b"User-Agent", b"Sec-Purpose", b"X-Moz", b"Upgrade"),
            *(b"Sec-Fetch-Dest", b"Sec-Fetch-Mode", b"Sec-Fetch-User", b"X-Purpose"),
            *(b"Content-Length", b"Transfer-Encoding", b"Expect", b"Proxy-Connection", b"TE"),
            *(b"Host", *NEW_FIELDS),
        ]
    ),
    st.from_regex(rb"[A-Za-z0-9-]{1,12}", fullmatch=True),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(b"keep-alive", b"Keep-Alive", b"close", b"keep-alive, close", b"keep-alive close"),
            *(b"document", b"image", b"empty", b"navigate", b"?1", b"preview"),
            *(b"prefetch", b"Googlebot/2.1", b"0", b"100-continue", b"chunked", b"websocket"),
        ]
    ),
    st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True),
    st.binary(max_size=8),
)
HEADS = st.builds(
    lambda fields, colon: b"".join(b"%b%b%b\r\n" % (name, colon, value) for name, value in fields),
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
    st.sampled_from([b": ", b": ", b":", b":  ", b" : "]),
)
QUERIES = st.one_of(
    st.just(b""),
    st.from_regex(rb"\?[!-~]{0,20}", fullmatch=True),
    st.binary(max_size=8).map(lambda query: b"?" + query),
)


@settings(max_examples=2000, deadline=None)
@given(QUERIES, HEADS)
def test_whatever_fields_and_query(query: bytes, head: bytes) -> None:
    """A request is read as the parser reads it, or left to the parser."""
    packet = b"GET /acme/summer/c/news1/%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (query, head)
    assert check(packet, seasoned()) >= check(packet)


@settings(max_examples=2000, deadline=None)
@given(st.lists(PIECES, max_size=4), st.integers(0, 200), st.integers(0, 20))
@example([], 0, 0)
def test_whatever_is_changed_in_a_request(pieces: list[bytes], at: int, length: int) -> None:
    """So is one in whose midst something is put, or taken away."""
    plain = (
        b"GET /acme/summer/c/news1/?b=2 HTTP/1.1\r\n"
        b"Cookie: z\r\nHost: x\r\nCF-Ray: 1\r\nUser-Agent: y\r\n\r\n"
    )
    changed = plain[:at] + b"".join(pieces) + plain[at + length :]
    assert check(changed, seasoned()) >= check(changed)


def test_a_query_that_is_not_forwarded() -> None:
    """With FORWARD_QUERY=false it does not matter, but must still be one."""
    lane = express(forward_query=False)
    request = b"GET /acme/summer/c/news1/?%b HTTP/1.1\r\nHost: x\r\n\r\n"
    assert lane.read(request % b"b=2") == lane.read(
        b"GET /acme/summer/c/news1/ HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert lane.read(request % b"\xff") is None


def test_a_request_line_is_known_as_long_as_its_link() -> None:
    """A link that is forgotten, replaced or dropped for another is not answered from memory."""
    links = links_with(link("a"), link("b"), size=2)
    lane = express_of(links)
    assert lane.read(get("a")) is not None
    assert lane.read(get("b")) is not None
    links.forget("a")
    assert lane.read(get("a")) is None
    keep(links, link("b", "https://new.example/"))
    answer = lane.read(get("b"))
    assert answer is not None
    assert answer[2] == b"https://new.example/"
    # `b` was asked for, and is passed over once.
    for code in ("c", "d", "e", "f"):
        keep(links, link(code))
    assert lane.read(get("b")) is None
    assert lane.read(get("f")) is not None
    links._forget_all()
    assert lane.read(get("f")) is None
    assert links.by_request_line == {}


@pytest.mark.parametrize("ending", [b"/", b"/?b=2", b""], ids=["plain", "query", "no slash"])
def test_who_is_asked_for_stays(ending: bytes) -> None:
    """A link that was asked for again in the lane is not the next that is dropped."""
    links = links_with(link("a"), link("b"), size=2)
    lane = express_of(links)
    for _ in range(2):
        request = b"GET /acme/summer/c/a%b HTTP/1.1\r\nHost: x\r\n\r\n"
        assert lane.read(request % ending) is not None
    keep(links, link("c"))
    assert lane.read(get("b")) is None
    assert lane.read(get("a")) is not None
