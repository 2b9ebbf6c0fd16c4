"""The table of links: a page of it, in the order and with the search that an address asks for."""

from dataclasses import dataclass

from markupsafe import Markup
from starlette.datastructures import QueryParams

from dashboard.addresses import link_of
from dashboard.charts.sparkline import sparkline
from dashboard.numbers import whole_number
from dashboard.ranges import address
from tracking import campaigns
from tracking.database import Transaction
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.statistics import by_campaign
from tracking.statistics.by_campaign import Order, Ranked
from tracking.statistics.ranges import Interval, Period, Ranges
from tracking.window import Window

PER_PAGE = 50

_MAX_SEARCH = 255
_HEADS = {
    Order.NAME: "Link",
    Order.CLICKS: "Clicks",
    Order.ORDERS: "Orders",
    Order.RATE: "Per 100",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of the list an address asks for."""

    order: Order
    descending: bool
    search: str
    page: int

    @classmethod
    def of(cls, query: QueryParams) -> "Listing":
        """Reads an address; what it can't mean is left out."""
        name = query.get("sort", "")
        try:
            order = Order(name.removeprefix("-"))
        except ValueError:
            order, name = Order.CLICKS, "-clicks"
        return cls(
            order,
            name.startswith("-"),
            query.get("q", "").replace("\0", "").strip()[:_MAX_SEARCH],
            max(1, whole_number(query.get("page", "")) or 1),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head: a link that orders the table by it.

    Attributes:
        sorted: `ascending`, `descending` or "", as `aria-sort` says it.
    """

    word: str
    address: str
    sorted: str
    column: str


@dataclass(frozen=True, slots=True)
class Row:
    """A link in the table.

    Attributes:
        share: its clicks in hundredths of the most clicked one's on the page.
        ever_clicks, ever_orders: of all time.
    """

    id: int
    name: str
    link: str
    clicks: int
    orders: int
    rate: str
    share: float
    sparkline: Markup
    ever_clicks: int
    ever_orders: int


@dataclass(frozen=True, slots=True)
class LinkTable:
    """A page of the table.

    Attributes:
        count: how many links there are, or were found.
        total: how many there are.
        first: the number of the first one on the page.
        previous, next: addresses; "" = none.
    """

    heads: list[Head]
    rows: list[Row]
    search: str
    kept: dict[str, str]
    count: int
    total: int
    first: int
    previous: str
    next: str

    @property
    def ids(self) -> str:
        """The ids of the links on the page, with commas between."""
        return ",".join(str(row.id) for row in self.rows)

    @property
    def last(self) -> int:
        """The number of the last one on the page."""
        return self.first + len(self.rows) - 1


async def read_table(
    connection: Transaction,
    event: Event,
    ranges: Ranges,
    intervals: list[Interval],
    query: QueryParams,
    *,
    settings: Settings,
) -> LinkTable:
    """Reads the part that an address asks for.

    Args:
        intervals: of which the small charts are made.
    """
    listing = Listing.of(query)
    total = await campaigns.count(connection, event.id)
    count = total
    if listing.search:
        count = await campaigns.count(connection, event.id, search=listing.search)
    page = min(listing.page, max(1, -(-count // PER_PAGE)))
    found = await by_campaign.list_(
        connection,
        event.id,
        None if ranges.period is Period.ALL else ranges.now,
        Window((page - 1) * PER_PAGE, PER_PAGE),
        order=listing.order,
        descending=listing.descending,
        search=listing.search,
    )
    ids = [each.campaign.id for each in found]
    series = await by_campaign.over_time(connection, ids, intervals) if ids else {}
    most = max((each.clicks for each in found), default=0)
    return LinkTable(
        heads=[_head(query, listing, order) for order in _HEADS],
        rows=[_row(each, event, series[each.campaign.id], most, settings) for each in found],
        search=listing.search,
        kept={name: value for name, value in query.items() if name not in {"q", "page"}},
        count=count,
        total=total,
        first=(page - 1) * PER_PAGE + 1,
        previous=address(query, page=str(page - 1)) if page > 1 else "",
        next=address(query, page=str(page + 1)) if page * PER_PAGE < count else "",
    )


def _head(query: QueryParams, listing: Listing, order: Order) -> Head:
    here = order is listing.order
    # Names begin with A, numbers with the highest; once more turns it round.
    descending = not listing.descending if here else order is not Order.NAME
    direction = "descending" if listing.descending else "ascending"
    sort = f"-{order}" if descending else order.value
    return Head(
        _HEADS[order],
        address(query, sort=sort, page=None),
        direction if here else "",
        order.value,
    )


def _row(ranked: Ranked, event: Event, series: list[int], most: int, settings: Settings) -> Row:
    rate = f"{ranked.orders * 100 / ranked.clicks:.1f} %" if ranked.clicks else "–"
    return Row(
        id=ranked.campaign.id,
        name=ranked.campaign.description,
        link=link_of(event, ranked.campaign, settings),
        clicks=ranked.clicks,
        orders=ranked.orders,
        rate=rate,
        share=100 * ranked.clicks / most if most else 0,
        sparkline=sparkline(series),
        ever_clicks=ranked.campaign.click_count,
        ever_orders=ranked.campaign.order_count,
    )
