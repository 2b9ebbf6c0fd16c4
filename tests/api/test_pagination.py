"""Pages of a list: which items, and which links."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.conftest import Shop


@dataclass(frozen=True)
class Query:
    """A query on a list of five, and what comes of it.

    Attributes:
        items: from and to, counted from 0.
        next: the query of the link; None = no link.
    """

    query: str
    items: tuple[int, int]
    next: str | None = None
    previous: str | None = None


QUERIES = {
    "nothing": Query("", (0, 5)),
    "the first": Query("page_size=2", (0, 2), next="page=2&page_size=2"),
    "page 1": Query("page=1&page_size=2", (0, 2), next="page=2&page_size=2"),
    "the second": Query(
        "page=2&page_size=2", (2, 4), next="page=3&page_size=2", previous="page_size=2"
    ),
    "the third": Query("page=3&page_size=2", (4, 5), previous="page=2&page_size=2"),
    "the last": Query("page=last&page_size=2", (4, 5), previous="page=2&page_size=2"),
    "an exact fit": Query("page=last&page_size=5", (0, 5)),
    "no page": Query("page=&page_size=2", (0, 2), next="page=2&page_size=2"),
    "the last of two counts": Query(
        "page=9&page=2&page_size=2", (2, 4), next="page=3&page_size=2", previous="page_size=2"
    ),
    "sorted by name": Query(
        "z=1&page_size=4&b=%C3%A4&a=&z=0",
        (0, 4),
        next="a=&b=%C3%A4&page=2&page_size=4&z=1&z=0",
    ),
    "escaped anew": Query(
        "page_size=4&q=a%20b+c%26&r=%ff", (0, 4), next="page=2&page_size=4&q=a+b+c%26&r=%EF%BF%BD"
    ),
    "leading zeros": Query("page=02&page_size=03", (3, 5), previous="page_size=03"),
    **{
        f"size {size}": Query(f"page_size={size}", (0, 5))
        for size in ("0", "-1", "51", "9" * 5000, "x", "", "1.5", "1e0", "%D9%A3")
    },
}


def _links(shop: Shop, answer: dict[str, Any]) -> tuple[str | None, str | None]:
    base = f"{shop.served.url}{shop.path}campaigns/"
    links = []
    for name in ("next", "previous"):
        link = answer[name]
        assert link is None or link.startswith(base)
        links.append(None if link is None else link.removeprefix(base).removeprefix("?"))
    return links[0], links[1]


@pytest.mark.parametrize("case", QUERIES.values(), ids=QUERIES.keys())
async def test_a_page_and_its_links(shop: Shop, case: Query) -> None:
    """A page holds its part, and links its neighbours with the other parameters kept."""
    made = [await shop.campaign() for _ in range(5)]
    answer = (await shop.client.get(f"campaigns/?{case.query}")).json()
    assert answer["count"] == 5
    assert answer["results"] == made[slice(*case.items)]
    assert _links(shop, answer) == (case.next, case.previous)


@pytest.mark.parametrize(
    "page", ["0", "-1", "4", "x", "Last", "1.0", "9" * 5000, "%D9%A3", "1_0", "%ff"]
)
async def test_a_page_that_does_not_exist_is_404(shop: Shop, page: str) -> None:
    """Out of range or no number: "Invalid page."."""
    for _ in range(3):
        await shop.campaign()
    response = await shop.client.get(f"campaigns/?page_size=1&page={page}")
    assert (response.status_code, response.json()) == (404, {"detail": "Invalid page."})


async def test_an_empty_list_has_one_page(shop: Shop) -> None:
    """Page 1 and the last page are there when nothing is in them."""
    empty: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
    for query in ("", "?page=1", "?page=last"):
        assert (await shop.client.get(f"categories/{query}")).json() == empty
    assert (await shop.client.get("categories/?page=2")).status_code == 404


async def test_a_page_holds_50(shop: Shop) -> None:
    """50 are the default and the most."""
    for _ in range(51):
        await shop.category()
    for query in ("", "?page_size=50", "?page_size=100"):
        answer = (await shop.client.get(f"categories/{query}")).json()
        assert (answer["count"], len(answer["results"])) == (51, 50)
        assert answer["next"] is not None
    following = (await shop.client.get(answer["next"])).json()
    assert len(following["results"]) == 1


@pytest.mark.parametrize(
    "host", ["shop.example", "shop.example:8443", "[2001:db8::1]:80", "127.0.0.1"]
)
async def test_links_are_built_from_the_host_that_was_asked(shop: Shop, host: str) -> None:
    """A client behind any name gets links that work from where it is."""
    for _ in range(2):
        await shop.campaign()
    answer = await shop.client.get("campaigns/?page_size=1", headers={"Host": host})
    assert answer.json()["next"] == f"http://{host}{shop.path}campaigns/?page=2&page_size=1"


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "[", "a:b", "", "a?b#c", "ä"])
async def test_a_host_that_is_none_is_not_in_links(shop: Shop, host: str) -> None:
    """The server's own address stands in for what can't be a host."""
    for _ in range(2):
        await shop.campaign()
    async with httpx.AsyncClient(verify=False) as client:
        answer = await client.get(
            f"{shop.served.url}{shop.path}campaigns/?page_size=1",
            headers=[
                (b"Host", host.encode("latin-1")),
                (b"Authorization", f"Token {shop.organizer.full}".encode()),
            ],
        )
    assert answer.status_code == 200
    assert answer.json()["next"].startswith(f"{shop.served.url}/api/")
