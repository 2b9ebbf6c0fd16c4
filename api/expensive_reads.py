"""Lists that cost much to read take turns, so that nobody's hold up what others ask for.

A search reads all campaigns of an event, an order that no index has sorts them, and a page of large
items is megabytes. A process has few reader connections (tracking/pools.py), and each request needs
one, if only to look up its token.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from api.errors import ApiError
from tracking.database import Database, Transaction
from tracking.pools import READERS

MAX_AT_ONCE = READERS - 2
"""The other connections are for what costs little."""


class ExpensiveReads:
    """Those of one process: few at once, and of each organizer one, whatever tokens it has.

    Whoever waits is in one queue with one of each other organizer.

    Args:
        at_most: seconds after which one is interrupted, and to wait for a turn.
    """

    def __init__(self, database: Database, at_most: float) -> None:
        self._database = database
        self._at_most = at_most
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def read(self, organizer_id: int) -> AsyncIterator[Transaction]:
        """A read transaction, when it is this organizer's turn.

        Raises:
            ApiError: 503, there are too many others.
            QueryTimeoutError: it took too long.
            DatabaseUnavailableError: SQL can't be used now.
        """
        turn = self._turns.setdefault(organizer_id, asyncio.Lock())
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._at_most):
                    await held.enter_async_context(turn)
                    await held.enter_async_context(self._places)
            except TimeoutError:
                raise ApiError.unavailable(
                    "Too many searches, orders and large pages are being read."
                ) from None
            read = self._database.read(interrupt_after=self._at_most)
            yield await held.enter_async_context(read)
