"""A client as one would write it for pretix, from its documentation: only the base URL is ours."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Shop

Item = dict[str, Any]


class Session:
    """What such clients do: walk lists by `next`, and trust statuses."""

    def __init__(self, base_url: str, token: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Token {token}", "Accept": "application/json"},
            timeout=30,
            verify=False,
        )

    async def walk(self, path: str, **parameters: str) -> AsyncIterator[Item]:
        """Every item of a list, page after page."""
        response = await self.http.get(path, params=parameters)
        while True:
            response.raise_for_status()
            page = response.json()
            for item in page["results"]:
                yield item
            if page["next"] is None:
                return
            response = await self.http.get(page["next"])

    async def send(self, method: str, path: str, body: object = None) -> Any:
        """A write that must succeed; what it answers."""
        response = await self.http.request(method, path, json=body)
        response.raise_for_status()
        return response.json() if response.content else None


@pytest.fixture
async def session(shop: Shop) -> AsyncIterator[Session]:
    """A session at the event."""
    session = Session(shop.url, shop.organizer.full)
    async with session.http:
        yield session


async def test_categories_are_kept_in_step_with_a_shop(session: Session) -> None:
    """Made, found again over several pages, edited, and deleted under the documented path."""
    made = [
        await session.send(
            "POST",
            "categories/",
            {
                "name": {"en": f"Tickets {number}", "de": f"Karten {number}"},
                "internal_name": "",
                "description": {"en": "What you need to get in."},
                "position": number,
                "is_addon": number % 10 == 0,
            },
        )
        for number in range(120)
    ]
    assert [item async for item in session.walk("categories/")] == made
    by_seven = [item async for item in session.walk("categories/", page_size="7", ordering="-id")]
    assert by_seven == made[::-1]
    add_ons = [item async for item in session.walk("categories/", is_addon="true", page_size="5")]
    assert add_ons == made[::10]

    first = made[0]
    patched = await session.send("PATCH", f"categories/{first['id']}/", {"position": 500})
    assert patched == {**first, "position": 500}
    moved = [item["id"] async for item in session.walk("categories/")]
    assert moved == [item["id"] for item in (*made[1:], first)]
    replaced = await session.send("PUT", f"categories/{first['id']}/", {"name": {"en": "Seats"}})
    assert replaced["position"] == 0

    for item in made[:60]:
        await session.send("DELETE", f"category/{item['id']}/")
    for item in made[60:100]:
        await session.send("DELETE", f"categories/{item['id']}/")
    assert [item async for item in session.walk("categories/", page_size="3")] == made[100:]
    gone = await session.http.get(f"categories/{first['id']}/")
    assert gone.status_code == 404


async def test_campaigns_are_made_read_and_ended(session: Session) -> None:
    """Made with and without a code, walked forth by `next` and back by `previous`, and ended."""
    made = []
    for number in range(60):
        body = {"description": f"Poster {number}", "external_target": "https://www.example.com/"}
        made.append(await session.send("POST", "campaigns/", body))
    assert len({item["code"] for item in made}) == 60
    assert [item async for item in session.walk("campaigns/", page_size="25")] == made

    page = (await session.http.get("campaigns/", params={"page": "last", "page_size": "25"})).json()
    backwards = page["results"]
    while page["previous"] is not None:
        page = (await session.http.get(page["previous"])).json()
        backwards = page["results"] + backwards
    assert backwards == made

    first = made[0]
    renamed = await session.send("PATCH", f"campaigns/{first['id']}/", {"description": "Flyer"})
    assert renamed == {**first, "description": "Flyer"}
    replaced = await session.send("PUT", f"campaigns/{first['id']}/", {"description": "Banner"})
    assert replaced == {**first, "description": "Banner", "external_target": ""}
    for item in made[:-1]:
        await session.send("DELETE", f"campaigns/{item['id']}/")
    assert [item async for item in session.walk("campaigns/")] == made[-1:]
    gone = await session.http.get(f"campaigns/{first['id']}/")
    assert gone.status_code == 403


async def test_pages_stay_right_while_items_are_deleted(session: Session) -> None:
    """A client that empties a list from its first page ends with nothing, and no page is wrong."""
    for number in range(30):
        await session.send("POST", "categories/", {"name": f"Tickets {number}"})
    left = 30
    while True:
        response = await session.http.get("categories/", params={"page_size": "7"})
        page = response.json()
        assert page["count"] == left
        assert (page["next"] is None) == (left <= 7)
        last = await session.http.get("categories/", params={"page": "last", "page_size": "7"})
        assert len(last.json()["results"]) == (left % 7 or min(left, 7))
        if not page["results"]:
            break
        for item in page["results"]:
            await session.send("DELETE", f"categories/{item['id']}/")
        left -= len(page["results"])
    assert left == 0
