"""`python -m redirector`: the redirector's processes."""

import logging
import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess

from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from redirector.http.app import create_app
from redirector.http.protocol import Protocol
from serving import server
from serving.open_files import allowed_connections
from tracking import process
from tracking.presence import Start
from tracking.settings import Settings
from tracking.urls import http_origin

logger = logging.getLogger("redirector")

# Visitors with open requests are waited for this long, in seconds, when the process is stopped.
_GRACE = 3
# A worker that says nothing for this long, in seconds, is replaced. On a busy machine it takes
# longer than uvicorn's five seconds to start; and the supervisor waits this long for one that died.
_WORKER_TIMEOUT = 15


def application() -> Starlette:
    """The app of one worker process, which begins with nothing but the environment."""
    process.configure_logging()
    process.stop_at_hangup()
    parent = multiprocessing.parent_process()
    if parent is not None:
        Start.begin()
        process.spare_collector()
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    return create_app(Settings.load())


def _end_after(parent: BaseProcess) -> None:
    """Stops this worker when whoever started it was killed, and could not stop it.

    A worker that went on alone would keep the port from who is started next.
    """
    parent.join()
    logger.error("the process that started this worker is gone: the worker stops")
    os.kill(os.getpid(), signal.SIGTERM)


def main(settings: Settings) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP."""
    listener = process.listen(settings.host, settings.redirector_port, "REDIRECTOR_PORT")
    process.prepare_database(settings)
    server.limit_buffers(listener)
    config = server.configure(
        "redirector.__main__:application",
        protocol=Protocol,
        grace=_GRACE,
        max_connections=allowed_connections(settings.max_connections),
        workers=settings.redirector_workers,
        worker_timeout=_WORKER_TIMEOUT,
    )
    held_signals = process.hold_stop_signals()
    logger.info("answering links on %s", http_origin(settings.host, settings.redirector_port))
    if settings.redirector_workers > 1:
        hangup = signal.getsignal(signal.SIGHUP)
        supervisor = Multiprocess(config, sockets=[listener])
        # uvicorn would start all workers anew.
        signal.signal(signal.SIGHUP, hangup)
        supervisor.signal_queue.extend(held_signals)
        supervisor.run()
    else:
        server.Server(config, held_signals).run(sockets=[listener])


if __name__ == "__main__":
    process.run("redirector", main)
