"""Campaigns over HTTP: their fields and what is particular to them."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from starlette.datastructures import QueryParams

from api.errors import CODE_TAKEN, ApiError, FieldErrors
from api.fields import Line, OptionalCode, Target, WriteModel, undefaulted, validated
from api.filters import ordering_parameter, read_ordering, read_search, search_parameter
from api.parameters import Parameter
from api.reading import Identified, ReadOnlyCount
from api.resource import Filters, Resource
from tracking import campaigns, marks
from tracking.database import Transaction


class CampaignFields(WriteModel):
    """What clients write. A code that is not sent is drawn, and no PUT takes it back."""

    code: OptionalCode = undefaulted(
        description="The campaign's part of its link, `/<organizer>/<event>/c/<code>/`. Globally "
        "unique. Not sent: a random one of 9 letters and digits; a PUT without it keeps it.",
        examples=["wZnL11fjq"],
    )
    description: Line = Field(
        description="A name for people, never shown to visitors. White space around it is removed.",
        examples=["Facebook"],
    )
    external_target: Target = Field(
        "",
        description='Where the link leads: an absolute http or https URL, or "" for the event\'s '
        "ticket shop. Without credentials, control characters and spaces, and no tracking link of "
        "this server.",
        examples=["https://www.example.com/spring?from=facebook#tickets"],
    )


class CampaignRead(CampaignFields, Identified):
    """What clients read."""

    order_count: ReadOnlyCount = Field(
        description="Orders attributed to this campaign.", examples=[0]
    )
    click_count: ReadOnlyCount = Field(
        description="Clicks by people, as of the last flush.", examples=[0]
    )


class _Code(WriteModel):
    """The code alone."""

    code: OptionalCode = None


async def _conflicts(
    transaction: Transaction, id: int | None, body: Mapping[str, Any]
) -> FieldErrors:
    try:
        code = validated(_Code, body).code
    except ApiError:
        return {}  # a wrong code has been reported, and belongs to nobody
    taken = code is not None and await campaigns.is_taken(transaction, code, but=id)
    return CODE_TAKEN if taken else {}


_COLUMNS = ("id", "click_count", "order_count", "code", "description")
_PARAMETERS = (
    Parameter(
        "code",
        "Only the campaign with this code, to the letter.",
        {"type": "string"},
        examples=("wZnL11fjq",),
    ),
    search_parameter("their code, description or target", "facebook"),
    ordering_parameter(
        _COLUMNS, "Equal ones come newest first. Without any: by `id`.", "-click_count"
    ),
)


def _selection(query: QueryParams) -> Filters:
    return {"search": read_search(query), "code": query.get("code", "")}


def _ordering(query: QueryParams) -> Filters:
    return {"ordering": read_ordering(query, _COLUMNS)}


CAMPAIGNS = Resource(
    name="campaigns",
    noun="campaign",
    title="Campaign",
    store=campaigns,
    read_model=CampaignRead,
    write_model=CampaignFields,
    missing=ApiError.forbidden,
    modified=marks.counted,
    selection=_selection,
    ordering=_ordering,
    parameters=_PARAMETERS,
    kept=frozenset({"code"}),
    conflicts=_conflicts,
    expensive=campaigns.is_expensive,
)
