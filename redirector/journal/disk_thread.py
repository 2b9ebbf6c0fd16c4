"""A thread for what touches the disk."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")
Done = Callable[[Any, BaseException | None], None]
"""Called on the event loop with what the work returned, or with what it raised."""


class DiskThread:
    """Does one thing after the other, in the order in which they were asked for.

    It is a daemon, unlike those of Python's executors, which a process waits for at its end: a disk
    that hangs must not keep a process from ending.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[tuple[Callable[[], Any], Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        """Does the work, and says on the event loop what became of it, while that runs."""
        self._work.put((work, done))

    async def run(self, work: Callable[[], Result]) -> Result:
        """Returns what the work returns; raises what it raises.

        Who is cancelled does not wait, and what has begun goes on.
        """
        future: asyncio.Future[Result] = self._loop.create_future()

        def done(result: Result, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.submit(work, done)
        return await future

    def end(self) -> None:
        """Lets the thread end when all is done that was asked for."""
        self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, done = item
            result = failure = None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is told where the work was asked for
                failure = error
            try:
                self._loop.call_soon_threadsafe(done, result, failure)
            except RuntimeError:  # the event loop is closed: nobody waits
                return
