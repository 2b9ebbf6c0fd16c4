"""The client of Redis that numbered batches go through."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

from redis.asyncio.connection import Connection
from redis.exceptions import ResponseError

from redirector.batches import NumberedBatch, Writer
from redirector.counters import (
    ANSWER_TIMEOUT,
    APPLIED,
    FLUSHING_PREFIX,
    PENDING,
    RECORD,
    SEALED,
    connection_pool,
)
from redirector.durability import Durability, durability_of
from redirector.redis_protocol import RedisProtocol
from tracking.settings import Settings

logger = logging.getLogger(__name__)

_KEYS = (PENDING, APPLIED, SEALED)


class RedisClient:
    """One connection, opened when it is needed; whoever uses it does so in turns.

    Nothing is retried here. After an error the client must be closed: a reply may still come.

    Args:
        connection: not yet open, without retries or time-outs of its own.
    """

    def __init__(self, connection: Connection) -> None:
        self.durability = Durability.UNKNOWN
        self._connection = connection
        self._protocol: RedisProtocol | None = None
        self._run = ""
        self._name = uuid4().hex
        self._requests = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A client of the Redis that the settings name."""
        pool = connection_pool(settings, client_name="waymark-redirector", answer_timeout=None)
        return cls(pool.make_connection())

    async def ping(self) -> None:
        """Returns when Redis answers.

        Raises:
            RedisError, OSError: it does not.
        """
        deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT
        protocol = self._protocol or await self._open(deadline)
        await protocol.ask("PING", deadline=deadline)

    async def add(
        self,
        writer: Writer,
        confirmed: int,
        batches: Sequence[NumberedBatch],
        patience: float = ANSWER_TIMEOUT,
    ) -> int:
        """Adds a writer's batches to the counters, those that were not added before.

        Args:
            confirmed: the number of the last batch that this server confirmed.
            batches: one at least, in the order of their numbers.
            patience: seconds to wait for the answer.

        Returns:
            The number of the writer's last batch that Redis knows of. When it is lower than
            `confirmed` Redis has lost its memory, and nothing was added.

        Raises:
            RedisError, OSError: they may have been added or not.
        """
        deadline = asyncio.get_running_loop().time() + patience
        protocol = self._protocol or await self._open(deadline)
        self._requests += 1
        id = f"{self._name}-{self._requests}"
        arguments: list[str | int] = [len(_KEYS), *_KEYS, writer]
        arguments += (self._run, FLUSHING_PREFIX, id, confirmed)
        for batch in batches:
            # Most fields of most batches have one click, which goes without saying.
            more = {name: clicks for name, clicks in batch.counts.items() if clicks != 1}
            arguments += (batch.number, len(batch.counts), len(more))
            arguments += more
            arguments += [name for name in batch.counts if name not in more]
            arguments += more.values()
        try:
            last = await protocol.ask("EVALSHA", RECORD.sha, *arguments, deadline=deadline)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            last = await protocol.ask("EVAL", RECORD.text, *arguments, deadline=deadline)
        return int(last)

    async def close(self) -> None:
        """Drops the connection; the next use opens it again."""
        self._protocol = None
        await self._connection.disconnect(nowait=True)

    async def _open(self, deadline: float) -> RedisProtocol:
        async with asyncio.timeout_at(deadline):
            await self._connection.connect()
            self._run = _parse_info(await self._ask("INFO", "server")).get("run_id", "")
            durability = durability_of(
                _parse_info(await self._ask("INFO", "persistence")).get("aof_enabled"),
                await self._configuration("appendfsync"),
            )
        if durability is not self.durability:
            logger.info("durability of a click that Redis confirmed: %s", durability)
        self.durability = durability
        self._protocol = RedisProtocol(self._connection)
        return self._protocol

    async def _configuration(self, name: str) -> dict[str, str]:
        try:
            answer = await self._ask("CONFIG", "GET", name)
        except ResponseError:  # not everybody may ask
            return {}
        texts = [_text(part) for part in answer]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def _ask(self, *command: str) -> Any:  # as many types as commands
        await self._connection.send_command(*command)
        return await self._connection.read_response()


def _parse_info(answer: bytes | str) -> dict[str, str]:
    lines = (line.partition(":") for line in _text(answer).splitlines())
    return {name: value for name, colon, value in lines if colon}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
