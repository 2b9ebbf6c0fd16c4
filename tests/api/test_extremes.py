"""What is huge, deep, odd, or meant to lead astray: always the contract's answer, in JSON."""

import json
from dataclasses import dataclass

import httpx
import pytest

from tests.api.conftest import Shop
from tests.api.test_authentication import FORBIDDEN
from tests.api.test_bodies import FORM, JSON
from tests.api.test_campaigns import NOT_TEXT
from tests.api.test_categories import BOOLEAN, ENTRIES, INTEGER, LANGUAGES, TOO_HIGH, TYPE

LIST = "GET, POST, HEAD, OPTIONS"
ITEM = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
MALFORMED = "JSON parse error - "


def _nested(depth: int, inner: str = "1") -> str:
    return "[" * depth + inner + "]" * depth


@dataclass(frozen=True)
class Body:
    """The JSON text of a category's fields, and the errors that come of it; none = it is made."""

    text: str
    errors: dict[str, list[str]]


BODIES = {
    "is_addon of 400 digits": Body(f'"is_addon": {10**400}', {"is_addon": [BOOLEAN]}),
    "is_addon of 400 digits in text": Body(f'"is_addon": "{10**400}"', {"is_addon": [BOOLEAN]}),
    "is_addon of 4000 digits": Body(f'"is_addon": -{10**4000}', {"is_addon": [BOOLEAN]}),
    "is_addon beyond 64 bits": Body(f'"is_addon": {2**64 + 1}', {"is_addon": [BOOLEAN]}),
    "is_addon 1e300": Body('"is_addon": 1e300', {"is_addon": [BOOLEAN]}),
    "is_addon 1e0": Body('"is_addon": 1e0', {}),
    "is_addon 1.0 in text": Body('"is_addon": "1.0"', {"is_addon": [BOOLEAN]}),
    "is_addon yes.0": Body('"is_addon": "yes.0"', {"is_addon": [BOOLEAN]}),
    "is_addon 1.5": Body('"is_addon": 1.5', {"is_addon": [BOOLEAN]}),
    "position of 4000 digits": Body(f'"position": {10**4000}', {"position": [TOO_HIGH]}),
    "position 1e308": Body('"position": 1e308', {"position": [TOO_HIGH]}),
    "position 1e-400": Body('"position": 1e-400', {}),
    "position -0.0": Body('"position": -0.0', {}),
    "position 1e3 in text": Body('"position": "1e3"', {"position": [INTEGER]}),
    "position nested": Body(f'"position": {_nested(500)}', {"position": [INTEGER]}),
    "name nested": Body(f'"name": {_nested(500)}', {"name": [TYPE]}),
    "an entry nested": Body(f'"name": {{"en": {_nested(500)}}}', {"name": [ENTRIES]}),
    "internal_name nested": Body(f'"internal_name": {_nested(500)}', {"internal_name": [NOT_TEXT]}),
    "an unknown field nested": Body(f'"colour": {_nested(500)}', {}),
    "an unknown field of 4000 digits": Body(f'"colour": {10**4000}', {}),
    "a locale of a million letters": Body(
        f'"description": {{"{"a" * 1_000_000}": "x"}}', {"description": [LANGUAGES]}
    ),
    "ten thousand locales": Body(
        f'"description": {json.dumps({str(number): "" for number in range(10_000)})}',
        {"description": [LANGUAGES]},
    ),
    "half a character in a locale": Body(
        '"description": {"\\ud83c": "x"}', {"description": [LANGUAGES]}
    ),
    "halves that make a whole": Body('"internal_name": "\\ud83c\\udf9f"', {}),
    "a field's name with NUL": Body('"position\\u0000": 5', {}),
    "an empty field's name": Body('"": 5', {}),
    "fields of Python's own": Body('"__class__": {}, "model_config": 1, "self": null', {}),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_extreme_values_get_the_field_s_own_message(shop: Shop, body: Body) -> None:
    """Whatever the size or depth of a value, the answer is that for its type."""
    # A name that comes twice counts as it came last.
    content = f'{{"name": "x", {body.text}}}'.encode()
    before = shop.served.rows()
    response = await shop.client.post(
        "categories/", content=content, headers={"Content-Type": JSON}
    )
    if body.errors:
        assert (response.status_code, response.json()) == (400, body.errors)
        assert shop.served.rows() == before
    else:
        assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "value", ["1e400", "-1e400", "1" * 4301, "NaN", "Infinity", "01", "+1", "0x1", "1_0", "٣"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_numbers_that_json_does_not_have_are_malformed(
    shop: Shop, method: str, value: str
) -> None:
    """A number that no number can hold, or that Python alone reads, ends the parsing."""
    path = "categories/" if method == "POST" else f"categories/{(await shop.category())['id']}/"
    content = f'{{"name": "x", "position": {value}}}'.encode()
    with shop.served.unchanged():
        response = await shop.client.request(
            method, path, content=content, headers={"Content-Type": JSON}
        )
    assert response.status_code == 400
    assert list(response.json()) == ["detail"]
    assert response.json()["detail"].startswith(MALFORMED)


IGNORED_QUERIES = [
    "page_size=0x10",
    "page_size=1_0",
    "page_size=%D9%A3",
    "page_size=" + "9" * 5000,
    "page_size=1e1",
    "ordering=--position",
    "ordering=id;DROP TABLE categories",
    "ordering=" + "," * 5000,
    "ordering=name",
    "ordering=%ff",
    "is_addon=none",
    "is_addon[]=true",
    "&&&==&",
    "search=x",
    "format=xml",
    "limit=1&offset=1",
]


@pytest.mark.parametrize("query", IGNORED_QUERIES, ids=lambda query: query[:40])
async def test_what_a_query_can_t_mean_is_ignored(shop: Shop, query: str) -> None:
    """A parameter of another form than the contract's changes nothing."""
    made = [await shop.category(position=number) for number in (1, 2)]
    response = await shop.client.get(f"categories/?{query}")
    assert response.status_code == 200
    assert response.json() == {"count": 2, "next": None, "previous": None, "results": made}


@pytest.mark.parametrize("position", ["position", "-position"])
async def test_a_name_that_comes_twice_orders_once(shop: Shop, position: str) -> None:
    """`position,position` is `position`: equal positions come newest first."""
    made = [await shop.category(position=5) for _ in range(3)]
    for ordering in (position, f"{position},{position}", f"{position},position,name"):
        listed = (await shop.client.get(f"categories/?ordering={ordering}")).json()["results"]
        assert listed == made[::-1]


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_method_is_what_the_request_line_says(shop: Shop, name: str) -> None:
    """No header makes a DELETE of a POST, nor does a field of a form."""
    made = await shop.category()
    item = f"categories/{made['id']}/"
    with shop.served.unchanged():
        for method in ("DELETE", "PUT"):
            response = await shop.client.post(item, headers={name: method}, json={"name": "y"})
            assert response.status_code == 405
            form = await shop.client.post(item, data={"_method": method, "name": "y"})
            assert form.status_code == 405
            read = await shop.client.get(item, headers={name: method})
            assert (read.status_code, read.json()) == (200, made)
    created = await shop.client.post("categories/", headers={name: "GET"}, json={"name": "z"})
    assert created.status_code == 201


@dataclass(frozen=True)
class Refused:
    """A request, and how it is refused."""

    method: str
    path: str
    token: str
    status: int
    allow: str


REFUSED = {
    "401 of a list": Refused("GET", "campaigns/", "none", 401, LIST),
    "401 of an item": Refused("PUT", "campaigns/1/", "none", 401, ITEM),
    "401 of OPTIONS": Refused("OPTIONS", "categories/", "none", 401, LIST),
    "401 of a wrong method": Refused("TRACE", "categories/1/", "none", 401, ITEM),
    "401 of the alias": Refused("DELETE", "category/1/", "none", 401, "DELETE, OPTIONS"),
    "403 of a list": Refused("POST", "categories/", "stranger", 403, LIST),
    "403 of an item": Refused("GET", "categories/1/", "stranger", 403, ITEM),
    "403 of a missing campaign": Refused("GET", "campaigns/99999999/", "full", 403, ITEM),
    "403 of a read-only token": Refused(
        "DELETE", "category/1/", "read_only", 403, "DELETE, OPTIONS"
    ),
    "404 of an item": Refused("GET", "categories/99999999/", "full", 404, ITEM),
    "404 of no number": Refused("PATCH", "campaigns/x/", "full", 404, ITEM),
    "404 of a page": Refused("GET", "categories/?page=7", "full", 404, LIST),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
async def test_a_refusal_says_what_is_allowed(shop: Shop, case: Refused) -> None:
    """`Allow` and `Vary` are on every answer of a routed path, and HEAD has the same as GET."""
    headers = {"Authorization": f"Token {getattr(shop.organizer, case.token, 'x')}"}
    methods = [case.method, "HEAD"] if case.method == "GET" else [case.method]
    with shop.served.unchanged():
        for method in methods:
            response = await shop.client.request(method, case.path, headers=headers)
            assert response.status_code == case.status
            assert response.headers["Allow"] == case.allow
            assert "Accept" in response.headers["Vary"]
            assert response.headers["Content-Type"] == JSON
            if method == "HEAD":
                assert response.content == b""
            if case.status == 403 and method != "HEAD":
                assert response.json() == FORBIDDEN


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_client_that_takes_no_json_writes_nothing(shop: Shop, method: str) -> None:
    """406 comes before the write, since nobody could read what came of it."""
    path = "categories/" if method == "POST" else f"categories/{(await shop.category())['id']}/"
    with shop.served.unchanged():
        response = await shop.client.request(
            method, path, headers={"Accept": "text/html"}, json={"name": "y"}
        )
    assert response.status_code == 406
    assert response.json() == {"detail": "Could not satisfy the request Accept header."}


FIELDS: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "campaigns/": (
        {"description": "Poster ä", "external_target": "https://a.example/?b=c&d=%20"},
        {"description": "Poster ä", "external_target": "https://a.example/?b=c&d=%20"},
    ),
    "categories/": (
        {
            "name": "Käse",
            "internal_name": " k ",
            "description": "**x**",
            "position": "-3",
            "is_addon": "on",
        },
        {
            "name": {"en": "Käse"},
            "internal_name": "k",
            "description": {"en": "**x**"},
            "position": -3,
            "is_addon": True,
        },
    ),
}


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_every_field_can_come_in_a_form(shop: Shop, method: str, path: str) -> None:
    """Both kinds of form, to every verb; the code of a campaign too."""
    sent, stored = FIELDS[path]
    for number, multipart in enumerate((False, True)):
        extra = {"code": f"f{number}-{shop.slug}"} if path == "campaigns/" else {}
        target = path
        if method != "POST":
            made = await (shop.campaign() if path == "campaigns/" else shop.category())
            target = f"{path}{made['id']}/"
        fields = {**sent, **extra}
        if multipart:
            parts = {name: (None, value) for name, value in fields.items()}
            response = await shop.client.request(method, target, files=parts)
            assert response.request.headers["Content-Type"].startswith("multipart/form-data")
        else:
            response = await shop.client.request(method, target, data=fields)
            assert response.request.headers["Content-Type"] == FORM
        assert response.status_code == (201 if method == "POST" else 200), response.text
        assert {**stored, **extra}.items() <= response.json().items()


async def test_a_large_body_is_no_way_around_the_token(shop: Shop) -> None:
    """401 and 403 come before the body is looked at, however long it is."""
    content = b" " * (2**20 + 1)
    for token, status in (("x", 401), (shop.organizer.read_only, 403)):
        with shop.served.unchanged():
            async with httpx.AsyncClient(verify=False) as client:
                response = await client.post(
                    shop.url + "categories/",
                    content=content,
                    headers={"Authorization": f"Token {token}", "Content-Type": JSON},
                )
        assert response.status_code == status
