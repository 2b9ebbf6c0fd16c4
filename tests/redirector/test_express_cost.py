"""What an express request costs, in calls: a figure that no machine's load can change."""

import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import CodeType, FrameType

import pytest
from uvicorn.protocols.http import h11_impl

import redirector
import serving
from redirector.http.express import STATE_KEY
from tests.redirector.lanes import Lane, create_campaigns, lane
from tests.redis_server import RedisServer
from tests.serving.client import connected
from tracking.clicks import Audience
from tracking.database import Database
from tracking.settings import Settings

RECORDED = Path(__file__).with_name("express_calls.txt")

PACKET = (
    b"GET /acme/summer/c/news1/%b HTTP/1.1\r\n"
    b"Host: tickets.example\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    b"Connection: keep-alive\r\n"
    b"\r\n"
)
PACKETS = {"no query": PACKET % b"", "query": PACKET % b"?utm_source=mail"}

OURS = (str(Path(redirector.__file__).parent), str(Path(serving.__file__).parent))
UVICORNS = h11_impl.__file__


@pytest.fixture
async def expressway(
    settings: Settings, redis: RedisServer, database: Database
) -> AsyncIterator[Lane]:
    """A redirector that answers at once: what a click costs until Redis has it is not ours."""
    codes = await create_campaigns(database)
    async with lane(settings, redis, codes) as expressway:
        express = expressway.server.lifespan.state[STATE_KEY]

        def answer_at_once(
            campaign_id: int, audience: Audience, answer: Callable[[], None]
        ) -> None:
            answer()

        express.record = answer_at_once
        yield expressway


def calls_of(action: Callable[[], None]) -> list[str]:
    """The functions that our code and uvicorn's protocol call, and are called; C's are indented."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, function: object) -> None:
        if _is_ours(frame.f_code):
            if event == "call":
                calls.append(frame.f_code.co_qualname)
            elif event == "c_call":
                calls.append(f"    {getattr(function, '__qualname__', function)}")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(OURS) or code.co_filename == UVICORNS


async def test_calls_of_an_express_request(expressway: Lane) -> None:
    """From the packet to the answer it takes exactly the recorded calls."""
    report: list[str] = []
    async with connected(expressway) as client:
        client.peer.access_log = False  # pytest's log handlers switch it on
        for name, packet in PACKETS.items():
            # The first request of a head, a link and a connection does what the next need not do.
            client.peer.data_received(packet)
            calls = calls_of(partial(client.peer.data_received, packet))
            report += [f"{name}: {len(calls)} calls", *calls, ""]
    text = "\n".join(report)
    assert text == RECORDED.read_text(), (
        "an express request does not cost what it cost; if that is on purpose, "
        f"tests/redirector/{RECORDED.name} is to be:\n\n{text}"
    )


async def test_a_connection_shares_the_keys_of_its_attributes(expressway: Lane) -> None:
    """CPython does so up to 30: beyond, each has a dictionary of 1.5 KiB of its own."""
    async with connected(expressway) as client:
        await client.send(PACKETS["no query"])
        assert vars(client.peer.cycle) == {}
        await client.send(PACKETS["no query"].replace(b"GET", b"POST"))
        assert len(vars(client.peer)) <= 30
