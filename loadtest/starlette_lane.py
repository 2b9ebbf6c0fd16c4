"""`python -m loadtest.starlette_lane`: the redirector without its express lane.

The same app in the same server, with the HTTP protocol that is beneath it: what that lane spares.
"""

from redirector.http.app import create_app
from serving import server
from serving.open_files import allowed_connections
from tracking import process
from tracking.settings import Settings

# Nobody's request is waited for any longer, in seconds: the benchmark has its figures.
_GRACE = 1


def main(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM."""
    listener = process.listen(settings.host, settings.redirector_port, "REDIRECTOR_PORT")
    server.limit_buffers(listener)
    config = server.configure(
        create_app(settings),
        grace=_GRACE,
        max_connections=allowed_connections(settings.max_connections),
    )
    server.Server(config, process.hold_stop_signals()).run(sockets=[listener])


if __name__ == "__main__":
    process.run("starlette lane", main)
