"""A real uvicorn server on a free port, inside the test's own event loop."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@asynccontextmanager
async def serving(
    app: ASGIApp, http: type[HttpToolsProtocol] = HttpToolsProtocol
) -> AsyncIterator[str]:
    """Serves the app; yields its base URL, like `http://127.0.0.1:40123`."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(app, lifespan="on", log_config=None, http=http, proxy_headers=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # uvicorn's own main loop looks for its end ten times a second: long, for hundreds of tests.
    await server.startup([listener])
    await server.on_tick(0)
    yield f"http://127.0.0.1:{port}"
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await server.lifespan.shutdown()
