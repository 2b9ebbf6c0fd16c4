"""How to connect to Redis."""

from typing import Any

from redis.asyncio.connection import ConnectionPool, UnixDomainSocketConnection

from tracking.settings import Settings

# Redis answers in about a millisecond; a second means that it hangs.
ANSWER_TIMEOUT = 1.0


def connection_pool(
    settings: Settings, *, client_name: str, answer_timeout: float | None = ANSWER_TIMEOUT
) -> ConnectionPool:
    """A pool of connections to the configured Redis, or to the embedded one.

    Nothing sent through it is retried by the client: what may be sent twice, and what may not, is
    known by the caller alone.

    Args:
        answer_timeout: seconds; None = the caller watches the time.
    """
    options: dict[str, Any] = {
        "client_name": client_name,
        "socket_timeout": answer_timeout,
        "socket_connect_timeout": ANSWER_TIMEOUT,
        "retry": None,
        "protocol": 2,  # one form of answers, whatever the server could do
    }
    if settings.redis_url is not None:
        return ConnectionPool.from_url(settings.redis_url, **options)
    return ConnectionPool(
        connection_class=UnixDomainSocketConnection, path=str(settings.redis_socket), **options
    )
