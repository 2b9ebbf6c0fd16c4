"""A real uvicorn server on a free port, inside the test's own event loop."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from serving.protocol import BoundedProtocol
from serving.server import limit_buffers


@dataclass(frozen=True, slots=True)
class Serving:
    """A server at work."""

    server: uvicorn.Server
    port: int


@asynccontextmanager
async def serving(
    app: ASGIApp, http: type[BoundedProtocol] = BoundedProtocol
) -> AsyncIterator[str]:
    """Serves the app; yields its base URL, like `http://127.0.0.1:40123`."""
    config = uvicorn.Config(app, lifespan="on", log_config=None, http=http, proxy_headers=False)
    async with running(config) as service:
        yield f"http://127.0.0.1:{service.port}"


@asynccontextmanager
async def running(config: uvicorn.Config) -> AsyncIterator[Serving]:
    """Runs a server with this configuration, without uvicorn's main loop."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    limit_buffers(listener)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # uvicorn's own main loop looks for its end ten times a second: long, for hundreds of tests.
    await server.startup([listener])
    await server.on_tick(0)
    try:
        yield Serving(server, listener.getsockname()[1])
    finally:
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await server.lifespan.shutdown()
