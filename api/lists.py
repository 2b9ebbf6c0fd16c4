"""A list: what clients that know it already are told, and the page that others get.

A page is answered from memory where it is small; a large one from a buffer (api/buffering.py).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.buffering import MAX_IN_MEMORY, ResponseBuffer
from api.conditional import dated, unsent
from api.pagination import MAX_PAGE_BYTES, PAGE_SIZE, Position
from api.state import database_of, expensive_reads_of, response_buffers_of
from tracking.database import Transaction
from tracking.tokens import Token
from tracking.window import Window

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ListReader = Callable[[Transaction, Window], Awaitable["Sequence[DataclassInstance]"]]
SizesReader = Callable[[Transaction, Window], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which page is asked for, as of one snapshot."""

    mark: int | None
    position: Position

    def shortened_to(self, sizes: Sequence[int]) -> Self:
        """As much of the page as may be sent at once."""
        sums = itertools.accumulate(sizes)
        number = sum(1 for each in sums if each <= MAX_PAGE_BYTES)
        if number == len(sizes):
            return self
        return replace(self, position=self.position.shortened_to(number))

    def page(self, request: Request, results: Sequence[Any]) -> dict[str, Any]:
        return {
            "count": self.position.count,
            "next": self.position.next(request),
            "previous": self.position.previous(request),
            "results": results,
        }


async def _nothing_more(_: Transaction) -> Mapping[str, object]:
    return {}


async def answer_list(
    request: Request,
    token: Token,
    *,
    count: Callable[[Transaction], Awaitable[int]],
    list_: ListReader,
    modified: Callable[[Transaction], Awaitable[int | None]] | None = None,
    sizes: SizesReader | None = None,
    expensive: bool = False,
    largest: int = PAGE_SIZE,
    more: Callable[[Transaction], Awaitable[Mapping[str, object]]] = _nothing_more,
) -> Response:
    """Answers with the page that the query asks for, unless the request's conditions forbid it.

    A page that would be too large has fewer items than were asked for, and its links lead to pages
    of that size: whoever follows them gets all.

    Args:
        modified: reads the list's mark (tracking/marks.py), from the same snapshot as the rest;
            None = nobody knows when the list changed.
        sizes: for items that may be large: reads how many bytes those of a window are at most, in
            order. None = a page is never large.
        expensive: whether every page costs much to read.
        largest: how many items a page has at most.
        more: reads what a page says besides.

    Raises:
        ApiError: 404, there is no such page; 503, it is large or expensive, and there is no room
            for it now.
        QueryTimeoutError: it took too long to read.
    """

    async def look(transaction: Transaction) -> _Asked | Response:
        mark = None if modified is None else await modified(transaction)
        total = await count(transaction)
        # A page that does not exist is 404 under any condition (RFC 9110, section 13.2.1).
        position = Position.of(request.query_params, total, largest=largest)
        return unsent(request.headers, mark) or _Asked(mark, position)

    def read(*, expensively: bool) -> AbstractAsyncContextManager[Transaction]:
        if expensively:
            return expensive_reads_of(request).read(token.organizer_id)
        return database_of(request).read()

    async with read(expensively=expensive) as transaction:
        asked = await look(transaction)
        if isinstance(asked, Response):
            return asked
        window = asked.position.window
        if sizes is None or sum(await sizes(transaction, window)) <= MAX_IN_MEMORY:
            items = await list_(transaction, window)
            page = asked.page(request, [asdict(item) for item in items])
            page |= await more(transaction)
            return JSONResponse(page, headers=dated(asked.mark))
    # What was seen is given up with the reader connection: waiting for room must not keep one.
    buffer = await response_buffers_of(request).open(token.id)
    try:
        async with read(expensively=True) as transaction:
            asked = await look(transaction)
            if isinstance(asked, Response):
                buffer.close()
                return asked
            bytes_each = await sizes(transaction, asked.position.window)
            asked = asked.shortened_to(bytes_each)
            window = asked.position.window
            parts = _parts(window, bytes_each[: window.limit])
            await _write(buffer, asked.page(request, []), transaction, parts, list_)
        return await buffer.response(dated(asked.mark))
    except BaseException:
        buffer.close()
        raise


def _parts(window: Window, sizes: Sequence[int]) -> Iterator[Window]:
    """The window in parts, none larger than may be held in memory, but for a single item."""
    start, size = 0, 0
    for index, each in enumerate(sizes):
        if index > start and size + each > MAX_IN_MEMORY:
            yield Window(window.offset + start, index - start, window.total)
            start, size = index, 0
        size += each
    if start < len(sizes):
        yield Window(window.offset + start, len(sizes) - start, window.total)


async def _write(
    buffer: ResponseBuffer,
    page: Mapping[str, Any],
    transaction: Transaction,
    parts: Iterator[Window],
    list_: ListReader,
) -> None:
    """Writes the page as JSON, with a part of its results at a time in memory."""
    await buffer.write(_json(page).removesuffix(b"]}"))
    separator = b""
    for part in parts:
        items = await list_(transaction, part)
        await buffer.write(separator + await asyncio.to_thread(_items, items))
        separator = b","
    await buffer.write(b"]}")


def _items(items: "Sequence[DataclassInstance]") -> bytes:
    return _json([asdict(item) for item in items])[1:-1]


def _json(content: Any) -> bytes:
    return JSONResponse(content).body  # type: ignore[return-value] # bytes: it made them itself
