"""Item categories: every verb, every field's rules, filters and order."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.conftest import Shop
from tests.api.test_campaigns import (
    NO_NUMBERS,
    NOT_TEXT,
    NULL,
    NULL_CHARACTERS,
    REQUIRED,
    TOO_LONG,
    UNKNOWN_NUMBERS,
)
from tracking.languages import LOCALES

NO_CATEGORY = {"detail": "No ItemCategory matches the given query."}
LANGUAGES = "Invalid languages included."
ENTRIES = "All entries must be strings."
TYPE = "Invalid data type."
TEXT_TOO_LONG = "Ensure this field has no more than 65536 characters."
INTEGER = "A valid integer is required."
BOOLEAN = "Must be a valid boolean."
TOO_HIGH = "Ensure this value is less than or equal to 9223372036854775807."
TOO_LOW = "Ensure this value is greater than or equal to -9223372036854775808."
SURROGATE = "Surrogate characters are not allowed: U+DFFF."

DEFAULTS = {
    "internal_name": None,
    "description": {"en": ""},
    "position": 0,
    "is_addon": False,
}


async def test_a_category_needs_a_name_only(shop: Shop) -> None:
    """POST answers 201 with all fields in the contract's order, the others at their defaults."""
    response = await shop.client.post("categories/", json={"name": {"en": "Tickets"}})
    assert response.status_code == 201
    made = response.json()
    assert made == {"id": made["id"], "name": {"en": "Tickets"}, **DEFAULTS}
    assert list(made) == ["id", "name", "internal_name", "description", "position", "is_addon"]
    assert (await shop.client.get(f"categories/{made['id']}/")).json() == made


@dataclass(frozen=True)
class Body:
    """Fields of a body, and what is stored or said about them."""

    sent: dict[str, Any]
    stored: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


def _right(name: str, sent: object, stored: object) -> Body:
    return Body({"name": "x", name: sent}, stored={name: stored})


def _wrong(name: str, sent: object, message: str) -> Body:
    return Body({"name": "x", name: sent}, errors={name: [message]})


NO_BOOLEANS: list[object] = [
    *("", "null", "maybe", "01", "\0", "\ud800"),
    *(2, -1, 0.5, [], {}, [True]),
]
EVERY_LOCALE = dict.fromkeys(sorted(LOCALES), "x")

BODIES = {
    "name plain": _right("name", "Tickets", {"en": "Tickets"}),
    "name plain and empty": _right("name", "", {"en": ""}),
    "name without entries": _right("name", {}, {}),
    "name with an empty entry": _right("name", {"de": ""}, {"de": ""}),
    "name in every locale": _right("name", EVERY_LOCALE, EVERY_LOCALE),
    "name is not trimmed": _right("name", {"en": " a "}, {"en": " a "}),
    "name as long as may be": _right("name", {"de": "ä" * 65_536}, {"de": "ä" * 65_536}),
    "name plain, as long as may be": _right("name", "x" * 65_536, {"en": "x" * 65_536}),
    "name too long": _wrong("name", {"en": "", "de": "ä" * 65_537}, TEXT_TOO_LONG),
    "name plain and too long": _wrong("name", "x" * 65_537, TEXT_TOO_LONG),
    "name missing": Body({}, errors={"name": [REQUIRED]}),
    "name null": _wrong("name", None, NULL),
    "name is a number": _wrong("name", 5, TYPE),
    "name is a list": _wrong("name", ["a"], TYPE),
    "name true": _wrong("name", True, TYPE),
    "name in an unknown locale": _wrong("name", {"en": "a", "xx": "b"}, LANGUAGES),
    "name in a locale of another case": _wrong("name", {"EN": "a"}, LANGUAGES),
    "name with a null entry": _wrong("name", {"en": None}, ENTRIES),
    "name with a number": _wrong("name", {"en": 1}, ENTRIES),
    "name with an object": _wrong("name", {"en": {}}, ENTRIES),
    "name with NUL": _wrong("name", {"de": "\0"}, NULL_CHARACTERS),
    "name plain with NUL": _wrong("name", "\0", NULL_CHARACTERS),
    "name with half a character": _wrong("name", {"de": "\udfff"}, SURROGATE),
    "locale with half a character": _wrong("name", {"\udfff": "a"}, LANGUAGES),
    "internal_name": _right("internal_name", "a", "a"),
    "internal_name null": _right("internal_name", None, None),
    "internal_name empty": _right("internal_name", "", ""),
    "internal_name trimmed": _right("internal_name", " a\n", "a"),
    "internal_name of spaces": _right("internal_name", "  ", ""),
    "internal_name is a number": _right("internal_name", 7, "7"),
    "internal_name of 255": _right("internal_name", "ä" * 255, "ä" * 255),
    "internal_name of 256": _wrong("internal_name", "ä" * 256, TOO_LONG),
    "internal_name false": _wrong("internal_name", False, NOT_TEXT),
    "internal_name is an object": _wrong("internal_name", {}, NOT_TEXT),
    "description plain": _right("description", "**a**", {"en": "**a**"}),
    "description null": _right("description", None, None),
    "description in two": _right("description", {"de": "a", "fr": "b"}, {"de": "a", "fr": "b"}),
    "description is a number": _wrong("description", 1, TYPE),
    "description in an unknown locale": _wrong("description", {"": "a"}, LANGUAGES),
    "description as long as may be": _right(
        "description", {"fr": "x" * 65_536}, {"fr": "x" * 65_536}
    ),
    "description too long": _wrong("description", {"fr": "x" * 65_537}, TEXT_TOO_LONG),
    "position": _right("position", 7, 7),
    "position negative": _right("position", -7, -7),
    "position in text": _right("position", "7", 7),
    "position in text, negative": _right("position", " -07 ", -7),
    "position in text with zeros": _right("position", "7.00", 7),
    "position is a whole float": _right("position", 2.0, 2),
    "position at the top": _right("position", 2**63 - 1, 2**63 - 1),
    "position at the bottom": _right("position", -(2**63), -(2**63)),
    "position too high": _wrong("position", 2**63, TOO_HIGH),
    "position too high in text": _wrong("position", "9" * 5000, TOO_HIGH),
    "position too high in a float": _wrong("position", 1e300, TOO_HIGH),
    "position too low": _wrong("position", -(2**63) - 1, TOO_LOW),
    "position null": _wrong("position", None, NULL),
    "position empty": _wrong("position", "", INTEGER),
    "position 1.5": _wrong("position", 1.5, INTEGER),
    "position 1.5 in text": _wrong("position", "1.5", INTEGER),
    "position true": _wrong("position", True, INTEGER),
    "position in another script": _wrong("position", "٣", INTEGER),
    "position in hexadecimal": _wrong("position", "0x7", INTEGER),
    "position with an underscore": _wrong("position", "1_0", INTEGER),
    "position is a list": _wrong("position", [1], INTEGER),
    **{
        f"is_addon {value!r}": _right("is_addon", value, True)
        for value in (True, "true", "True", "TRUE", "yes", "on", "t", "y", "1", 1, 1.0)
    },
    **{
        f"is_addon {value!r}": _right("is_addon", value, False)
        for value in (False, "false", "False", "FALSE", "no", "off", "f", "n", "0", 0, 0.0)
    },
    **{f"is_addon {value!r}": _wrong("is_addon", value, BOOLEAN) for value in NO_BOOLEANS},
    "is_addon null": _wrong("is_addon", None, NULL),
    "all wrong": Body(
        {"internal_name": [], "description": 5, "position": "x", "is_addon": "x"},
        errors={
            "name": [REQUIRED],
            "internal_name": [NOT_TEXT],
            "description": [TYPE],
            "position": [INTEGER],
            "is_addon": [BOOLEAN],
        },
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_fields_are_read_alike_by_every_verb(shop: Shop, body: Body) -> None:
    """A field is stored as the contract says, or the answer tells what is wrong with it."""
    id = (await shop.category())["id"]
    for method, path in (
        ("POST", "categories/"),
        ("PUT", f"categories/{id}/"),
        ("PATCH", f"categories/{id}/"),
    ):
        errors = body.errors
        if method == "PATCH":
            errors = {name: said for name, said in errors.items() if said != [REQUIRED]}
        before = shop.served.rows()
        response = await shop.client.request(
            method,
            path,
            content=json.dumps(body.sent),
            headers={"Content-Type": "application/json"},
        )
        if errors:
            assert (response.status_code, response.json()) == (400, errors), method
            assert shop.served.rows() == before
        elif body.errors:
            assert response.status_code == 200  # PATCH requires nothing
        else:
            assert response.status_code == (201 if method == "POST" else 200)
            written = response.json()
            assert body.stored.items() <= written.items()
            assert (await shop.client.get(f"categories/{written['id']}/")).json() == written


FULL = {
    "name": {"en": "Tickets", "de": "Karten"},
    "internal_name": "t",
    "description": {"en": "All"},
    "position": 3,
    "is_addon": True,
}


async def test_put_resets_what_is_not_sent(shop: Shop) -> None:
    """PUT replaces the whole: optional fields go back to their defaults."""
    made = await shop.category(**FULL)
    replaced = await shop.client.put(f"categories/{made['id']}/", json={"name": "Seats"})
    assert replaced.status_code == 200
    assert replaced.json() == {"id": made["id"], "name": {"en": "Seats"}, **DEFAULTS}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"name": {"fr": "Billets"}},
        {"internal_name": None},
        {"description": None},
        {"position": -1},
        {"is_addon": False},
    ],
    ids=lambda sent: ",".join(sent) or "nothing",
)
async def test_patch_changes_what_is_sent(shop: Shop, sent: dict[str, object]) -> None:
    """Fields that are not sent stay; a multi-lingual value is replaced as a whole."""
    made = await shop.category(**FULL)
    patched = await shop.client.patch(f"categories/{made['id']}/", json=sent)
    assert (patched.status_code, patched.json()) == (200, {**made, **sent})
    assert (await shop.client.get(f"categories/{made['id']}/")).json() == {**made, **sent}


@pytest.mark.parametrize("name", ["categories", "category"])
async def test_a_category_is_deleted_under_both_paths(shop: Shop, name: str) -> None:
    """The documentation and the behaviour of pretix name different paths for DELETE."""
    made = await shop.category()
    response = await shop.client.delete(f"{name}/{made['id']}/")
    assert (response.status_code, response.content) == (204, b"")
    again = await shop.client.delete(f"{name}/{made['id']}/")
    assert (again.status_code, again.json()) == (404, NO_CATEGORY)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_wrong_ids_are_404(shop: Shop, method: str) -> None:
    """No number, a number that no category has, or another event's category."""
    foreign = await shop.client.post(
        shop.url_of("acme", "winter") + "categories/", json={"name": "x"}
    )
    unknown = [*UNKNOWN_NUMBERS, str(foreign.json()["id"])]
    expected = [(id, {"detail": "Not found."}) for id in NO_NUMBERS]
    expected += [(id, NO_CATEGORY) for id in unknown]
    with shop.served.unchanged():
        for id, answer in expected:
            response = await shop.client.request(method, f"categories/{id}/", json={"name": "y"})
            assert (response.status_code, response.json()) == (404, answer), id


@dataclass(frozen=True)
class Query:
    """A query of the list, and which of the categories 0 to 3 come, in order."""

    query: str
    found: list[int]


# 0: position 2; 1: position 1, addon; 2: position 2, addon; 3: position 1.
QUERIES = {
    "default": Query("", [1, 3, 0, 2]),
    "id": Query("ordering=id", [0, 1, 2, 3]),
    "-id": Query("ordering=-id", [3, 2, 1, 0]),
    "position": Query("ordering=position", [3, 1, 2, 0]),
    "-position": Query("ordering=-position", [2, 0, 3, 1]),
    "position,id": Query("ordering=position,id", [1, 3, 0, 2]),
    "-position, id": Query("ordering=-position,%20id", [0, 2, 1, 3]),
    "an unknown name is dropped": Query("ordering=name,-id", [3, 2, 1, 0]),
    "unknown names alone": Query("ordering=name,--id,%2Bid", [1, 3, 0, 2]),
    "the same twice": Query("ordering=-id,id", [3, 2, 1, 0]),
    **{f"is_addon={word}": Query(f"is_addon={word}", [1, 2]) for word in ("true", "True", "1")},
    **{f"is_addon={word}": Query(f"is_addon={word}", [3, 0]) for word in ("false", "FALSE", "0")},
    **{
        f"is_addon={word} is ignored": Query(f"is_addon={word}", [1, 3, 0, 2])
        for word in ("", "yes", "tRUE", "2", "%FF")
    },
    "the last of two counts": Query("is_addon=true&is_addon=false", [3, 0]),
    "both": Query("is_addon=1&ordering=-id", [2, 1]),
}


@pytest.mark.parametrize("case", QUERIES.values(), ids=QUERIES.keys())
async def test_the_list_is_filtered_and_ordered(shop: Shop, case: Query) -> None:
    """`is_addon` and `ordering` take what the contract names, and ignore the rest."""
    made = [
        await shop.category(position=2),
        await shop.category(position=1, is_addon=True),
        await shop.category(position=2, is_addon=True),
        await shop.category(position=1),
    ]
    if case.query == "is_addon=false" or case.query.endswith(("FALSE", "=0")):
        assert {made[number]["is_addon"] for number in case.found} == {False}
    listed = (await shop.client.get(f"categories/?{case.query}")).json()
    assert listed["count"] == len(case.found)
    assert listed["results"] == [made[number] for number in case.found]
