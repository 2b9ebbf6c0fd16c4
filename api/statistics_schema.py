"""What statistics take and give, described (the contract, "Statistics")."""

from pydantic import Field

from api.pagination import Page
from api.parameters import Parameter
from api.reading import ReadModel, ReadOnlyCount
from tracking.clicks import Audience
from tracking.statistics.ranges import Comparison, Length, Period

LARGEST_PAGE = 500
"""Of every list below `statistics/`."""


_ORDERS = "Orders; null under a filter by anything but campaigns, which orders don't know."


class ComparisonRead(ReadModel):
    """What the range before had."""

    start: str = Field(examples=["2026-10-07"], description="Its first day.")
    end: str = Field(examples=["2026-10-31"], description="Its last day.")
    clicks: ReadOnlyCount = Field(examples=[1800], description="Clicks of the audience.")
    visitors: ReadOnlyCount | None = Field(examples=[None], description="Not known.")
    orders: ReadOnlyCount | None = Field(examples=[70], description=_ORDERS)


class StatisticsRead(ReadModel):
    """What a range had in all."""

    start: str = Field(examples=["2026-11-01"], description="The first day.")
    end: str = Field(examples=["2026-11-25"], description="The last day.")
    timezone: str = Field(examples=["Europe/Berlin"], description="Whose days and hours.")
    until: str | None = Field(
        examples=["2026-11-25T14:03:07+01:00"],
        description="Up to when clicks are counted; null = none ever were.",
    )
    clicks: ReadOnlyCount = Field(examples=[2024], description="Clicks of the audience.")
    visitors: ReadOnlyCount | None = Field(examples=[None], description="Not known.")
    orders: ReadOnlyCount | None = Field(examples=[88], description=_ORDERS)
    bots: ReadOnlyCount = Field(examples=[311], description="Crawlers and link previews.")
    prefetches: ReadOnlyCount = Field(examples=[12], description="Speculative requests.")
    embedded: ReadOnlyCount = Field(examples=[3], description="Views within pages.")
    comparison: ComparisonRead | None = Field(
        examples=[None], description="The range it is compared with."
    )


class IntervalRead(ReadModel):
    """What an interval had."""

    start: str = Field(
        examples=["2026-11-01T00:00:00+01:00"],
        description="When it begins.",
        json_schema_extra={"format": "date-time"},
    )
    clicks: ReadOnlyCount = Field(examples=[80], description="Clicks of the audience.")
    orders: ReadOnlyCount | None = Field(examples=[3], description=_ORDERS)
    visitors: ReadOnlyCount | None = Field(examples=[None], description="Not known.")


class ValueRead(ReadModel):
    """What a value of a dimension had."""

    value: str = Field(examples=["17"], description="The campaign's id.")
    name: str = Field(examples=["Facebook"], description="Its description.")
    clicks: ReadOnlyCount = Field(examples=[812], description="Clicks of the audience.")


class ValuePage(Page[ValueRead]):
    """A page of values.

    Attributes:
        total: the sum of all clicks, over all pages.
    """

    total: int


RANGE_PARAMETERS = (
    Parameter(
        "period",
        "So many days, the last is today; `month` since its first, `12mo` this month and eleven "
        "before, `all` since the first click. Without any: `28d`.",
        {"type": "string", "enum": list(Period)},
    ),
    Parameter(
        "start",
        "The first day, instead of `period`.",
        {"type": "string", "format": "date"},
        examples=("2026-11-01",),
    ),
    Parameter(
        "end",
        "The last day, with `start`; without it: today.",
        {"type": "string", "format": "date"},
        examples=("2026-11-25",),
    ),
    Parameter(
        "audience",
        "Whose clicks. Without any: `human`.",
        {"type": "string", "enum": list(Audience)},
    ),
    Parameter(
        "campaign",
        "Only these campaigns, by id, joined by commas; those with `-` before them are left out.",
        {"type": "string"},
        examples=("17,21",),
    ),
)
COMPARE = Parameter(
    "compare",
    "As many days just before, or the same dates a year before.",
    {"type": "string", "enum": list(Comparison)},
)
INTERVAL = Parameter(
    "interval",
    "How long the intervals are. Without any: hours up to two days, else days.",
    {"type": "string", "enum": list(Length)},
)
FORMAT = Parameter(
    "format",
    "`csv`: the whole list as CSV, as for `Accept: text/csv`. Anything else: JSON.",
    {"type": "string", "enum": ["json", "csv"]},
)
PAGE_SIZES = Parameter(
    "page_size",
    f"How many a page has, up to {LARGEST_PAGE}.",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
)
