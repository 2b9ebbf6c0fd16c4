"""The range bar: links to the ranges, each keeping what else the address says."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tracking.statistics.ranges import Period, Ranges, Span

_CHOICES = {
    Period.DAY: "Today",
    Period.WEEK: "7 days",
    Period.FOUR_WEEKS: "28 days",
    Period.QUARTER: "91 days",
    Period.YEAR: "12 months",
    Period.ALL: "All",
}
_RANGE = ("period", "start", "end")


@dataclass(frozen=True, slots=True)
class Choice:
    """A link of the range bar."""

    word: str
    address: str
    taken: bool


@dataclass(frozen=True, slots=True)
class RangeBar:
    """What can be chosen, and what is.

    Attributes:
        custom: whether it is one of dates, and a form takes others.
        start, end: its days, `YYYY-MM-DD`.
        kept: what else the form keeps of the address.
        compares: whether the period before is shown, too; None = there is none.
        other: the address that changes this.
        comparison: in words.
    """

    choices: list[Choice]
    custom: bool
    start: str
    end: str
    kept: dict[str, str]
    compares: bool | None
    other: str
    comparison: str


def span_of(query: QueryParams) -> Span:
    """The range that an address asks for."""
    return Span(*(query.get(name, "").strip() for name in ("period", "start", "end", "compare")))


def range_bar(query: QueryParams, ranges: Ranges) -> RangeBar:
    """The bar of a page with this address."""
    days = ranges.now.days
    length = "day" if days == 1 else f"{days} days"
    start, end = ranges.now.start.isoformat(), ranges.now.end.isoformat()
    dates = address(query, period=None, start=start, end=end, page=None)
    return RangeBar(
        choices=[
            *(
                Choice(
                    word,
                    address(query, period=period.value, start=None, end=None, page=None),
                    period is ranges.period,
                )
                for period, word in _CHOICES.items()
            ),
            Choice("From \u2013 to", dates, ranges.period is None),
        ],
        custom=ranges.period is None,
        start=start,
        end=end,
        kept={name: value for name, value in query.items() if name not in {*_RANGE, "page"}},
        compares=None if ranges.period is Period.ALL else ranges.before is not None,
        other=address(query, compare=None if ranges.before is None else "none"),
        comparison=f"compare with the {length} before",
    )


def address(query: QueryParams, **changes: str | None) -> str:
    """The page's own address with other parameters.

    Args:
        changes: None takes a parameter out.
    """
    merged = {**dict(query), **changes}
    return "?" + urlencode({name: value for name, value in merged.items() if value})
