"""Orders: reported, repeated, claimed by another campaign, listed and taken back."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.api.conftest import Shop
from tests.api.pair import pair_of_processes
from tests.api.test_authentication import FORBIDDEN
from tests.api.test_campaigns import NO_NUMBERS, UNKNOWN_NUMBERS

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FORM = "Only the letters A-Z, digits and dashes are allowed."

# What is sent, and what is stored or said about it.
CODES: dict[str, tuple[Any, str | list[str]]] = {
    "as it is": ({"code": "ABC12"}, "ABC12"),
    "in lower case": ({"code": "abc-12"}, "ABC-12"),
    "of 1": ({"code": "-"}, "-"),
    "of 64": ({"code": "a" * 64}, "A" * 64),
    "a number": ({"code": 2026}, "2026"),
    "with more fields": ({"code": "X", "datetime": "1999-01-01T00:00:00Z"}, "X"),
    "of 65": ({"code": "A" * 65}, ["Ensure this field has no more than 64 characters."]),
    "missing": ({}, ["This field is required."]),
    "null": ({"code": None}, ["This field may not be null."]),
    "blank": ({"code": ""}, ["This field may not be blank."]),
    "a list": ({"code": ["ABC12"]}, ["Not a valid string."]),
    "with an underscore": ({"code": "A_B"}, [FORM]),
    "with a space": ({"code": "AB "}, [FORM]),
    "with a slash": ({"code": "A/B"}, [FORM]),
    "with a line feed": ({"code": "AB\n"}, [FORM]),
    "with NUL": ({"code": "A\0"}, ["Null characters are not allowed."]),
    "beyond ASCII": ({"code": "ÄB"}, [FORM]),
    "upper case only in Unicode": ({"code": "ıß"}, [FORM]),
}


async def report(shop: Shop, campaign: dict[str, object], code: str) -> int:
    """Reports an order; the answer's status."""
    return (
        await shop.client.post(f"campaigns/{campaign['id']}/orders/", json={"code": code})
    ).status_code


async def count(shop: Shop, campaign: dict[str, object]) -> object:
    """The campaign's `order_count`, which its list of orders must agree with."""
    found = (await shop.client.get(f"campaigns/{campaign['id']}/")).json()
    orders = (await shop.client.get(f"campaigns/{campaign['id']}/orders/")).json()
    assert found["order_count"] == orders["count"]
    return found["order_count"]


@pytest.mark.parametrize(("sent", "expected"), CODES.values(), ids=CODES)
async def test_a_code_is_read_as_the_contract_says(
    shop: Shop, sent: dict[str, Any], expected: str | list[str]
) -> None:
    """It is stored in upper case, or the answer tells what is wrong with it."""
    made = await shop.campaign()
    before = shop.served.rows()
    response = await shop.client.post(f"campaigns/{made['id']}/orders/", json=sent)
    if isinstance(expected, list):
        assert (response.status_code, response.json()) == (400, {"code": expected})
        assert shop.served.rows() == before
    else:
        order = response.json()
        assert (response.status_code, list(order)) == (201, ["code", "datetime"])
        assert order["code"] == expected
        assert MOMENT.fullmatch(order["datetime"])
        assert not order["datetime"].startswith("1999")


async def test_an_order_is_counted_once(shop: Shop) -> None:
    """201 for the first report, 200 with the same order for others, in any case of its letters."""
    made = await shop.campaign()
    path = f"campaigns/{made['id']}/orders/"
    first = await shop.client.post(path, json={"code": "ABC12"})
    with closing(sqlite3.connect(shop.served.file)) as other:
        other.execute(
            "UPDATE orders SET attributed_at = 1790000000.9 WHERE campaign_id = ?", [made["id"]]
        )
        other.commit()
    again = await shop.client.post(path, json={"code": "abc12"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"code": "ABC12", "datetime": "2026-09-21T14:13:20Z"}
    assert await count(shop, made) == 1


async def test_an_order_belongs_to_the_first_that_claimed_it(shop: Shop) -> None:
    """Another campaign gets a 409 that names the one which has it, and nothing changes."""
    first, second = await shop.campaign(), await shop.campaign()
    assert await report(shop, first, "ABC12") == 201
    with shop.served.unchanged():
        refused = await shop.client.post(
            f"campaigns/{second['id']}/orders/", json={"code": "ABC12"}
        )
    assert refused.status_code == 409
    assert refused.json() == {
        "detail": f"Order ABC12 is attributed to the campaign {first['code']} already."
    }
    assert (await count(shop, first), await count(shop, second)) == (1, 0)


async def test_another_event_has_orders_of_its_own(shop: Shop) -> None:
    """The same code is another order there."""
    here = await shop.campaign()
    url = shop.url_of("acme", "winter") + "campaigns/"
    there = (await shop.client.post(url, json={"description": "x"})).json()
    assert await report(shop, here, shop.slug) == 201
    response = await shop.client.post(f"{url}{there['id']}/orders/", json={"code": shop.slug})
    assert response.status_code == 201


async def test_orders_are_listed_as_they_came(shop: Shop) -> None:
    """In pages, like every list; only the campaign's."""
    made, another = await shop.campaign(), await shop.campaign()
    path = f"campaigns/{made['id']}/orders/"
    reported = [
        (await shop.client.post(path, json={"code": code})).json() for code in ("B", "C", "A")
    ]
    assert await report(shop, another, "D") == 201
    assert (await shop.client.get(path)).json() == {
        "count": 3,
        "next": None,
        "previous": None,
        "results": reported,
    }
    page = (await shop.client.get(path, params={"page_size": 2, "page": "last"})).json()
    assert page == {
        "count": 3,
        "next": None,
        "previous": f"{shop.url}{path}?page_size=2",
        "results": reported[2:],
    }
    assert (await shop.client.get(path, params={"page": 2})).status_code == 404


async def test_an_order_is_taken_back(shop: Shop) -> None:
    """DELETE answers 204, whatever the case; then the order is unknown, and free for others."""
    made, another = await shop.campaign(), await shop.campaign()
    assert await report(shop, made, "ABC12") == 201
    deleted = await shop.client.delete(f"campaigns/{made['id']}/orders/abc12/")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert await count(shop, made) == 0
    with shop.served.unchanged():
        again = await shop.client.delete(f"campaigns/{made['id']}/orders/ABC12/")
        assert (again.status_code, again.json()) == (404, {"detail": "Not found."})
    assert await report(shop, another, "ABC12") == 201


async def test_another_campaign_cant_take_an_order_back(shop: Shop) -> None:
    """It is 404 there, and stays with the one that has it."""
    made, another = await shop.campaign(), await shop.campaign()
    assert await report(shop, made, "ABC12") == 201
    with shop.served.unchanged():
        response = await shop.client.delete(f"campaigns/{another['id']}/orders/ABC12/")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("order", "path"),
    [
        ("SS", "%C3%9F"),  # ß
        ("SS", "%C5%BFs"),  # a long s, and s
        ("FF", "%EF%AC%80"),  # ﬀ
        ("I1", "%C4%B11"),  # i without its dot
        ("I1", "%C4%B01"),  # İ
        ("K1", "%E2%84%AA1"),  # the kelvin sign
        ("A1", "%EF%BC%A11"),  # a wide A
        ("A1", "A%EF%BC%91"),  # a wide 1
        ("A1", "A%D9%A1"),  # an Arabic 1
        ("A1", "A1%20"),
        ("A1", "A1%0A"),
        ("A1", "A1%00"),
        ("A1", "A_1"),
    ],
)
async def test_what_is_no_code_takes_no_order_back(shop: Shop, order: str, path: str) -> None:
    """The letters a to z alone are taken as capitals; all else that is no code is 404, or 400."""
    made = await shop.campaign()
    assert await report(shop, made, order) == 201
    with shop.served.unchanged():
        response = await shop.client.delete(f"campaigns/{made['id']}/orders/{path}/")
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
        reported = await shop.client.post(
            f"campaigns/{made['id']}/orders/", json={"code": unquote(path)}
        )
        assert reported.status_code == 400
    deleted = await shop.client.delete(f"campaigns/{made['id']}/orders/{order.lower()}/")
    assert deleted.status_code == 204


async def test_a_deleted_campaign_leaves_no_orders(shop: Shop) -> None:
    """They are gone with it, and another campaign may have them."""
    made, another = await shop.campaign(), await shop.campaign()
    assert await report(shop, made, "ABC12") == 201
    await shop.client.delete(f"campaigns/{made['id']}/")
    with closing(sqlite3.connect(shop.served.file)) as database:
        left = database.execute("SELECT * FROM orders WHERE campaign_id = ?", [made["id"]])
        assert left.fetchall() == []
    assert await report(shop, another, "ABC12") == 201


METHODS = [("GET", ""), ("POST", ""), ("DELETE", "ABC12/")]


@pytest.mark.parametrize(("method", "rest"), METHODS, ids=[method for method, _ in METHODS])
async def test_orders_of_campaigns_that_are_none(shop: Shop, method: str, rest: str) -> None:
    """As for campaigns: 404 when the id is no number, 403 when this event does not have it."""
    foreign = await shop.client.post(
        shop.url_of("acme", "winter") + "campaigns/", json={"description": "x"}
    )
    unknown = [*UNKNOWN_NUMBERS, str(foreign.json()["id"])]
    no_number: tuple[int, dict[str, str]] = (404, {"detail": "Not found."})
    expectations = {
        **dict.fromkeys(NO_NUMBERS, no_number),
        **dict.fromkeys(unknown, (403, FORBIDDEN)),
    }
    with shop.served.unchanged():
        for id, expected in expectations.items():
            path = f"campaigns/{id}/orders/{rest}"
            response = await shop.client.request(method, path, json={})
            assert (response.status_code, response.json()) == expected, id


ALLOWED = {"": "GET, POST, HEAD, OPTIONS", "ABC12/": "DELETE, OPTIONS"}


@pytest.mark.parametrize(("rest", "allow"), ALLOWED.items(), ids=["list", "item"])
async def test_other_methods_are_refused(shop: Shop, rest: str, allow: str) -> None:
    """With 405 and what there is."""
    made = await shop.campaign()
    with shop.served.unchanged():
        for method in ("PUT", "PATCH"):
            response = await shop.client.request(method, f"campaigns/{made['id']}/orders/{rest}")
            assert (response.status_code, response.headers["Allow"]) == (405, allow)


async def test_a_read_only_token_may_only_list(shop: Shop) -> None:
    """It reports nothing, and takes nothing back."""
    made = await shop.campaign()
    assert await report(shop, made, "ABC12") == 201
    path = f"campaigns/{made['id']}/orders/"
    headers = {"Authorization": f"Token {shop.organizer.read_only}"}
    with shop.served.unchanged():
        reported = await shop.client.post(path, json={"code": "X"}, headers=headers)
        taken = await shop.client.delete(f"{path}ABC12/", headers=headers)
        assert (reported.status_code, taken.status_code) == (403, 403)
    assert (await shop.client.get(path, headers=headers)).json()["count"] == 1


async def test_two_campaigns_that_race_for_an_order(shop: Shop) -> None:
    """One has it, the other is told so, and no count is wrong."""
    racers = [await shop.campaign(), await shop.campaign()]
    statuses = await asyncio.gather(
        *(report(shop, racers[index % 2], "ABC12") for index in range(8))
    )
    assert sorted(set(statuses)) == [200, 201, 409]
    assert statuses.count(201) == 1
    assert sorted([await count(shop, racer) for racer in racers], key=str) == [0, 1]


async def test_reports_to_two_processes_count_once(tmp_path: Path) -> None:
    """Of 50 at once exactly one is 201, the others 200."""
    async with pair_of_processes(tmp_path) as pair:
        made = (await pair.clients[0].post("campaigns/", json={"description": "x"})).json()
        path = f"campaigns/{made['id']}/orders/"
        responses = await pair.flood(50, path, {"code": "ABC12"})
        assert sorted(response.status_code for response in responses) == [200] * 49 + [201]
        assert len({response.text for response in responses}) == 1
        found = (await pair.clients[1].get(f"campaigns/{made['id']}/")).json()
        assert found == {**made, "order_count": 1}
