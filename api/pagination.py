"""Pages of a list (the contract, "Pagination")."""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.requests import Request

from api.errors import ApiError
from api.numbers import whole_number
from api.origin import origin
from tracking.window import Window

Item = TypeVar("Item")

PAGE_SIZE = 50
_PAGE = "page"
_PAGE_SIZE = "page_size"


class Page(BaseModel, Generic[Item]):
    """How a list is answered: one page of it.

    Attributes:
        count: of all pages together.
    """

    count: int
    next: str | None
    previous: str | None
    results: list[Item]


@dataclass(frozen=True, slots=True)
class Position:
    """Which page of how many a request asks for; pages are counted from 1."""

    page: int
    last: int
    size: int
    count: int

    @classmethod
    def of(cls, query: QueryParams, count: int) -> Self:
        """Reads `page` and `page_size`.

        Args:
            count: how many items the whole list has; an empty list has one page.

        Raises:
            ApiError: 404, there is no such page.
        """
        size = whole_number(query.get(_PAGE_SIZE, "")) or PAGE_SIZE
        if not 0 < size <= PAGE_SIZE:
            size = PAGE_SIZE
        last = max(1, -(-count // size))
        wanted = query.get(_PAGE) or "1"
        page = last if wanted == "last" else whole_number(wanted)
        if page is None or not 1 <= page <= last:
            raise ApiError.not_found("Invalid page.")
        return cls(page, last, size, count)

    @property
    def window(self) -> Window:
        """The page's part of the list."""
        return Window((self.page - 1) * self.size, self.size, total=self.count)

    def next(self, request: Request) -> str | None:
        """The next page's address."""
        return _link(request, self.page + 1) if self.page < self.last else None

    def previous(self, request: Request) -> str | None:
        """The address of the page before."""
        return _link(request, self.page - 1) if self.page > 1 else None


def _link(request: Request, page: int) -> str:
    """The request's own address with another page: parameters sorted by name, page 1 without."""
    query = request.scope["query_string"].decode("latin-1")
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != _PAGE]
    if page > 1:
        pairs.append((_PAGE, str(page)))
    address = f"{origin(request)}{quote(request.scope['path'])}"
    # Sorted by name alone: values of one name keep their order.
    encoded = urlencode(sorted(pairs, key=lambda pair: pair[0]))
    return f"{address}?{encoded}" if encoded else address
