"""`python -m api`: the API's process."""

import logging

from api.app import create_app
from serving import server
from serving.open_files import allowed_connections
from tracking import process
from tracking.settings import Settings
from tracking.urls import http_origin

logger = logging.getLogger("api")

# Clients with open requests are waited for this long, in seconds, when the process is stopped.
_GRACE = 5


def main(settings: Settings) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP.

    Raises:
        WaymarkError: the port or the data directory can't be used, or the database is too new.
    """
    listener = process.listen(settings.host, settings.api_port, "API_PORT")
    process.prepare_database(settings)
    server.limit_buffers(listener)
    config = server.configure(
        create_app(settings),
        grace=_GRACE,
        max_connections=allowed_connections(settings.max_connections),
    )
    config.date_header = False  # api/app.py has one that agrees with what else is answered
    held_signals = process.hold_stop_signals()
    logger.info("listening on %s", http_origin(settings.host, settings.api_port))
    server.Server(config, held_signals).run(sockets=[listener])


if __name__ == "__main__":
    process.run("api", main)
