"""The client of Redis that writers ship by."""

import asyncio
from collections.abc import Mapping
from typing import Self

from redis.asyncio.connection import Connection
from redis.exceptions import ResponseError

from redirector.counters.connection import ANSWER_TIMEOUT, connection_pool
from redirector.counters.keys import (
    COUNTERS_PER_BATCH,
    SHIP,
    VERSION,
    CounterName,
    keys_of,
)
from redirector.counters.protocol import RedisProtocol
from tracking.settings import Settings
from tracking.writers import Writer


class CounterClient:
    """One connection, opened when it is needed; whoever uses it does so in turns.

    Nothing is retried here. After an error the client must be closed: a reply may still come.

    Args:
        connection: not yet open, without retries or time-outs of its own.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._protocol: RedisProtocol | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A client of the Redis that the settings name."""
        pool = connection_pool(settings, client_name="waymark-redirector", answer_timeout=None)
        return cls(pool.make_connection())

    async def number_of(self, writer: Writer, acknowledged: int) -> int:
        """The number of the writer's last record that is in Redis, or was.

        Args:
            acknowledged: the number of its last record that is in SQL, as far as the caller knows.

        Raises:
            RedisError, OSError: Redis can't be asked.
        """
        return await self.ship(writer, acknowledged, 0, 0, {})

    async def ship(
        self,
        writer: Writer,
        acknowledged: int,
        first: int,
        last: int,
        counts: Mapping[CounterName, int],
    ) -> int:
        """Adds a range of a writer's records to its counters, when it follows what is in.

        Args:
            acknowledged: as in `number_of`.

        Returns:
            The number of the writer's last record that is in now: `last` when it was added, or had
            been before.

        Raises:
            RedisError, OSError: it may have been added or not.
        """
        deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT
        protocol = self._protocol or await self._open(deadline)
        keys = keys_of(writer)
        # Most counters have one click, which goes without saying.
        more = {name: clicks for name, clicks in counts.items() if clicks != 1}
        once = [name for name in counts if name not in more] if more else counts
        arguments = (
            *(len(keys), *keys, acknowledged, first, last, VERSION),
            *(COUNTERS_PER_BATCH, len(counts), len(more), *more, *once, *more.values()),
        )
        try:
            number = await protocol.ask("EVALSHA", SHIP.sha, *arguments, deadline=deadline)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            number = await protocol.ask("EVAL", SHIP.text, *arguments, deadline=deadline)
        return int(number)

    async def close(self) -> None:
        """Drops the connection; the next use opens it again."""
        self._protocol = None
        await self._connection.disconnect(nowait=True)

    async def _open(self, deadline: float) -> RedisProtocol:
        async with asyncio.timeout_at(deadline):
            await self._connection.connect()
        self._protocol = RedisProtocol(self._connection)
        return self._protocol
