"""Pages of a list: which items, and which links."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx
import pytest

from tests.api.conftest import Shop
from tracking.languages import LOCALES


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


@pytest.mark.parametrize("host", ["", "a!b", "a%20b", "(a)", "a,b"])
async def test_a_host_that_nobody_has_is_not_in_links(shop: Shop, host: str) -> None:
    """HTTP allows it (RFC 3986, 3.2.2); the server's own address stands in for it."""
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


# A category of almost a MiB, as much as a body may hold.
LARGE = {"name": dict.fromkeys(sorted(LOCALES)[:15], "x" * 65_536)}
MAX_BYTES = 8 * 2**20


@pytest.fixture
async def large(shop: Shop) -> AsyncIterator[list[object]]:
    """The ids of eleven such categories."""
    ids = [(await shop.category(**LARGE))["id"] for _ in range(11)]
    yield ids
    for id in ids:  # other tests read the whole database
        await shop.client.delete(f"categories/{id}/")


WALKS = {
    "": [5, 5, 1],
    "page_size=50": [5, 5, 1],
    "page_size=9": [3, 3, 3, 2],
    "page_size=11": [1] * 11,
    "page_size=4": [4, 4, 3],
    "ordering=-id&page_size=10": [5, 5, 1],
}


async def test_a_page_is_bounded_in_bytes(shop: Shop, large: list[object]) -> None:
    """It ends before 8 MiB, and who follows `next` or `previous` gets everything all the same."""
    for query, sizes in WALKS.items():
        url: str | None = f"categories/?{query}"
        pages: list[list[object]] = []
        while url is not None:
            response = await shop.client.get(url)
            assert len(response.content) < MAX_BYTES
            page = response.json()
            assert page["count"] == len(large)
            assert (page["previous"] is None) == (not pages)
            pages.append([item["id"] for item in page["results"]])
            last, url = page, page["next"]
        assert [len(page) for page in pages] == sizes, query
        assert list(chain(*pages)) == (large[::-1] if "-id" in query else large)
        backwards = [pages[-1]]
        while last["previous"] is not None:
            last = (await shop.client.get(last["previous"])).json()
            backwards.append([item["id"] for item in last["results"]])
        assert backwards == pages[::-1], query


@pytest.mark.usefixtures("large")
async def test_a_bounded_page_keeps_the_rest_of_the_query(shop: Shop) -> None:
    """Its links name the smaller size in place of the one that was asked for."""
    for query, next, previous in (
        ("page_size=9&b=1&ordering=id", "b=1&ordering=id&page=2&page_size=3", None),
        ("page=1", "page=2&page_size=5", None),
        ("page=3&page_size=3", "page=4&page_size=3", "page=2&page_size=3"),
        ("page=last&page_size=10", None, "page_size=10"),
    ):
        page = (await shop.client.get(f"categories/?{query}")).json()
        links = [link and link.partition("?")[2] for link in (page["next"], page["previous"])]
        assert links == [next, previous], query
    head = await shop.client.head("categories/")
    assert int(head.headers["Content-Length"]) < MAX_BYTES
