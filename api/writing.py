"""A write: the one way from a handler into the database, with what every write has in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from api.auth import Access
from api.idempotency import keep_written
from api.state import database_of
from tracking.database import Transaction


@dataclass(slots=True)
class Writing:
    """A write under way.

    Attributes:
        transaction: for the domain's queries.
        response: what the client will be answered; every write must set it.
    """

    transaction: Transaction
    response: Response | None = None

    def answer(self, response: Response) -> Response:
        """Sets the response, and returns it."""
        self.response = response
        return response


@asynccontextmanager
async def writing(request: Request, access: Access) -> AsyncIterator[Writing]:
    """Begins a write; at its end its answer is kept for the request's key, and all is committed.

    An exception takes everything back.

    Args:
        access: whose write it is, for the log of changes.

    Raises:
        KeyClaimedError: another request has the key now, and nothing was written.
        DatabaseUnavailableError: SQL can't be used now.
    """
    by = f"{access.event.organizer}/{access.event.slug}, token {access.token.id}"
    async with database_of(request).write(by) as transaction:
        write = Writing(transaction)
        yield write
        assert write.response is not None
        await keep_written(request, transaction, write.response)
