"""The processes of a redirector with several workers."""

import gc
import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from redirector.__main__ import application
from tests.processes import free_port, started
from tests.system import sessions
from tests.waiting import until


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_workers_end_with_what_started_them(short_dir: Path) -> None:
    """`kill -9` of the supervisor leaves nobody behind who would keep the port."""
    port = str(free_port())
    variables = {"DATA_DIR": str(short_dir), "REDIRECTOR_PORT": port, "REDIRECTOR_WORKERS": "2"}
    with started("redirector", **variables) as first:
        async with httpx.AsyncClient(verify=False) as client:
            await until(lambda: _answers(client, port))
        workers = sessions.workers(first.pid)
        assert workers
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: not any(is_running(pid) for pid in workers))
    with started("redirector", **variables) as second:
        async with httpx.AsyncClient(verify=False) as client:
            await until(lambda: _answers(client, port))
        assert second.poll() is None


def test_a_workers_collector_is_spared_what_is_loaded() -> None:
    """As that of a process that has no workers (tests/tracking/test_process.py)."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    worker = spawning.Process(target=_begin, args=(there,))
    worker.start()
    spared, left = here.recv()
    worker.join()
    assert left < spared / 10


def _begin(results: Connection) -> None:
    application()
    results.send((gc.get_freeze_count(), len(gc.get_objects())))


async def _answers(client: httpx.AsyncClient, port: str) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    except httpx.TransportError:
        return False
