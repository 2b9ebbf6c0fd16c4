"""The list of campaigns: what narrows and orders it."""

from collections.abc import AsyncIterator, Sequence

import pytest

from tests.api.conftest import Shop
from tracking import clicks
from tracking.clicks import Audience, Batch, ClickCount, Hour

# Code, description, target, clicks and orders of the campaigns 0 to 4; codes get the event's slug.
CAMPAIGNS = [
    ("poster", "Poster in the hall", "https://a.example/MÄRZ", 3, 0),
    ("Flyer", "100% off", "", 0, 2),
    ("banner_a", "Ärger", "https://b.example/?a=b%20c", 3, 1),
    ("bannerXa", "poster", "", 0, 0),
    ("mail", "größer als 1000", "https://c.example/hall", 7, 2),
]


@pytest.fixture
async def listed(shop: Shop) -> AsyncIterator[Shop]:
    """An event with those campaigns, and another's with the like."""
    counts, ids = [], []
    for code, description, target, number, orders in CAMPAIGNS:
        made = await shop.campaign(
            code=f"{code}-{shop.slug}", description=description, external_target=target
        )
        assert isinstance(made["id"], int)
        ids.append(made["id"])
        counts.append(ClickCount(made["id"], Hour(1), Audience.HUMAN, number))
        for order in range(orders):
            path = f"campaigns/{made['id']}/orders/"
            await shop.client.post(path, json={"code": f"A{len(ids)}{order}"})
    database = shop.served.database()
    async with database.write() as connection:
        told = [count for count in counts if count.clicks]
        await clicks.apply(connection, [Batch(f"batch-{shop.slug}", 1, 1, tuple(told))])
    await database.close()
    other = await shop.client.post(
        shop.url_of("acme", "winter") + "campaigns/", json={"description": "Poster in the hall"}
    )
    yield shop
    await shop.client.delete(shop.url_of("acme", "winter") + f"campaigns/{other.json()['id']}/")


async def numbers(shop: Shop, query: str) -> list[int]:
    """Which of the campaigns are listed, in order, over pages of two."""
    separator = "&" if query else ""
    url: str | None = f"campaigns/?{query}{separator}page_size=2"
    found: list[int] = []
    codes = [f"{code}-{shop.slug}" for code, *_ in CAMPAIGNS]
    while url is not None:
        page = (await shop.client.get(url)).json()
        found += [codes.index(item["code"]) for item in page["results"]]
        url = page["next"]
    assert page["count"] == len(found)
    whole = (await shop.client.get(f"campaigns/?{query}")).json()["results"]
    assert [codes.index(item["code"]) for item in whole] == found
    return found


ORDERINGS: dict[str, Sequence[int]] = {
    "": [0, 1, 2, 3, 4],
    "ordering=id": [0, 1, 2, 3, 4],
    "ordering=-id": [4, 3, 2, 1, 0],
    "ordering=click_count": [3, 1, 2, 0, 4],
    "ordering=-click_count": [4, 2, 0, 3, 1],
    "ordering=order_count": [3, 0, 2, 4, 1],
    "ordering=-order_count": [4, 1, 2, 3, 0],
    "ordering=code": [1, 3, 2, 4, 0],
    "ordering=-code": [0, 4, 2, 3, 1],
    "ordering=description": [1, 0, 4, 3, 2],
    "ordering=-description": [2, 3, 4, 0, 1],
    "ordering=-click_count,id": [4, 0, 2, 1, 3],
    "ordering=-click_count,%20-order_count": [4, 2, 0, 1, 3],
    "ordering=order_count,click_count,-code": [3, 0, 2, 1, 4],
    "ordering=click_count,-click_count,id": [1, 3, 0, 2, 4],
    "ordering=external_target,-id": [4, 3, 2, 1, 0],
    "ordering=clicks,--id,%2Bid": [0, 1, 2, 3, 4],
    "ordering=,": [0, 1, 2, 3, 4],
    "ordering=id&ordering=-id": [4, 3, 2, 1, 0],
}
SEARCHES: dict[str, Sequence[int]] = {
    "search=": [0, 1, 2, 3, 4],
    "search=poster": [0, 3],
    "search=POSTER%20IN": [0],
    "search=hall": [0, 4],
    "search=flyer": [1],
    "search=ärger": [2],
    "search=%C3%84RGER": [2],
    "search=märz": [0],
    "search=GRÖSSER": [4],
    "search=100%25": [1],
    "search=%25": [1, 2],
    "search=%2520": [2],
    "search=R_A": [2],
    "search=_": [2],
    "search=%20hall%20": [0, 4],
    "search=offhttps": [],
    "search=nothing": [],
    "search='%20OR%201=1": [],
    "search=poster&search=hall": [0, 4],
    "search=hall&ordering=-click_count": [4, 0],
    "search=a.example&ordering=id&code=x": [],
}


@pytest.mark.parametrize(("query", "found"), ORDERINGS.items(), ids=ORDERINGS)
async def test_the_list_is_ordered(listed: Shop, query: str, found: Sequence[int]) -> None:
    """By what the contract names, several in turn; other names are dropped."""
    assert await numbers(listed, query) == found


@pytest.mark.parametrize(("query", "found"), SEARCHES.items(), ids=SEARCHES)
async def test_the_list_is_searched(listed: Shop, query: str, found: Sequence[int]) -> None:
    """In code, description and target, case aside; every character is itself."""
    assert await numbers(listed, query) == found


@pytest.mark.parametrize("path", ["campaigns/", "../"], ids=["campaigns", "events"])
@pytest.mark.parametrize("letter", ["a", "ß", "\N{GRINNING FACE}", " "])
async def test_a_search_has_255_characters_at_most(shop: Shop, path: str, letter: str) -> None:
    """One more is an error, whatever they are."""
    for length, status in ((255, 200), (256, 400)):
        answer = await shop.client.get(path, params={"search": letter * length})
        assert answer.status_code == status
    message = "Ensure this field has no more than 255 characters."
    assert answer.json() == {"search": [message]}


async def test_a_code_is_matched_to_the_letter(listed: Shop) -> None:
    """The event's own campaign with it, or none."""
    code = f"banner_a-{listed.slug}"
    winter = listed.url_of("acme", "winter")
    foreign = (await listed.client.get(f"{winter}campaigns/?page=last")).json()["results"][-1]
    for query, found in (
        (f"code={code}", [2]),
        (f"code={code.upper()}", []),
        (f"code={code[:-1]}", []),
        (f"code={code}&search=ärger", [2]),
        (f"code={code}&search=poster", []),
        (f"code={code}&ordering=-id", [2]),
        (f"code={foreign['code']}", []),
        ("code=", [0, 1, 2, 3, 4]),
        ("code=a%20b", []),
    ):
        assert await numbers(listed, query) == found, query


async def test_what_is_found_follows_what_is_written(shop: Shop) -> None:
    """A new, a changed and a deleted campaign are found by what they are now."""
    made = await shop.campaign(description="First", external_target="https://a.example/eins")
    path = f"campaigns/{made['id']}/"

    async def found(search: str) -> bool:
        page = (await shop.client.get("campaigns/", params={"search": search})).json()
        return [item["id"] for item in page["results"]] == [made["id"]]

    assert await found("FIRST")
    assert await found("/EINS")
    await shop.client.patch(path, json={"description": "Zweitens", "code": f"zwei-{shop.slug}"})
    assert not await found("first")
    assert await found("ZWEIT")
    assert await found("zwei-")
    assert await found("eins")
    await shop.client.put(path, json={"description": "Zweitens"})
    assert not await found("eins")
    await shop.client.delete(path)
    assert not await found("zwei")


async def test_links_between_pages_keep_what_was_asked(listed: Shop) -> None:
    """Sorted by name, encoded anew."""
    page = (
        await listed.client.get("campaigns/?search=%C3%84&page_size=1&ordering=-id&colour=red")
    ).json()
    assert page["next"] == (
        f"{listed.url}campaigns/?colour=red&ordering=-id&page=2&page_size=1&search=%C3%84"
    )
