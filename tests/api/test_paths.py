"""Paths: methods, the last slash, headers, and what is no path at all."""

import asyncio
from dataclasses import dataclass

import httpx
import pytest

from tests.api.conftest import Shop

LIST = "GET, POST, HEAD, OPTIONS"
ITEM = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("name", "method", "allow"),
    [
        *(
            ("campaigns/", method, LIST)
            for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO")
        ),
        *(("categories/", method, LIST) for method in ("PUT", "PATCH", "DELETE")),
        *(("campaigns/1/", method, ITEM) for method in ("POST", "TRACE", "SEARCH", "FOO-BAR")),
        ("categories/1/", "POST", ITEM),
        *(("category/1/", method, "DELETE, OPTIONS") for method in ("GET", "HEAD", "PUT", "POST")),
    ],
)
async def test_a_wrong_method_is_405(shop: Shop, name: str, method: str, allow: str) -> None:
    """The answer names the method that came and those that are there."""
    with shop.served.unchanged():
        response = await shop.client.request(method, name)
    assert response.status_code == 405
    assert response.headers["Allow"] == allow
    assert response.headers["Vary"] == "Accept"
    if method != "HEAD":
        assert response.json() == {"detail": f'Method "{method}" not allowed.'}


async def test_every_routed_answer_says_what_is_allowed(shop: Shop) -> None:
    """`Allow` and `Vary` are on successes and errors alike."""
    id = (await shop.campaign())["id"]
    for method, path, allow in (
        ("GET", "campaigns/", LIST),
        ("HEAD", "campaigns/", LIST),
        ("OPTIONS", "campaigns/", LIST),
        ("POST", "campaigns/", LIST),
        ("GET", "campaigns/?page=9", LIST),
        ("GET", f"campaigns/{id}/", ITEM),
        ("HEAD", f"campaigns/{id}/", ITEM),
        ("OPTIONS", f"campaigns/{id}/", ITEM),
        ("PATCH", f"campaigns/{id}/", ITEM),
        ("PUT", f"campaigns/{id}/", ITEM),
        ("DELETE", f"campaigns/{id}/", ITEM),
        ("GET", "campaigns/x/", ITEM),
        ("GET", "campaigns/9999999/", ITEM),
    ):
        response = await shop.client.request(method, path)
        assert response.headers["Allow"] == allow, (method, path)
        assert response.headers["Vary"] == "Accept"
        assert response.headers["Content-Type" if response.status_code != 204 else "Date"]


@pytest.mark.parametrize("path", ["campaigns/", "categories/?page_size=1", "campaigns/x/"])
async def test_head_is_get_without_the_body(shop: Shop, path: str) -> None:
    """The same status and headers, Content-Length too, and no byte more."""
    await shop.campaign()
    get, head = await shop.client.get(path), await shop.client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    for headers in (get.headers, head.headers):
        headers.pop("Date")
    assert head.headers == get.headers
    assert head.headers["Content-Length"] == str(len(get.content))


async def test_options_describes_a_path(shop: Shop) -> None:
    """What is there, and which formats it speaks; an id need not exist."""
    for path, name in (
        ("campaigns/", "Campaign List"),
        ("campaigns/9/", "Campaign Instance"),
        ("categories/", "Item Category List"),
        ("category/9/", "Item Category Instance"),
    ):
        response = await shop.client.options(path)
        assert (response.status_code, response.json()) == (
            200,
            {
                "name": name,
                "description": "",
                "renders": ["application/json"],
                "parses": [
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data",
                ],
            },
        )


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("campaigns", "campaigns/"),
        ("campaigns/5", "campaigns/5/"),
        ("campaigns/x?a=b%20c&a=%2F?", "campaigns/x/?a=b%20c&a=%2F?"),
        ("category/7", "category/7/"),
        ("campaigns/%C3%A4%0D%0AX:%20y", "campaigns/%C3%A4%0D%0AX%3A%20y/"),
    ],
)
async def test_a_missing_slash_is_added(shop: Shop, method: str, path: str, location: str) -> None:
    """GET, HEAD, DELETE and OPTIONS are sent on with their query, whoever asks."""
    with shop.served.unchanged():
        async with httpx.AsyncClient(verify=False) as client:
            response = await client.request(method, shop.url + path)
    assert response.status_code == 301
    assert response.headers["Location"] == shop.path + location
    assert response.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "SEARCH"])
@pytest.mark.parametrize("path", ["campaigns", "campaigns/1", "campaigns/1/orders", "category/1"])
async def test_a_body_is_not_sent_on(shop: Shop, method: str, path: str) -> None:
    """Clients drop the body when they follow a redirect: a 404 that says what is missing."""
    with shop.served.unchanged():
        response = await shop.client.request(method, path, json={"description": "x"})
    assert (response.status_code, response.json()) == (
        404,
        {"detail": "Not found. The path must end with a slash."},
    )


UNKNOWN_PATHS = [
    "/",
    "/x",
    "/healthz/",
    "/api/v1/",
    "/api/v1/organizers/{0}/events/{1}/orders",
    "/api/v1/organizers/{0}/events/{1}/orders/",
    "/api/v1/organizers/{0}/events/{1}/campaigns//",
    "/api/v1/organizers/{0}/events/{1}//campaigns/",
    "/api/v1/organizers/{0}/events/{1}/campaigns/1/x/",
    "//api/v1/organizers/{0}/events/{1}/campaigns",
    "/API/v1/organizers/{0}/events/{1}/campaigns/",
    "/api/v1/organizers/{0}/events/{1}/Campaigns/",
    "/api/v1/organizers/{0}/events/{1}/campaigns/a%2Fb/",
    "/docs",
    "/redoc",
    "/%00",
    "/%ff%fe/",
    "/" + "x" * 7_000,
]


@pytest.mark.parametrize("path", UNKNOWN_PATHS, ids=lambda path: path[:60])
async def test_an_unknown_path_is_404_as_json(shop: Shop, path: str) -> None:
    """Any method, no redirect, nothing but "Not found."."""
    url = shop.served.url + path.format(shop.organizer.slug, shop.slug)
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        response = await shop.client.request(method, url)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."}), method


@dataclass(frozen=True)
class RawPath:
    """A path as it is on the wire, and the statuses that are fine."""

    path: str
    statuses: set[int]


RAW_PATHS = {
    "dots": RawPath("/api/v1/organizers/{0}/events/../campaigns/", {403, 404}),
    "escaped dots": RawPath("/api/v1/organizers/{0}/events/%2e%2e/campaigns/", {403}),
    "NUL in a slug": RawPath("/api/v1/organizers/{0}/events/{1}%00/campaigns/", {403}),
    "no UTF-8 in a slug": RawPath("/api/v1/organizers/%ff/events/{1}/campaigns/", {403}),
    "a surrogate in a slug": RawPath("/api/v1/organizers/%ed%a0%80/events/{1}/campaigns/", {403}),
    "a slash in a slug": RawPath("/api/v1/organizers/a%2fb/events/{1}/campaigns/", {404}),
    "a line feed in a slug": RawPath("/api/v1/organizers/{0}%0a/events/{1}/campaigns/", {403}),
    "a long slug": RawPath(f"/api/v1/organizers/{'x' * 7_000}/events/{1}/campaigns/", {403}),
    "a broken escape": RawPath("/api/v1/organizers/%zz/events/%/campaigns/", {403}),
    "a raw byte": RawPath("/api/v1/organizers/ä/events/{1}/campaigns/", {400, 403, 404}),
    "a raw byte in the query": RawPath(
        "/api/v1/organizers/{0}/events/{1}/campaigns/?page_size=1&x=ä", {200, 400}
    ),
    "no path": RawPath("*", {400, 404}),
    "a whole URL": RawPath("http://x/api/v1/organizers/{0}/events/{1}/campaigns/", {200}),
}


@pytest.mark.parametrize("case", RAW_PATHS.values(), ids=RAW_PATHS.keys())
async def test_odd_paths_are_refused_quietly(shop: Shop, case: RawPath) -> None:
    """Nothing that a client can put on a request line makes a 500."""
    host, port = shop.served.url.removeprefix("http://").split(":")
    for method in ("GET", "PATCH"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"{method} {case.path.format(shop.organizer.slug, shop.slug)} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Token {shop.organizer.full}\r\nConnection: close\r\n\r\n".encode()
        )
        status = int((await asyncio.wait_for(reader.read(), 10)).split(b" ", 2)[1])
        writer.close()
        assert status in case.statuses | ({405} if method == "PATCH" else set())
