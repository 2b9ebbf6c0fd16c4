"""What a token is for, and the version that answers: read-only."""

from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth import (
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
from tracking.tokens import Token
from tracking.window import Window

ROOT = "/api/v1/organizers/"
_READ_ONLY: JsonDict = {"readOnly": True}


@dataclass(frozen=True, slots=True)
class ShownOrganizer:
    """An organizer as clients read it."""

    name: str
    slug: str
    public_url: str
    plugins: tuple[str, ...] = ()


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
    public_url: str = Field(
        description="Where its events are sold.",
        examples=["https://tickets.example.com/bigevents/"],
        json_schema_extra=_READ_ONLY,
    )
    plugins: list[str] = Field(
        description="Always empty.", examples=[[]], json_schema_extra=_READ_ONLY
    )


class VersionRead(ReadModel):
    """What answers."""

    version: Annotated[str, Field(json_schema_extra=_READ_ONLY)] = Field(
        description="Of the server's software.", examples=["3.1.4"]
    )


async def list_organizers(request: Request, token: Identified) -> Response:
    """The token's one organizer."""

    async def list_(transaction: Transaction, window: Window) -> list[ShownOrganizer]:
        found = [await _organizer(request, transaction, token)]
        return found[window.offset : window.offset + window.limit]

    return await answer_list(request, token, count=_one, list_=list_)


async def retrieve_organizer(request: Request, token: OfOrganizer) -> Response:
    """An organizer."""
    async with database_of(request).read() as transaction:
        return JSONResponse(asdict(await _organizer(request, transaction, token)))


async def version(_: Identified) -> Response:
    """The version, for those who have a token: others need not know what to attack."""
    return JSONResponse({"version": __version__})


async def _organizer(request: Request, transaction: Transaction, token: Token) -> ShownOrganizer:
    found = await organizers.get_organizer(transaction, token.organizer_id)
    settings = settings_of(request)
    page = found.public_url(settings.shop_url, settings.public_origin)
    return ShownOrganizer(found.name, found.slug, page)


async def _one(_: Transaction) -> int:
    return 1


def mount_discovery(paths: Paths) -> None:
    """Gives organizers and the version their paths."""
    organizer_page: type[BaseModel] = Page[OrganizerRead]
    paths.add(
        "/api/v1/version/",
        "Version",
        authorize_token,
        GET=Operation("retrieve_version", version, reads=VersionRead),
    )
    paths.add(
        ROOT,
        "Organizer List",
        authorize_token,
        GET=Operation("list_organizers", list_organizers, reads=organizer_page, conditional=False),
    )
    paths.add(
        f"{ROOT}{{organizer}}/",
        "Organizer Instance",
        guard_organizer,
        GET=Operation("retrieve_organizer", retrieve_organizer, reads=OrganizerRead),
    )
