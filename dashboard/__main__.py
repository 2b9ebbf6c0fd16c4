"""`python -m dashboard`: the dashboard's process."""

import logging

from dashboard.app import create_app
from serving import server
from serving.open_files import allowed_connections
from tracking import process
from tracking.settings import Settings
from tracking.urls import http_origin

logger = logging.getLogger("dashboard")

# People with open requests are waited for this long, in seconds, when the process is stopped.
_GRACE = 5


def main(settings: Settings) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP.

    Raises:
        WaymarkError: the port or the data directory can't be used, or the database is too new.
    """
    listener = process.listen(settings.host, settings.dashboard_port, "DASHBOARD_PORT")
    process.prepare_database(settings)
    server.limit_buffers(listener)
    config = server.configure(
        create_app(settings),
        grace=_GRACE,
        max_connections=allowed_connections(settings.max_connections),
    )
    held_signals = process.hold_stop_signals()
    logger.info("listening on %s", http_origin(settings.host, settings.dashboard_port))
    server.Server(config, held_signals).run(sockets=[listener])


if __name__ == "__main__":
    process.run("dashboard", main)
