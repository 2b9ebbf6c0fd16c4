"""A database whose lookups are watched: what the tests of misses share."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tracking.database import Database, Lookup


class WatchedDatabase(Database):
    """Counts its lookups, and can hold each before it ends."""

    def __init__(self, url: str, timeout: float, *, shared: bool = False) -> None:
        super().__init__(url, timeout, shared=shared)
        self.lookups = 0
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Lets no lookup end from now on."""
        self._open.clear()

    def let(self) -> None:
        """Lets them end."""
        self._open.set()

    async def look_up(self, lookup: Lookup, values: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """A lookup, counted."""
        self.lookups += 1
        rows = await super().look_up(lookup, values)
        await self._open.wait()
        return rows
