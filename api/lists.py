"""A list: what clients that know it already are told, and the page that others get."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from json import JSONEncoder
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from api.conditional import dated, unsent
from api.negotiation import JSON
from api.pagination import MAX_PAGE_BYTES, Position
from api.state import database_of
from tracking.database import Transaction
from tracking.window import Window

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# As Starlette encodes JSON.
_ENCODER = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


async def answer_list(
    request: Request,
    *,
    modified: Callable[[Transaction], Awaitable[int | None]],
    count: Callable[[Transaction], Awaitable[int]],
    list_: "Callable[[Transaction, Window], Awaitable[Sequence[DataclassInstance]]]",
) -> Response:
    """Answers with the page that the query asks for, unless the request's conditions forbid it.

    A page that would be too large has fewer items than were asked for, and its links lead to pages
    of that size: whoever follows them gets all.

    Args:
        modified: reads the list's mark (tracking/marks.py), from the same snapshot as the rest.

    Raises:
        ApiError: 404, there is no such page.
    """
    async with database_of(request).read() as transaction:
        mark = await modified(transaction)
        total = await count(transaction)
        # A page that does not exist is 404 under any condition (RFC 9110, section 13.2.1).
        position = Position.of(request.query_params, total)
        ended = unsent(request.headers, mark)
        if ended is not None:
            return ended
        items = await list_(transaction, position.window)
    results = _encoded(items)
    if len(results) < len(items):
        position = position.holding(len(results))
    head = {"count": total, "next": position.next(request), "previous": position.previous(request)}
    shown = b",".join(results[: position.size])
    body = b'%b,"results":[%b]}' % (_ENCODER.encode(head).encode().removesuffix(b"}"), shown)
    return Response(body, media_type=JSON, headers=dated(mark))


def _encoded(items: "Sequence[DataclassInstance]") -> list[bytes]:
    """The items as JSON, as many as a page may have in bytes, and one at least."""
    results: list[bytes] = []
    room = MAX_PAGE_BYTES
    for item in items:
        result = _ENCODER.encode(asdict(item)).encode()
        room -= len(result)
        if room < 0 and results:
            break
        results.append(result)
    return results
