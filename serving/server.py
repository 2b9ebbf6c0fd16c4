"""How both services configure and run uvicorn."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from serving.limits import HEAD_SECONDS, RECEIVE_BUFFER, SEND_BUFFER, Limits
from serving.protocol import BoundedProtocol


def configure(
    app: Starlette | str,
    *,
    protocol: type[BoundedProtocol] = BoundedProtocol,
    grace: int,
    max_connections: int,
    workers: int = 1,
    worker_timeout: int = 5,
) -> uvicorn.Config:
    """uvicorn's configuration.

    Args:
        app: an application, or `module:function` for the one that makes it in each worker.
        grace: seconds that open requests are waited for when the process is stopped.
        max_connections: of each process.
        worker_timeout: seconds after which a worker that says nothing is replaced.
    """
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=max_connections,
        timeout_keep_alive=HEAD_SECONDS,
        timeout_graceful_shutdown=grace,
        workers=workers,
        timeout_worker_healthcheck=worker_timeout,
    )


def limit_buffers(listener: socket.socket) -> None:
    """Has the kernel hold little for each connection of a listening socket, and not for long.

    What comes at once is never more than the kernel's buffer; and Linux lets that grow to 6 MiB,
    and the one for answers to 4 MiB, which outlive their connection. What a client that has gone,
    or takes nothing, leaves in it is dropped after the user time-out, whoever has closed.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    milliseconds = int(Limits().write_seconds * 1000)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


class Server(uvicorn.Server):
    """uvicorn's, which also obeys a signal that came before it listened to signals.

    Args:
        held_signals: what `tracking.process.hold_stop_signals` returned.
    """

    def __init__(self, config: uvicorn.Config, held_signals: list[int]) -> None:
        super().__init__(config)
        self._held_signals = held_signals

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals in the block, beginning with those that were held."""
        with super().capture_signals():
            for number in self._held_signals:
                self.handle_exit(number, None)
            yield
