"""A thread for what touches the disk."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class DiskThread:
    """Does one thing after the other, in the order in which they were asked for.

    It is a daemon, unlike those of Python's executors, which a process waits for at its end: a disk
    that hangs must not keep a process from ending.
    """

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Returns what the work returns; raises what it raises.

        Who is cancelled does not wait, and what has begun goes on.
        """
        future: Future[Result] = Future()
        self._work.put((future, work))
        return await asyncio.wrap_future(future)

    def end(self) -> None:
        """Lets the thread end when all is done that was asked for."""
        self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
                future.set_exception(error)
            else:
                future.set_result(result)
