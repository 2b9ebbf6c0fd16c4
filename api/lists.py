"""A list: what clients that know it already are told, and the page that others get."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.conditional import dated, unsent
from api.large import IN_MEMORY, LargeAnswer
from api.pagination import MAX_PAGE_BYTES, Position
from api.state import database_of, large_answers_of
from tracking.database import Transaction
from tracking.window import Window

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ListReader = Callable[[Transaction, Window], Awaitable["Sequence[DataclassInstance]"]]


@dataclass(frozen=True, slots=True)
class Weighing:
    """For lists whose items may be large.

    Attributes:
        token_id: whose the request is.
        weigh: reads how many bytes the items of a window are at most, in order.
    """

    token_id: int
    weigh: Callable[[Transaction, Window], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which page is asked for, as of one snapshot."""

    mark: int | None
    position: Position

    def holding(self, weights: Sequence[int]) -> Self:
        """As much of the page as may be sent at once."""
        sums = itertools.accumulate(weights)
        number = sum(1 for each in sums if each <= MAX_PAGE_BYTES)
        if number == len(weights):
            return self
        return replace(self, position=self.position.holding(number))

    def page(self, request: Request, results: Sequence[Any]) -> dict[str, Any]:
        return {
            "count": self.position.count,
            "next": self.position.next(request),
            "previous": self.position.previous(request),
            "results": results,
        }


async def answer_list(
    request: Request,
    *,
    modified: Callable[[Transaction], Awaitable[int | None]],
    count: Callable[[Transaction], Awaitable[int]],
    list_: ListReader,
    weighing: Weighing | None = None,
) -> Response:
    """Answers with the page that the query asks for, unless the request's conditions forbid it.

    A page that would be too large has fewer items than were asked for, and its links lead to pages
    of that size: whoever follows them gets all.

    Args:
        modified: reads the list's mark (tracking/marks.py), from the same snapshot as the rest.
        weighing: None = a page of it is never large.

    Raises:
        ApiError: 404, there is no such page; 503, it is large and there is no room for it now.
    """

    async def look(transaction: Transaction) -> _Asked | Response:
        mark = await modified(transaction)
        total = await count(transaction)
        # A page that does not exist is 404 under any condition (RFC 9110, section 13.2.1).
        position = Position.of(request.query_params, total)
        return unsent(request.headers, mark) or _Asked(mark, position)

    async with database_of(request).read() as transaction:
        asked = await look(transaction)
        if isinstance(asked, Response):
            return asked
        window = asked.position.window
        if weighing is None or sum(await weighing.weigh(transaction, window)) <= IN_MEMORY:
            items = await list_(transaction, window)
            page = asked.page(request, [asdict(item) for item in items])
            return JSONResponse(page, headers=dated(asked.mark))
    large = large_answers_of(request)
    answer = await large.begin(weighing.token_id)
    try:
        async with large.building, database_of(request).read() as transaction:
            asked = await look(transaction)
            if isinstance(asked, Response):
                answer.close()
                return asked
            weights = await weighing.weigh(transaction, asked.position.window)
            asked = asked.holding(weights)
            window = asked.position.window
            parts = _parts(window, weights[: window.limit])
            await _write(answer, asked.page(request, []), transaction, parts, list_)
        return await answer.response(dated(asked.mark))
    except BaseException:
        answer.close()
        raise


def _parts(window: Window, weights: Sequence[int]) -> Iterator[Window]:
    """The window in parts, none larger than may be held in memory, but for a single item."""
    start, weight = 0, 0
    for index, each in enumerate(weights):
        if index > start and weight + each > IN_MEMORY:
            yield Window(window.offset + start, index - start, window.total)
            start, weight = index, 0
        weight += each
    if start < len(weights):
        yield Window(window.offset + start, len(weights) - start, window.total)


async def _write(
    answer: LargeAnswer,
    page: dict[str, Any],
    transaction: Transaction,
    parts: Iterator[Window],
    list_: ListReader,
) -> None:
    """Writes the page as JSON, with a part of its results at a time in memory."""
    await answer.add(_json(page).removesuffix(b"]}"))
    separator = b""
    for part in parts:
        items = await list_(transaction, part)
        await answer.add(separator + await asyncio.to_thread(_items, items))
        separator = b","
    await answer.add(b"]}")


def _items(items: "Sequence[DataclassInstance]") -> bytes:
    return _json([asdict(item) for item in items])[1:-1]


def _json(content: Any) -> bytes:
    return JSONResponse(content).body  # type: ignore[return-value] # bytes: it made them itself
