"""Events over HTTP, read-only: what clients of pretix read before they do anything."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import Authorized, OfOrganizer, guard_organizer
from api.discovery import ROOT
from api.filters import (
    boolean_parameter,
    ordering_parameter,
    read_boolean,
    read_ordering,
    read_search,
    search_parameter,
)
from api.lists import answer_list
from api.pagination import Page
from api.paths import Operation, Paths
from api.reading import ReadModel
from api.state import settings_of
from tracking import organizers
from tracking.database import Transaction
from tracking.languages import MultiLingual
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.timestamps import format_timestamp
from tracking.window import Window

_COLUMNS = ("slug", "date_from")
# What is the same for every event, and a list can be narrowed to.
_FIXED = {"live": True, "testmode": False, "is_public": True, "has_subevents": False}
_PARAMETERS = (
    ordering_parameter(_COLUMNS, "Equal ones, and all without any: by `slug`.", "-date_from"),
    search_parameter("their name or slug", "conf"),
    *(
        boolean_parameter(
            name, f"Only those with this `{name}`: it is {str(value).lower()} for all."
        )
        for name, value in _FIXED.items()
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvent:
    """An event as clients read it: the contract's fields, in pretix's order."""

    name: MultiLingual
    slug: str
    live: bool = _FIXED["live"]
    testmode: bool = _FIXED["testmode"]
    currency: str
    date_from: str
    date_to: str | None
    date_admission: str | None = None
    is_public: bool = _FIXED["is_public"]
    presale_start: str | None = None
    presale_end: str | None = None
    location: MultiLingual | None = None
    geo_lat: float | None = None
    geo_lon: float | None = None
    has_subevents: bool = _FIXED["has_subevents"]
    meta_data: dict[str, str] = field(default_factory=dict)
    seating_plan: int | None = None
    seat_category_mapping: dict[str, int] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    item_meta_properties: dict[str, str] = field(default_factory=dict)
    timezone: str
    sales_channels: tuple[str, ...] = ("web",)
    all_sales_channels: bool = True
    limit_sales_channels: tuple[str, ...] = ()
    public_url: str

    @classmethod
    def of(cls, event: Event, settings: Settings) -> "ShownEvent":
        """Shows an event."""
        return cls(
            name=event.name,
            slug=event.slug,
            currency=event.currency,
            date_from=format_timestamp(event.date_from),
            date_to=None if event.date_to is None else format_timestamp(event.date_to),
            timezone=event.timezone,
            public_url=event.public_url(settings.shop_url, settings.public_origin),
        )


def _read_only(description: str, example: object, **extra: Any) -> Any:
    told: JsonDict = {"readOnly": True, **extra}
    return Field(description=description, examples=[example], json_schema_extra=told)


def _unknown(what: str) -> Any:
    return _read_only(f"{what} Not known here.", None)


def _empty(what: str, example: object) -> Any:
    return _read_only(f"{what} Always empty.", example)


_Date = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class EventRead(ReadModel):
    """What clients read of an event in a list."""

    name: MultiLingual = _read_only("The event's name, by locale.", {"en": "Sample Conference"})
    slug: str = _read_only("What stands for it in paths.", "sampleconf")
    live: bool = _read_only("Always true.", _FIXED["live"])
    testmode: bool = _read_only("Always false.", _FIXED["testmode"])
    currency: str = _read_only("Three letters (ISO 4217).", "EUR", pattern="^[A-Z]{3}$")
    date_from: _Date = _read_only(
        "When it starts; while that is not known, when it was made here.", "2027-12-27T10:00:00Z"
    )
    date_to: _Date | None = _read_only(
        "When it ends; null while that is not known.", "2027-12-30T18:00:00Z"
    )
    date_admission: _Date | None = _unknown("When visitors are let in.")
    is_public: bool = _read_only("Always true.", _FIXED["is_public"])
    presale_start: _Date | None = _unknown("When its shop opens.")
    presale_end: _Date | None = _unknown("When its shop closes.")
    location: MultiLingual | None = _unknown("Where it is, by locale.")
    geo_lat: float | None = _unknown("Its latitude.")
    geo_lon: float | None = _unknown("Its longitude.")
    has_subevents: bool = _read_only("Always false.", _FIXED["has_subevents"])
    meta_data: dict[str, str] = _empty("What its organizer notes of it.", {})
    seating_plan: int | None = _unknown("The id of its seating plan.")
    seat_category_mapping: dict[str, int] = _empty("Items by their seats' category.", {})
    plugins: list[str] = _empty("Its plugins.", [])
    item_meta_properties: dict[str, str] = _empty("What is noted of its items.", {})
    timezone: str = _read_only("Its time zone, an IANA name.", "Europe/Berlin")
    sales_channels: list[str] = _read_only("Where it is sold.", ["web"])
    all_sales_channels: bool = _read_only("Always true.", True)
    limit_sales_channels: list[str] = _empty("Where alone it is sold.", [])
    public_url: str = _read_only(
        "Its ticket shop, where links without a target of their own lead.",
        "https://tickets.example.com/bigevents/sampleconf/",
    )


class SingleEventRead(EventRead):
    """What clients read of an event that they ask for."""

    valid_keys: dict[str, list[str]] = _empty("Keys that tickets are signed with.", {})


async def list_events(request: Request, token: OfOrganizer) -> Response:
    """The organizer's events that the token covers."""
    query, settings = request.query_params, settings_of(request)
    slugs = None if token.all_events else token.events
    if any(read_boolean(query, name) is (not value) for name, value in _FIXED.items()):
        slugs = ()  # all events are alike in these, and otherwise
    search, ordering = read_search(query), read_ordering(query, _COLUMNS)

    async def count(transaction: Transaction) -> int:
        return await organizers.count_events(
            transaction, token.organizer_id, slugs=slugs, search=search
        )

    async def list_(transaction: Transaction, window: Window) -> list[ShownEvent]:
        found = await organizers.list_events(
            transaction,
            token.organizer_id,
            window,
            slugs=slugs,
            search=search,
            ordering=ordering,
        )
        return [ShownEvent.of(event, settings) for event in found]

    expensive = organizers.lists_expensively(search=search, ordering=ordering)
    return await answer_list(request, token, count=count, list_=list_, expensive=expensive)


async def retrieve_event(request: Request, access: Authorized) -> Response:
    """An event."""
    event = ShownEvent.of(access.event, settings_of(request))
    return JSONResponse({**asdict(event), "valid_keys": {}})


def mount_events(paths: Paths) -> None:
    """Gives events their paths."""
    page: type[BaseModel] = Page[EventRead]
    paths.add(
        f"{ROOT}{{organizer}}/events/",
        "Event List",
        guard_organizer,
        GET=Operation(
            "list_events", list_events, reads=page, parameters=_PARAMETERS, conditional=False
        ),
    )
    paths.add(
        f"{ROOT}{{organizer}}/events/{{event}}/",
        "Event Instance",
        GET=Operation("retrieve_event", retrieve_event, reads=SingleEventRead),
    )
