"""Requests to Redis and its replies, one after the other."""

import asyncio
from typing import Any

from hiredis import Reader, pack_command
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import InvalidResponse, ResponseError


class RedisProtocol(asyncio.Protocol):
    """An open connection that redis-py made, in whichever way the URL says.

    What goes through redis-py's streams, tasks and time-outs costs several times more; and those
    time-outs are `asyncio.wait_for`, which loses a cancellation that comes with the answer (Python
    3.11, https://github.com/python/cpython/issues/86296).
    """

    def __init__(self, connection: Connection) -> None:
        writer = connection._writer  # noqa: SLF001 - redis-py has no other way to it
        if writer is None:
            raise LostConnectionError("it is not open")
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(protocolError=InvalidResponse, replyError=ResponseError)
        self._reply: asyncio.Future[Any] | None = None
        self._lost: Exception | None = None
        self._transport = writer.transport
        self._transport.set_protocol(self)

    async def ask(self, *command: str | int, deadline: float) -> Any:  # as many types as commands
        """Sends a command, when the one before was answered.

        Args:
            deadline: how long to wait for the reply, by the event loop's clock.

        Returns:
            What Redis replied.

        Raises:
            ResponseError: Redis refused.
            RedisError, OSError: it may have been done or not; a reply may still come, so that
                nothing more can be asked here.
        """
        if self._lost is not None:
            raise self._lost
        reply = self._reply = self._loop.create_future()
        patient = self._loop.call_at(deadline, _give_up, reply)
        # In C; redis-py's own packing takes ten times longer, which is much of a batch.
        packed = pack_command(command)  # type: ignore[arg-type] # annotated for one argument
        self._transport.write(packed)
        try:
            result = await reply
        finally:
            patient.cancel()
        if isinstance(result, ResponseError):
            raise result
        return result

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        self._reader.feed(data)
        reply = self._reader.gets()
        if reply is not False and self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when Redis is gone."""
        self._lost = exc or LostConnectionError("the connection was closed")
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(self._lost)


def _give_up(reply: asyncio.Future[Any]) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError())
