"""Events: what pretix's clients read, and the list that they read it from."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from tests.api.conftest import Shop
from tests.serving import serving
from tracking import tokens
from tracking.database import Database
from tracking.organizers import EventDetails, ensure_event
from tracking.settings import Settings

ROOT = "/api/v1/organizers/"

# What the contract says of every event.
ALWAYS: dict[str, Any] = {
    "live": True,
    "testmode": False,
    "date_admission": None,
    "is_public": True,
    "presale_start": None,
    "presale_end": None,
    "location": None,
    "geo_lat": None,
    "geo_lon": None,
    "has_subevents": False,
    "meta_data": {},
    "seating_plan": None,
    "seat_category_mapping": {},
    "plugins": [],
    "item_meta_properties": {},
    "sales_channels": ["web"],
    "all_sales_channels": True,
    "limit_sales_channels": [],
}
DETAILS = EventDetails(
    timezone="Europe/Berlin",
    currency="CHF",
    date_from="2027-12-27T11:00",
    date_to="2027-12-30T20:00+02:00",
)


async def test_a_new_event_has_every_field(shop: Shop) -> None:
    """What is not known has a value of its type all the same, or null where pretix has null too."""
    event = (await shop.client.get(shop.url)).json()
    made = event.pop("date_from")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", made)
    assert event == {
        **ALWAYS,
        "name": {"en": shop.slug},
        "slug": shop.slug,
        "currency": "EUR",
        "date_to": None,
        "timezone": "UTC",
        "valid_keys": {},
        "public_url": f"http://127.0.0.1:8000/acme/{shop.slug}/",
    }


async def test_an_event_tells_what_is_known(shop: Shop) -> None:
    """Its names, dates in UTC, its shop."""
    database = shop.served.database()
    async with database.write() as transaction:
        await ensure_event(
            *(transaction, "acme", shop.slug, "https://shop.example/?a=b"),
            name="Summer, at last",
            details=DETAILS,
        )
    await database.close()
    assert (await shop.client.get(shop.url)).json() == {
        **ALWAYS,
        "name": {"en": "Summer, at last"},
        "slug": shop.slug,
        "currency": "CHF",
        "date_from": "2027-12-27T10:00:00Z",
        "date_to": "2027-12-30T18:00:00Z",
        "timezone": "Europe/Berlin",
        "valid_keys": {},
        "public_url": "https://shop.example/?a=b",
    }


async def test_a_list_shows_the_same_but_the_keys(shop: Shop) -> None:
    """Without `valid_keys`, in the same order of fields."""
    event = (await shop.client.get(shop.url)).json()
    url = f"{shop.served.url}{ROOT}acme/events/"
    listed, *_ = (await shop.client.get(url, params={"search": shop.slug})).json()["results"]
    del event["valid_keys"]
    assert json.dumps(listed) == json.dumps(event)


async def test_a_synchronizing_client_can_read_it(shop: Shop) -> None:
    """As pretix's own check-in apps do: these fields, never null, of these types."""
    event = (await shop.client.get(shop.url)).json()
    for name, kind in {"currency": str, "live": bool, "has_subevents": bool, "slug": str}.items():
        assert isinstance(event[name], kind), name
    assert datetime.fromisoformat(event["date_from"]).tzinfo is not None


@dataclass(frozen=True, slots=True)
class Fair:
    """A server of the test's own, whose organizer has four events.

    Attributes:
        some: a token for two of them.
    """

    client: httpx.AsyncClient
    some: str

    async def slugs(self, query: str, token: str | None = None) -> str:
        """The initials of the slugs that are listed."""
        headers = {} if token is None else {"Authorization": f"Token {token}"}
        page = (await self.client.get(f"{ROOT}fair/events/?{query}", headers=headers)).json()
        slugs = [event["slug"] for event in page["results"]]
        assert page["count"] == len(slugs)
        return "".join(slug[0] for slug in slugs)


# Slug, name and start: two start at once.
EVENTS = [
    ("autumn", "Herbst 100%", "2027-09-01"),
    ("spring", "FRÜHLING", "2027-03-01"),
    ("Winter", "", "2027-12-01"),
    ("summer", "Sommer", "2027-03-01"),
]


@pytest.fixture
async def fair(database: Database, settings: Settings) -> AsyncIterator[Fair]:
    """The server."""
    async with database.write() as connection:
        for slug, name, date_from in EVENTS:
            event = await ensure_event(
                connection, "fair", slug, name=name, details=EventDetails(date_from=date_from)
            )
        some = await tokens.create(connection, event.organizer_id, event_ids=[1, 2])
        token = await tokens.create(connection, event.organizer_id)
        await ensure_event(connection, "rival", "abroad")
    async with (
        serving(create_app(settings)) as url,
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Token {token}"}, timeout=30, verify=False
        ) as client,
    ):
        yield Fair(client, some)


QUERIES = {
    "": "Wass",
    "ordering=slug": "Wass",
    "ordering=-slug": "ssaW",
    "ordering=date_from": "ssaW",
    "ordering=-date_from": "Wass",
    "ordering=-date_from,-slug": "Wass",
    "ordering=name,%20-slug": "ssaW",
    "ordering=created_at": "Wass",
    "search=frühling": "s",
    "search=100%25": "a",
    "search=%25": "a",
    "search=_": "",
    "search=WINT": "W",
    "search=%20mer%20": "s",
    "search=er&ordering=-slug": "saW",
    "search=abroad": "",
    "search=": "Wass",
    **{f"live={word}": "Wass" for word in ("true", "True", "1", "", "maybe")},
    **{f"live={word}": "" for word in ("false", "FALSE", "0")},
    "testmode=false": "Wass",
    "testmode=true": "",
    "is_public=true": "Wass",
    "is_public=false": "",
    "has_subevents=false": "Wass",
    "has_subevents=true": "",
    "live=true&testmode=false&is_public=1&has_subevents=0&search=winter": "W",
    "live=true&testmode=true": "",
}


async def test_the_list_is_narrowed_and_ordered(fair: Fair) -> None:
    """What the contract names works, alone and together; what means nothing is ignored."""
    found = {query: await fair.slugs(query) for query in QUERIES}
    assert found == QUERIES


async def test_equal_dates_are_ordered_by_slug(fair: Fair) -> None:
    """So that pages are the same each time."""
    for query, slugs in (
        ("ordering=date_from", ["spring", "summer"]),
        ("ordering=date_from,-slug", ["summer", "spring"]),
        ("ordering=-date_from&page_size=2&page=2", ["spring", "summer"]),
    ):
        page = (await fair.client.get(f"{ROOT}fair/events/?{query}")).json()
        found = [event["slug"] for event in page["results"]]
        assert [slug for slug in found if slug in {"spring", "summer"}] == slugs, query


async def test_a_token_for_some_events_sees_those_alone(fair: Fair) -> None:
    """Whatever is searched for, and in any order."""
    for query, slugs in (
        ("", "as"),
        ("ordering=-slug", "sa"),
        ("search=sommer", ""),
        ("search=FRÜH", "s"),
        ("live=false", ""),
    ):
        assert await fair.slugs(query, fair.some) == slugs, query


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Changes the environment, and loads it."""

    def load(**environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings.load()

    return load


# SHOP_URL, where the event's shop is then, and the organizer's page.
SHOPS = {
    "/{organizer}/{event}/": ("https://links.example/fair/autumn/", "https://links.example/fair/"),
    "/shop/{event}": ("https://links.example/shop/autumn", "https://links.example/shop/"),
    "https://t.example/{organizer}/{event}/?a=b": (
        "https://t.example/fair/autumn/?a=b",
        "https://t.example/fair/",
    ),
    "https://{organizer}.t.example/{event}": (
        "https://fair.t.example/autumn",
        "https://fair.t.example/",
    ),
    "https://{event}.t.example/": ("https://autumn.t.example/", "https://links.example/fair/"),
    "https://t.example": ("https://t.example", "https://t.example"),
}


@pytest.mark.parametrize(("shop_url", "urls"), SHOPS.items(), ids=SHOPS)
@pytest.mark.usefixtures("fair")
async def test_public_urls_are_absolute(
    fair: Fair, settings: Settings, setting: Any, shop_url: str, urls: tuple[str, str]
) -> None:
    """A path is one of the host that links have; an organizer's page is the shop's above events."""
    changed = setting(SHOP_URL=shop_url, PUBLIC_URL="https://links.example/")
    headers = {"Authorization": fair.client.headers["Authorization"]}
    async with (
        serving(create_app(changed)) as url,
        httpx.AsyncClient(base_url=url, headers=headers, timeout=30, verify=False) as client,
    ):
        event = (await client.get(f"{ROOT}fair/events/autumn/")).json()
        organizer = (await client.get(f"{ROOT}fair/")).json()
    assert (event["public_url"], organizer["public_url"]) == urls
