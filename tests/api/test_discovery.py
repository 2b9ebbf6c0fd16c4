"""What a token may see: its organizer, and the version."""

from dataclasses import dataclass

import httpx
import pytest

from tests.api.conftest import Shop
from tracking import __version__

FORBIDDEN = {"detail": "You do not have permission to perform this action."}
ROOT = "/api/v1/organizers/"
LINKS = "http://127.0.0.1:8000"


async def get(shop: Shop, path: str, token: str) -> httpx.Response:
    """Asks with one of the organizer's tokens."""
    headers = {"Authorization": f"Token {getattr(shop.organizer, token)}"}
    return await shop.client.get(shop.served.url + path, headers=headers)


async def test_a_token_sees_its_organizer_alone(shop: Shop) -> None:
    """One organizer, as pretix shows it; without a name of its own it is called by its slug."""
    mine = {"name": "acme", "slug": "acme", "public_url": f"{LINKS}/acme/", "plugins": []}
    page = {"count": 1, "next": None, "previous": None, "results": [mine]}
    assert (await get(shop, ROOT, "full")).json() == page
    assert (await get(shop, ROOT, "read_only")).json() == page
    assert (await get(shop, f"{ROOT}acme/", "spring_only")).json() == mine
    assert (await get(shop, ROOT, "stranger")).json()["results"] == [
        {"name": "zenith", "slug": "zenith", "public_url": f"{LINKS}/zenith/", "plugins": []}
    ]


async def test_the_version_is_told_to_who_has_a_token(shop: Shop) -> None:
    """Nobody else need know."""
    assert (await get(shop, "/api/v1/version/", "stranger")).json() == {"version": __version__}
    async with httpx.AsyncClient(verify=False) as nobody:
        refused = await nobody.get(f"{shop.served.url}/api/v1/version/")
    assert refused.status_code == 401


@dataclass(frozen=True)
class Refusal:
    """A request, and the status of the fault that counts."""

    token: str
    method: str
    path: str
    status: int


REFUSALS = {
    "401 of a list": Refusal("revoked", "GET", "", 401),
    "401 before 405": Refusal("revoked", "POST", "acme/", 401),
    "401 before 403": Refusal("revoked", "GET", "zenith/", 401),
    "another organizer": Refusal("full", "GET", "zenith/", 403),
    "another organizer's events": Refusal("full", "GET", "zenith/events/", 403),
    "another organizer's event": Refusal("full", "GET", "zenith/events/winter/", 403),
    "an unknown organizer": Refusal("full", "GET", "nobody/", 403),
    "an unknown event": Refusal("full", "GET", "acme/events/autumn/", 403),
    "an event that is not covered": Refusal("spring_only", "GET", "acme/events/winter/", 403),
    "403 before 405": Refusal("stranger", "DELETE", "acme/", 403),
    "read-only before 405": Refusal("read_only", "POST", "", 403),
    "403 before 405, an event": Refusal("read_only", "PUT", "acme/events/winter/", 403),
    "405 of the list": Refusal("full", "POST", "", 405),
    "405 of an organizer": Refusal("full", "DELETE", "acme/", 405),
    "405 of events": Refusal("full", "POST", "acme/events/", 405),
    "405 of an event": Refusal("full", "PATCH", "acme/events/winter/", 405),
    "404 of a page": Refusal("full", "GET", "?page=2", 404),
    "404 of a page of events": Refusal("full", "GET", "acme/events/?page=0", 404),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
async def test_faults_are_as_everywhere(shop: Shop, case: Refusal) -> None:
    """The same order of checks, the same 403 for what is not there."""
    headers = {"Authorization": f"Token {getattr(shop.organizer, case.token)}"}
    url = shop.served.url + ROOT + case.path
    with shop.served.unchanged():
        response = await shop.client.request(case.method, url, headers=headers)
    assert response.status_code == case.status
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert response.headers["Vary"] == "Accept"
    if case.status == 403:
        assert response.json() == FORBIDDEN


@pytest.mark.parametrize("path", ["", "acme/", "acme/events/", "acme/events/winter/"])
async def test_head_options_and_the_slash(shop: Shop, path: str) -> None:
    """As for every other path, 406 included."""
    url = shop.served.url + ROOT + path
    got, head = await shop.client.get(url), await shop.client.head(url)
    options = await shop.client.options(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.content))
    assert options.json()["name"].split()[0] in {"Organizer", "Event"}
    moved = await shop.client.get(url.removesuffix("/"))
    assert (moved.status_code, moved.headers["Location"]) == (301, ROOT + path)
    refused = await shop.client.get(url, headers={"Accept": "text/html"})
    assert refused.status_code == 406
