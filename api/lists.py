"""A list: what clients that know it already are told, and the page that others get."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.conditional import dated, unsent
from api.pagination import Position
from api.state import database_of
from tracking.database import Transaction
from tracking.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import DataclassInstance


async def answer_list(
    request: Request,
    *,
    modified: Callable[[Transaction], Awaitable[int | None]],
    count: Callable[[Transaction], Awaitable[int]],
    list_: "Callable[[Transaction, Window], Awaitable[Sequence[DataclassInstance]]]",
) -> Response:
    """Answers with the page that the query asks for, unless the request's conditions forbid it.

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
    return JSONResponse(
        {
            "count": total,
            "next": position.next(request),
            "previous": position.previous(request),
            "results": [asdict(item) for item in items],
        },
        headers=dated(mark),
    )
