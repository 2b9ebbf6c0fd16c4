"""Pages of a list (the contract, "Pagination")."""

from dataclasses import dataclass, replace
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
MAX_PAGE_BYTES = 8 * 2**20 - 4096
"""Of what a page lists: 50 items as large as a body may be would be 50 MiB, or six times that."""
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
    """Which page of how many a request asks for; pages are counted from 1.

    Attributes:
        shortened: whether the page is smaller than what was asked for.
    """

    page: int
    last: int
    size: int
    count: int
    shortened: bool = False

    @classmethod
    def of(cls, query: QueryParams, count: int, *, largest: int = PAGE_SIZE) -> Self:
        """Reads `page` and `page_size`.

        Args:
            count: how many items the whole list has; an empty list has one page.
            largest: how many a page has at most.

        Raises:
            ApiError: 404, there is no such page.
        """
        size = whole_number(query.get(_PAGE_SIZE, "")) or PAGE_SIZE
        if not 0 < size <= largest:
            size = largest if size > largest > PAGE_SIZE else PAGE_SIZE
        last = max(1, -(-count // size))
        wanted = query.get(_PAGE) or "1"
        page = last if wanted == "last" else whole_number(wanted)
        if page is None or not 1 <= page <= last:
            raise ApiError.not_found("Invalid page.")
        return cls(page, last, size, count)

    def shortened_to(self, number: int) -> Self:
        """The page that begins where this one does, and has so many items at most.

        Its size divides this one's, so that it has a number, and pages before and behind it.
        """
        size = max(each for each in range(1, max(1, number) + 1) if self.size % each == 0)
        page = (self.page - 1) * self.size // size + 1
        return replace(self, page=page, last=-(-self.count // size), size=size, shortened=True)

    @property
    def window(self) -> Window:
        """The page's part of the list."""
        return Window((self.page - 1) * self.size, self.size, total=self.count)

    def next(self, request: Request) -> str | None:
        """The next page's address."""
        return self._link(request, self.page + 1) if self.page < self.last else None

    def previous(self, request: Request) -> str | None:
        """The address of the page before."""
        return self._link(request, self.page - 1) if self.page > 1 else None

    def _link(self, request: Request, page: int) -> str:
        """The request's address with another page: parameters sorted by name, page 1 without."""
        query = request.scope["query_string"].decode("latin-1")
        replaced = {_PAGE, _PAGE_SIZE} if self.shortened else {_PAGE}
        pairs = [
            pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in replaced
        ]
        if page > 1:
            pairs.append((_PAGE, str(page)))
        if self.shortened:
            pairs.append((_PAGE_SIZE, str(self.size)))
        address = f"{origin(request)}{quote(request.scope['path'])}"
        # Sorted by name alone: values of one name keep their order.
        encoded = urlencode(sorted(pairs, key=lambda pair: pair[0]))
        return f"{address}?{encoded}" if encoded else address
