"""Headers that every answer has: what browsers and caches must not do with it, and when it was."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.api.conftest import Shop
from tracking import __version__

DOCS = "/api/v1/docs"


@dataclass(frozen=True)
class Request:
    """A request, and the status of its answer; a path without a slash before it is the event's."""

    status: int
    path: str
    method: str = "GET"
    token: str | None = "full"
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""


JSON = (("Content-Type", "application/json"),)
REQUESTS = {
    "a list": Request(200, "campaigns/"),
    "HEAD": Request(200, "campaigns/", "HEAD"),
    "OPTIONS": Request(200, "campaigns/", "OPTIONS"),
    "an item made": Request(201, "campaigns/", "POST", "full", JSON, b'{"description": "x"}'),
    "a kept answer": Request(
        201,
        "campaigns/",
        "POST",
        "full",
        (*JSON, ("X-Idempotency-Key", "headers")),
        b'{"description": "x"}',
    ),
    "nothing changed": Request(
        304, "campaigns/", headers=(("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),)
    ),
    "no slash": Request(301, "campaigns"),
    "a wrong body": Request(400, "campaigns/", "POST", "full", JSON, b"["),
    "no token": Request(401, "campaigns/", token=None),
    "another's": Request(403, "campaigns/", token="stranger"),
    "no such path": Request(404, "/x"),
    "no such method": Request(405, "campaigns/", "PUT"),
    "no such method of a page": Request(405, DOCS, "POST"),
    "no JSON wanted": Request(406, "campaigns/", headers=(("Accept", "text/html"),)),
    "too large": Request(413, "campaigns/", "POST", "full", JSON, b" " * (2**20 + 1)),
    "health": Request(200, "/healthz", token=None),
    "the document": Request(200, "/api/v1/openapi.json", token=None),
    "the page": Request(200, DOCS, token=None),
}
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "start.js")


async def answered(shop: Shop, request: Request) -> httpx.Response:
    """The answer, when its status is as it should be."""
    url = request.path if not request.path.startswith("/") else shop.served.url + request.path
    headers = dict(request.headers)
    if request.token is None:
        headers["Authorization"] = ""
    else:
        headers["Authorization"] = f"Token {getattr(shop.organizer, request.token)}"
    response = await shop.client.request(
        request.method, url, headers=headers, content=request.content
    )
    assert response.status_code == request.status
    return response


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_every_answer_is_guarded(shop: Shop, request_: Request) -> None:
    """No guessing of types, no telling where it was read, no frames, no caches; one date."""
    await shop.campaign()
    headers = (await answered(shop, request_)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert len(headers.get_list("Date")) == 1
    for name in ("Content-Security-Policy", "Cache-Control", "Referrer-Policy"):
        assert len(headers.get_list(name)) == 1


@pytest.mark.parametrize("name", FILES)
async def test_the_page_s_files_are_guarded_and_may_be_cached(shop: Shop, name: str) -> None:
    """They hold nobody's data."""
    headers = (await answered(shop, Request(200, f"{DOCS}/{name}", token=None))).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "max-age=86400"


async def test_a_kept_answer_has_the_date_of_its_repetition(shop: Shop) -> None:
    """The answer is kept, and the headers that each sending has anew are not."""
    keyed = REQUESTS["a kept answer"]
    first, second = await answered(shop, keyed), await answered(shop, keyed)
    assert first.json() == second.json()
    for response in (first, second):
        assert len(response.headers.get_list("Date")) == 1
        parsedate_to_datetime(response.headers["Date"])


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_nobody_without_a_token_learns_the_version(shop: Shop, request_: Request) -> None:
    """Neither in a header nor in a page, nor of a library; the document has the API's version."""
    await shop.campaign()
    response = await answered(shop, request_)
    told = f"{response.headers} {response.text}"
    assert not re.search(rf"(?<![0-9.]){re.escape(__version__)}(?![0-9])", told)
    assert not re.search("uvicorn|starlette|fastapi|python", told, re.IGNORECASE)


async def test_the_version_is_told_to_who_has_a_token(shop: Shop) -> None:
    """Where it belongs."""
    response = await answered(shop, Request(200, "/api/v1/version/"))
    assert response.json() == {"version": __version__}
    document = await answered(shop, REQUESTS["the document"])
    assert document.json()["info"]["version"] == "1"
