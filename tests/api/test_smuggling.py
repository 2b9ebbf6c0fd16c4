"""Nothing that a body holds is read as a request, however it is cut into packets."""

from collections.abc import AsyncIterator

import pytest
import uvicorn

from api.app import create_app
from tests.serving import Serving, running
from tests.serving.attacks import ACCEPTED, REFUSED, answers, deliveries
from tests.serving.client import Watched
from tracking import tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

SMUGGLED = (
    b"GET /api/v1/organizers/acme/events/summer/campaigns/ HTTP/1.1\r\n"
    b"Host: x\r\nAuthorization: Token %b\r\n\r\n"
)


@pytest.fixture
async def token(database: Database) -> bytes:
    """One that may read acme's summer."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        return (await tokens.create(connection, event.organizer_id)).encode()


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Serving]:
    """The API in the test's own event loop."""
    config = uvicorn.Config(
        create_app(settings), http=Watched, lifespan="on", log_config=None, proxy_headers=False
    )
    async with running(config) as api:
        yield api


async def test_the_smuggled_request_is_a_good_one(api: Serving, token: bytes) -> None:
    """Sent openly, it is answered."""
    attack = ACCEPTED["a body"](b"")
    received = await answers(api, attack, (SMUGGLED % token,))
    assert received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_body_is_no_request(api: Serving, token: bytes, name: str) -> None:
    """One answer to the request, and one to the next, if the connection outlasts it."""
    attack = ACCEPTED[name](SMUGGLED % token)
    for packets in deliveries(attack, step=131):
        received = await answers(api, attack, packets)
        assert received.count(b"HTTP/1.1 4") in {1, 2}, (packets, received)
        assert received.count(b"HTTP/1.1 ") <= 2, (packets, received)
        assert b"HTTP/1.1 2" not in received, (packets, received)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_may_be_read_in_two_ways_is_refused(
    api: Serving, token: bytes, name: str
) -> None:
    """One answer, and the connection is closed."""
    attack = REFUSED[name](SMUGGLED % token)
    for packets in deliveries(attack, step=131):
        received = await answers(api, attack, packets)
        assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), (packets, received)
        assert received.count(b"HTTP/1.1 ") == 1, (packets, received)
