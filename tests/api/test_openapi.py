"""The OpenAPI document: complete, and open to all."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Shop
from tracking import __version__

EVENT = "/api/v1/organizers/{organizer}/events/{event}/"
MEDIA_TYPES = {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
Json = dict[str, Any]


@pytest.fixture
async def document(shop: Shop) -> Json:
    """The document, as somebody without a token gets it."""
    async with httpx.AsyncClient(verify=False) as nobody:
        response = await nobody.get(f"{shop.served.url}/api/v1/openapi.json")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    found: Json = response.json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method and description of every operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def schema_of(document: Json, reference: Json) -> Json:
    """What a reference refers to."""
    found: Json = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    return found


def test_it_names_the_service_and_the_token(document: Json) -> None:
    """The API's version, not the program's, which only tokens are told; and how to show a token."""
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1"
    assert f'"{__version__}"' not in json.dumps(document)
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    assert document["security"] == [{"token": []}]


def test_operations_have_short_names(document: Json) -> None:
    """A verb and what it acts on, each name once: generated clients call their functions so."""
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {
        *("list_campaigns", "create_campaign", "retrieve_campaign"),
        *("update_campaign", "partial_update_campaign", "delete_campaign"),
        *("list_categories", "create_category", "delete_category", "delete_category_alias"),
        *("list_orders", "create_order", "delete_order"),
        *("list_events", "retrieve_event", "list_organizers", "retrieve_organizer"),
    }
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){1,2}", id) for id in ids), ids


def test_every_error_is_described(document: Json) -> None:
    """With its schema and its headers, on each operation that can answer it."""
    for path, method, operation in operations(document):
        responses = operation["responses"]
        statuses = {"400", "401", "403", "406", "503"}
        if "requestBody" in operation:
            statuses |= {"413", "415"}
        if method != "get":
            statuses |= {"409"}
        if "{id}" in path:
            statuses |= {"404"}
        assert statuses <= responses.keys(), (path, method)
        assert "WWW-Authenticate" in responses["401"]["headers"]
        assert "Retry-After" in responses["503"]["headers"]
        for status, response in responses.items():
            assert response["headers"].keys() >= {"Allow", "Vary"}, (path, method, status)
            assert ("content" in response) == (status not in {"204", "304", "412"})


def test_every_field_is_described(document: Json) -> None:
    """With a type, a description and an example; read-only where it is."""
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith(("Fields", "Read")):
            continue
        for field, described in schema["properties"].items():
            assert described.get("description"), (name, field)
            assert described.get("examples"), (name, field)
            assert described.keys() & {"type", "anyOf"}, (name, field)
    campaign = document["components"]["schemas"]["CampaignRead"]
    read_only = {name for name, field in campaign["properties"].items() if field.get("readOnly")}
    assert read_only == {"id", "order_count", "click_count"}
    assert set(campaign["required"]) == set(campaign["properties"])


def test_fields_have_their_limits(document: Json) -> None:
    """The contract's, for what is read and for what may be sent."""
    schemas = document["components"]["schemas"]
    read, written = schemas["CampaignRead"], schemas["CampaignFields"]
    assert read["properties"]["description"]["maxLength"] == 255
    assert read["properties"]["code"]["pattern"] == "^[A-Za-z0-9_-]{1,64}$"
    assert written["required"] == ["description"]
    assert written["properties"]["external_target"]["maxLength"] == 2048
    assert written["properties"]["external_target"]["default"] == ""
    assert "default" not in written["properties"]["code"]
    category = schemas["CategoryFields"]
    assert category["required"] == ["name"]
    locales = category["properties"]["name"]["anyOf"][0]["propertyNames"]["enum"]
    assert "de-informal" in locales
    by_locale, plain = category["properties"]["name"]["anyOf"]
    assert by_locale["additionalProperties"]["maxLength"] == plain["maxLength"] == 65_536
    patched = schemas["PatchedCategoryFields"]["properties"].values()
    assert not any("default" in field for field in patched)
    assert "required" not in schemas["PatchedCategoryFields"]


def test_bodies_come_in_three_media_types(document: Json) -> None:
    """In a form every value is a text."""
    for path, method, operation in operations(document):
        if method in {"post", "put", "patch"}:
            content = operation["requestBody"]["content"]
            assert content.keys() == MEDIA_TYPES, (path, method)
            form = content["multipart/form-data"]["schema"]["properties"]
            assert {field["type"] for field in form.values()} == {"string"}
            assert content["application/json"]["example"]


def test_parameters_are_described(document: Json) -> None:
    """Pages, filters, orderings, dates and keys, where they work."""
    names = {
        (path, method): {each["name"] for each in operation["parameters"]}
        for path, method, operation in operations(document)
    }
    pages, dates = {"page", "page_size"}, {"If-Modified-Since", "If-Unmodified-Since"}
    in_path = {"organizer", "event"}
    assert names[f"{EVENT}campaigns/", "get"] == in_path | pages | dates | {
        *("search", "code", "ordering")
    }
    assert names[f"{EVENT}categories/", "get"] == in_path | pages | dates | {"is_addon", "ordering"}
    assert names["/api/v1/organizers/", "get"] == pages
    assert names["/api/v1/organizers/{organizer}/events/", "get"] == {
        *("organizer", "page", "page_size", "ordering", "search"),
        *("live", "testmode", "is_public", "has_subevents"),
    }
    assert names[f"{EVENT}campaigns/", "post"] == in_path | {"X-Idempotency-Key"}
    assert names[f"{EVENT}category/{{id}}/", "delete"] == in_path | {"id", "X-Idempotency-Key"}
    listed = document["paths"][f"{EVENT}campaigns/"]["get"]["responses"]
    assert "Last-Modified" in listed["200"]["headers"]
    assert listed.keys() >= {"304", "412"}


async def test_the_examples_are_answers(shop: Shop, document: Json) -> None:
    """What the document shows as a body to send is taken, and its answer has the fields shown."""
    for name in ("campaigns", "categories"):
        operation = document["paths"][f"{EVENT}{name}/"]["post"]
        sent = operation["requestBody"]["content"]["application/json"]["example"]
        if "code" in sent:
            sent["code"] = f"{sent['code']}{shop.slug}"
        made = await shop.client.post(f"{name}/", json=sent)
        assert made.status_code == 201, made.text
        content = operation["responses"]["201"]["content"]["application/json"]
        assert list(content["example"]) == list(made.json())
        schema = schema_of(document, content["schema"])
        assert list(schema["properties"]) == list(made.json())
