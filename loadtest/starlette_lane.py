"""`python -m loadtest.starlette_lane`: the redirector without its express lane.

The same app in the same server, with the HTTP protocol that is beneath it: what that lane spares.
"""

import uvicorn

from redirector.app import create_app
from serving.protocol import BoundedProtocol
from tracking import process
from tracking.settings import Settings


def main(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM."""
    process.hold_stop_signals()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.redirector_port,
        http=BoundedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    process.run("starlette lane", main)
