"""A client that a generator made from the OpenAPI document, at work on the running API."""

import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Served, Shop

PACKAGE = "waymark_client"
# The generator would tidy the code with ruff, which nobody reads here; pictures are bytes to it.
CONFIG = """\
post_hooks: []
content_type_overrides:
  image/svg+xml: application/octet-stream
  image/png: application/octet-stream
  application/pdf: application/octet-stream
"""


@pytest.fixture(scope="module")
def package(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the generated package, which can be imported."""
    directory = tmp_path_factory.mktemp("generated")
    document, config = directory / "openapi.json", directory / "config.yml"
    got = httpx.get(f"{served.url}/api/v1/openapi.json", verify=False)
    document.write_bytes(got.content)
    config.write_text(CONFIG)
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    made = subprocess.run(
        [
            *(generator, "generate", "--fail-on-warning", "--meta", "none"),
            *("--path", str(document), "--config", str(config)),
            *("--output-path", str(directory / PACKAGE)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(directory))
    yield PACKAGE
    sys.path.remove(str(directory))


class Client:
    """The generated functions and classes by their names, all for one event."""

    def __init__(self, package: str, shop: Shop, http: Any) -> None:
        self._package = package
        self._shop = shop
        self._http = http

    def model(self, class_name: str, /, **fields: object) -> Any:
        """One of the generated classes, filled."""
        return getattr(importlib.import_module(f"{self._package}.models"), class_name)(**fields)

    async def call(self, tag: str, operation: str, *values: object, **named: object) -> Any:
        """Calls an operation of the event; what its answer was parsed into."""
        path = (self._shop.organizer.slug, self._shop.slug, *values)
        return (await self.answer(tag, operation, *path, **named)).parsed

    async def answer(self, tag: str, operation: str, *values: object, **named: object) -> Any:
        """Calls an operation; the whole answer."""
        module = importlib.import_module(f"{self._package}.api.{tag}.{operation}")
        return await module.asyncio_detailed(*values, client=self._http, **named)


@pytest.fixture
async def client(package: str, shop: Shop) -> AsyncIterator[Client]:
    """A client with the full token."""
    http = importlib.import_module(package).AuthenticatedClient(
        base_url=shop.served.url,
        token=shop.organizer.full,
        prefix="Token",
        verify_ssl=False,
        timeout=httpx.Timeout(30),
        raise_on_unexpected_status=True,
    )
    async with http:
        yield Client(package, shop, http)


async def test_campaigns_and_orders(client: Client) -> None:
    """Made, listed, read, changed, given orders, deleted."""
    body = client.model(
        "CampaignFields", description="Poster", external_target="https://x.example/"
    )
    made = await client.call("campaign", "create_campaign", body=body)
    assert (made.description, made.click_count) == ("Poster", 0)
    listed = await client.call("campaign", "list_campaigns", page_size=10)
    assert (listed.count, listed.results) == (1, [made])
    assert await client.call("campaign", "retrieve_campaign", made.id) == made

    patch = client.model("PatchedCampaignFields", description="Flyer")
    patched = await client.call("campaign", "partial_update_campaign", made.id, body=patch)
    assert (patched.description, patched.external_target) == ("Flyer", "https://x.example/")
    put = client.model("CampaignFields", description="Banner")
    replaced = await client.call("campaign", "update_campaign", made.id, body=put)
    assert (replaced.code, replaced.external_target) == (made.code, "")

    order = client.model("OrderFields", code="ABC12")
    reported = await client.call("order", "create_order", made.id, body=order)
    orders = await client.call("order", "list_orders", made.id)
    assert orders.results == [reported]
    assert await client.call("order", "delete_order", made.id, "ABC12") is None
    assert (await client.call("order", "list_orders", made.id)).count == 0

    assert await client.call("campaign", "delete_campaign", made.id) is None
    gone = await client.call("campaign", "retrieve_campaign", made.id)
    assert gone.detail == "You do not have permission to perform this action."


async def test_categories(client: Client) -> None:
    """Made, filtered by a plain boolean, changed, deleted under both names."""
    name = client.model("CategoryFieldsNameType0")
    name["en"], name["de"] = "Tickets", "Karten"
    body = client.model("CategoryFields", name=name, position=3, is_addon=True)
    add_on = await client.call("item_category", "create_category", body=body)
    assert (add_on.name.to_dict(), add_on.position) == ({"en": "Tickets", "de": "Karten"}, 3)
    plain = client.model("CategoryFields", name="Seats")
    seats = await client.call("item_category", "create_category", body=plain)
    for is_addon, found in ((True, add_on), (False, seats)):
        listed = await client.call("item_category", "list_categories", is_addon=is_addon)
        assert listed.results == [found]
    ordered = await client.call("item_category", "list_categories", ordering="-id")
    assert ordered.results == [seats, add_on]

    patch = client.model("PatchedCategoryFields", position=7)
    patched = await client.call("item_category", "partial_update_category", seats.id, body=patch)
    assert (patched.position, patched.name) == (7, seats.name)
    assert await client.call("item_category", "retrieve_category", seats.id) == patched
    for operation, id in (("delete_category", seats.id), ("delete_category_alias", add_on.id)):
        assert await client.call("item_category", operation, id) is None
    assert (await client.call("item_category", "list_categories")).count == 0


async def test_organizers_and_events(client: Client, shop: Shop) -> None:
    """What a client reads first."""
    [organizer] = (await client.answer("organizer", "list_organizers")).parsed.results
    assert organizer.slug == shop.organizer.slug
    read = await client.answer("organizer", "retrieve_organizer", organizer.slug)
    assert read.parsed == organizer
    event = await client.call("event", "retrieve_event")
    assert (event.slug, event.currency, event.live) == (shop.slug, "EUR", True)
    assert event.date_from <= datetime.now(UTC)
    listed = await client.answer(
        *("event", "list_events", organizer.slug),
        search=shop.slug,
        ordering="slug",
        testmode=False,
        page_size=1,
    )
    [first] = listed.parsed.results
    assert (first.slug, first.date_from) == (shop.slug, event.date_from)
    none = (await client.answer("event", "list_events", organizer.slug, live=False)).parsed
    assert none.count == 0


async def test_wrong_fields_are_parsed_too(client: Client) -> None:
    """A refusal is an answer with a class of its own."""
    body = client.model("CampaignFields", description=" ", code="no code")
    refused = await client.call("campaign", "create_campaign", body=body)
    assert refused.to_dict().keys() == {"description", "code"}
