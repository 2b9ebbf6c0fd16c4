"""A connection to Redis that numbered batches go through."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

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
from tracking.settings import Settings

logger = logging.getLogger(__name__)

_KEYS = (PENDING, APPLIED, SEALED)


class Channel:
    """One connection, opened when it is needed; whoever uses it does so in turns.

    Nothing is retried here. After an error the channel must be closed: a reply may still come.

    Args:
        connection: not yet open, without retries or time-outs of its own: those of redis-py are
            `asyncio.wait_for`, which loses a cancellation that comes with the answer (Python 3.11,
            https://github.com/python/cpython/issues/86296), and costs a task a command.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self.durability = Durability.UNKNOWN
        self._connection = connection
        self._run = ""
        self._name = uuid4().hex
        self._requests = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A channel to the Redis that the settings name."""
        pool = connection_pool(settings, client_name="waymark-redirector", answer_timeout=None)
        return cls(pool.make_connection())

    async def ping(self) -> None:
        """Returns when Redis answers.

        Raises:
            RedisError, OSError: it does not.
        """
        async with asyncio.timeout(ANSWER_TIMEOUT):
            if not self._connection.is_connected:
                await self._open()
            await self._ask("PING")

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
        async with asyncio.timeout(patience):
            if not self._connection.is_connected:
                await self._open()
            self._requests += 1
            id = f"{self._name}-{self._requests}"
            arguments: list[str | int] = [len(_KEYS), *_KEYS, writer]
            arguments += (self._run, FLUSHING_PREFIX, id, confirmed)
            for batch in batches:
                arguments += (batch.number, len(batch.counts))
                for count in batch.counts.items():
                    arguments += count
            try:
                last = await self._ask("EVALSHA", RECORD.sha, *arguments)
            except NoScriptError:
                last = await self._ask("EVAL", RECORD.text, *arguments)
        return int(last)

    async def close(self) -> None:
        """Drops the connection; the next use opens it again."""
        await self._connection.disconnect(nowait=True)

    async def _open(self) -> None:
        await self._connection.connect()
        self._run = _parse_info(await self._ask("INFO", "server")).get("run_id", "")
        durability = durability_of(
            _parse_info(await self._ask("INFO", "persistence")).get("aof_enabled"),
            await self._configuration("appendfsync"),
        )
        if durability is not self.durability:
            logger.info("durability of a click that Redis confirmed: %s", durability)
        self.durability = durability

    async def _configuration(self, name: str) -> dict[str, str]:
        try:
            answer = await self._ask("CONFIG", "GET", name)
        except ResponseError:  # not everybody may ask
            return {}
        texts = [_text(part) for part in answer]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def _ask(self, *command: str | int) -> Any:  # as many types as commands
        # In C; redis-py's own packing takes ten times longer, which is much of a batch.
        packed = pack_command(command)  # type: ignore[arg-type] # annotated for one argument
        await self._connection.send_packed_command(packed, check_health=False)
        return await self._connection.read_response()


def _parse_info(answer: bytes | str) -> dict[str, str]:
    lines = (line.partition(":") for line in _text(answer).splitlines())
    return {name: value for name, colon, value in lines if colon}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
