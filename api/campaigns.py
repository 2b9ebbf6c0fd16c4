"""Campaigns over HTTP: their fields and what is particular to them."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from api.errors import CODE_TAKEN, ApiError, FieldErrors
from api.fields import Line, OptionalCode, Target, WriteModel, undefaulted, validated
from api.reading import Identified, ReadOnlyCount
from api.resource import Resource
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
        "ticket shop. Without credentials, control characters and spaces.",
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


CAMPAIGNS = Resource(
    name="campaigns",
    noun="campaign",
    title="Campaign",
    store=campaigns,
    read_model=CampaignRead,
    write_model=CampaignFields,
    missing=ApiError.forbidden,
    modified=marks.counted,
    kept=frozenset({"code"}),
    conflicts=_conflicts,
)
