"""What a token may see, and of which version: organizers and events, read-only."""

from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import (
    Authorized,
    Identified,
    OfOrganizer,
    authorize_token,
    guard_organizer,
)
from api.lists import answer_list
from api.pagination import Page
from api.paths import Operation, Paths
from api.reading import ReadModel
from api.state import database_of, settings_of
from tracking import __version__, organizers
from tracking.database import Transaction
from tracking.languages import MultiLingual
from tracking.organizers import Event
from tracking.tokens import Token
from tracking.window import Window

_ROOT = "/api/v1/organizers/"
_READ_ONLY: JsonDict = {"readOnly": True}


@dataclass(frozen=True, slots=True)
class ShownOrganizer:
    """An organizer as clients read it."""

    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event as clients read it."""

    name: MultiLingual
    slug: str
    public_url: str


class OrganizerRead(ReadModel):
    """What clients read of an organizer."""

    name: str = Field(
        description="The organizer's name.",
        examples=["Big Events LLC"],
        json_schema_extra=_READ_ONLY,
    )
    slug: str = Field(
        description="What stands for it in paths.",
        examples=["bigevents"],
        json_schema_extra=_READ_ONLY,
    )


class EventRead(ReadModel):
    """What clients read of an event."""

    name: MultiLingual = Field(
        description="The event's name, by locale.",
        examples=[{"en": "Sample Conference"}],
        json_schema_extra=_READ_ONLY,
    )
    slug: str = Field(
        description="What stands for it in paths.",
        examples=["sampleconf"],
        json_schema_extra=_READ_ONLY,
    )
    public_url: str = Field(
        description="Its ticket shop, where links without a target of their own lead. A path "
        "alone is one of the redirector's host.",
        examples=["https://tickets.example.com/bigevents/sampleconf/"],
        json_schema_extra=_READ_ONLY,
    )


class VersionRead(ReadModel):
    """What answers."""

    version: Annotated[str, Field(json_schema_extra=_READ_ONLY)] = Field(
        description="Of the server's software.", examples=["3.1.4"]
    )


async def list_organizers(request: Request, token: Identified) -> Response:
    """The token's one organizer."""

    async def list_(transaction: Transaction, window: Window) -> list[ShownOrganizer]:
        found = [await _organizer(transaction, token)]
        return found[window.offset : window.offset + window.limit]

    return await answer_list(request, modified=_never, count=_one, list_=list_)


async def retrieve_organizer(request: Request, token: OfOrganizer) -> Response:
    """An organizer."""
    async with database_of(request).read() as transaction:
        return JSONResponse(asdict(await _organizer(transaction, token)))


async def list_events(request: Request, token: OfOrganizer) -> Response:
    """The organizer's events that the token covers, ordered by slug."""
    slugs = None if token.all_events else token.events

    async def count(transaction: Transaction) -> int:
        return await organizers.count_events(transaction, token.organizer_id, slugs)

    async def list_(transaction: Transaction, window: Window) -> list[ShownEvent]:
        found = await organizers.list_events(transaction, token.organizer_id, window, slugs)
        return [_shown(request, event) for event in found]

    return await answer_list(request, modified=_never, count=count, list_=list_)


async def retrieve_event(request: Request, access: Authorized) -> Response:
    """An event."""
    return JSONResponse(asdict(_shown(request, access.event)))


async def version(_: Identified) -> Response:
    """The version, for those who have a token: others need not know what to attack."""
    return JSONResponse({"version": __version__})


async def _organizer(transaction: Transaction, token: Token) -> ShownOrganizer:
    found = await organizers.get_organizer(transaction, token.organizer_id)
    return ShownOrganizer(found.name, found.slug)


def _shown(request: Request, event: Event) -> ShownEvent:
    return ShownEvent(event.name, event.slug, event.public_url(settings_of(request).shop_url))


async def _never(_: Transaction) -> None:
    """These lists have no date of their last change."""


async def _one(_: Transaction) -> int:
    return 1


def mount_discovery(paths: Paths) -> None:
    """Gives organizers, events and the version their paths."""
    organizer_page: type[BaseModel] = Page[OrganizerRead]
    event_page: type[BaseModel] = Page[EventRead]
    paths.add(
        "/api/v1/version/",
        "Version",
        authorize_token,
        GET=Operation("retrieve_version", version, reads=VersionRead),
    )
    paths.add(
        _ROOT,
        "Organizer List",
        authorize_token,
        GET=Operation("list_organizers", list_organizers, reads=organizer_page, conditional=False),
    )
    paths.add(
        f"{_ROOT}{{organizer}}/",
        "Organizer Instance",
        guard_organizer,
        GET=Operation("retrieve_organizer", retrieve_organizer, reads=OrganizerRead),
    )
    paths.add(
        f"{_ROOT}{{organizer}}/events/",
        "Event List",
        guard_organizer,
        GET=Operation("list_events", list_events, reads=event_page, conditional=False),
    )
    paths.add(
        f"{_ROOT}{{organizer}}/events/{{event}}/",
        "Event Instance",
        GET=Operation("retrieve_event", retrieve_event, reads=EventRead),
    )
