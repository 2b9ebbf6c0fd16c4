"""Every path and method: none is without a proven answer, and none without a description."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.routing import Route

from api.app import create_app
from tests.api.conftest import Shop
from tracking.settings import Settings

ORGANIZER = "/api/v1/organizers/{organizer}/"
EVENT = f"{ORGANIZER}events/{{event}}/"
CAMPAIGN = {"description": "Poster"}
CATEGORY = {"name": {"en": "Tickets"}}
ORDER = {"code": "ABC12"}


@dataclass(frozen=True)
class Row:
    """A request, and what it is answered.

    Attributes:
        fields: some of the answer's fields; for a list, of its first item.
    """

    path: str
    method: str
    status: int
    body: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


# In order: what one makes, later ones find. `{id}` is the campaign or the category made at first.
ROWS = [
    Row("/api/v1/version/", "GET", 200),
    Row("/api/v1/organizers/", "GET", 200, fields={"slug": "acme"}),
    Row(ORGANIZER, "GET", 200, fields={"slug": "acme"}),
    Row(f"{ORGANIZER}events/", "GET", 200),
    Row(EVENT, "GET", 200),
    Row(f"{EVENT}campaigns/", "POST", 201, CAMPAIGN, {**CAMPAIGN, "click_count": 0}),
    Row(f"{EVENT}campaigns/", "GET", 200, fields=CAMPAIGN),
    Row(f"{EVENT}campaigns/{{id}}/", "GET", 200, fields=CAMPAIGN),
    Row(f"{EVENT}campaigns/{{id}}/", "PUT", 200, {"description": "Flyer"}),
    Row(f"{EVENT}campaigns/{{id}}/", "PATCH", 200, {}, {"description": "Flyer"}),
    Row(f"{EVENT}campaigns/{{id}}/orders/", "POST", 201, ORDER, ORDER),
    Row(f"{EVENT}campaigns/{{id}}/orders/", "GET", 200, fields=ORDER),
    Row(f"{EVENT}campaigns/{{id}}/orders/{{code}}/", "DELETE", 204),
    Row(f"{EVENT}statistics/", "GET", 200, fields={"clicks": 0, "visitors": None}),
    Row(f"{EVENT}statistics/clicks/", "GET", 200, fields={"clicks": 0, "visitors": None}),
    Row(f"{EVENT}statistics/campaigns/", "GET", 200),
    Row(f"{EVENT}campaigns/{{id}}/statistics/", "GET", 200, fields={"bots": 0}),
    Row(f"{EVENT}campaigns/{{id}}/statistics/clicks/", "GET", 200, fields={"clicks": 0}),
    Row(f"{EVENT}campaigns/{{id}}/statistics/campaigns/", "GET", 200),
    Row(f"{EVENT}campaigns/{{id}}/qr/", "GET", 200),
    Row(f"{EVENT}campaigns/{{id}}/", "DELETE", 204),
    Row(f"{EVENT}categories/", "POST", 201, CATEGORY, {**CATEGORY, "position": 0}),
    Row(f"{EVENT}categories/", "GET", 200, fields=CATEGORY),
    Row(f"{EVENT}categories/{{id}}/", "GET", 200, fields=CATEGORY),
    Row(f"{EVENT}categories/{{id}}/", "PUT", 200, {"name": "Karten"}),
    Row(f"{EVENT}categories/{{id}}/", "PATCH", 200, {"position": 7}, {"position": 7}),
    Row(f"{EVENT}categories/{{id}}/", "DELETE", 204),
    Row(f"{EVENT}category/{{id}}/", "DELETE", 404),
]
# For people and machines that watch, outside the API; other tests prove them.
UNDESCRIBED = {
    "/healthz",
    "/api/v1/openapi.json",
    "/api/v1/docs",
    "/api/v1/docs/start.js",
    "/api/v1/docs/swagger-ui-bundle.js",
    "/api/v1/docs/swagger-ui.css",
    "/api/v1/docs/favicon-32x32.png",
}


def routed() -> set[tuple[str, str]]:
    """Every path and method that the application has a handler for."""
    return {
        (route.path, method)
        for route in create_app(Settings()).routes
        if isinstance(route, Route) and route.path not in UNDESCRIBED
        # Without methods of its own, a route answers OPTIONS and 405 alone.
        for method in route.methods or ()
        if method != "HEAD"
    }


async def test_every_row(shop: Shop) -> None:
    """The rows hold, one after the other, on one event."""
    id = 0
    for row in ROWS:
        path = row.path.format(organizer="acme", event=shop.slug, id=id, code="ABC12")
        response = await shop.client.request(row.method, shop.served.url + path, json=row.body)
        assert response.status_code == row.status, (row, response.text)
        if response.status_code == 204:
            assert response.content == b""
            continue
        if row.path.endswith("/qr/"):
            assert response.headers["content-type"] == "image/svg+xml"
            continue
        answer = response.json()
        shown = answer["results"][0] if answer.get("results") else answer
        assert {name: shown[name] for name in row.fields} == row.fields, row
        if row.method == "POST" and "id" in answer:
            id = answer["id"]


def test_every_route_has_a_row() -> None:
    """A new route comes with a row above."""
    assert {(row.path, row.method) for row in ROWS} == routed()


async def test_every_route_is_described(shop: Shop) -> None:
    """A new route is in the OpenAPI document, and nothing else is."""
    response = await shop.client.get(f"{shop.served.url}/api/v1/openapi.json")
    described = {
        (path, method.upper())
        for path, operations in response.json()["paths"].items()
        for method in operations
    }
    assert described == routed()


@pytest.mark.parametrize("path", sorted({path for path, _ in routed()}))
async def test_allow_is_what_is_routed(shop: Shop, path: str) -> None:
    """`Allow` names the methods that have handlers, HEAD with GET, and OPTIONS."""
    methods = {method for other, method in routed() if other == path}
    url = shop.served.url + path.format(organizer="acme", event=shop.slug, id=1, code="ABC12")
    response = await shop.client.options(url)
    expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert set(response.headers["Allow"].split(", ")) == expected
