"""Lines for whoever reads them: a reader that is slow, stands still or is gone stops nobody."""

import logging
import os
import select
import signal
import threading
from contextlib import suppress
from typing import IO, Any

# What waits for the reader at most, in bytes; a pipe holds 64 KiB besides.
_MAX_WAITING = 1024 * 1024
# How long the end of a process waits for the reader, in seconds.
_DRAIN_SECONDS = 1.0


class Output:
    """Writes to a file descriptor from a thread of its own, and drops what can't be written.

    Args:
        stream: whose descriptor it is; None, or one without a descriptor: nobody reads, and
            everything is dropped. With a closed standard stream the number of its descriptor may
            be the database's by now.
    """

    def __init__(self, stream: IO[Any] | None) -> None:
        self._descriptor = _descriptor(stream)
        self._waiting: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Takes a line, with its end, and returns at once; what is no text is escaped."""
        data = line.encode(errors="backslashreplace")
        if self._descriptor is None:
            return
        with self._changed:
            if self._size + len(data) > _MAX_WAITING:
                self._dropped += 1
                return
            if self._dropped:
                data = b"(%d lines were left out here)\n" % self._dropped + data
                self._dropped = 0
            self._waiting.append(data)
            self._size += len(data)
            if self._thread is None:
                self._thread = self._start()
            self._changed.notify_all()

    def drain(self, seconds: float = _DRAIN_SECONDS) -> None:
        """Waits until all is written or dropped, but not longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True, name="output")
        # A thread has the signals blocked that its maker has: who waits for them is another one.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
        return thread

    def _run(self) -> None:
        assert self._descriptor is not None
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                self._writing = True
            # A pipe without a reader, a terminal that is gone, a full disk.
            with suppress(OSError):
                _write_all(self._descriptor, data)


class OutputHandler(logging.Handler):
    """Sends the log to an `Output`."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record; formatting it may fail, which logging tells of."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)
        else:
            self._output.write(f"{line}\n")

    def flush(self) -> None:
        """logging calls it when the process ends."""
        self._output.drain()


def _descriptor(stream: IO[Any] | None) -> int | None:
    if stream is None:
        return None
    try:
        return stream.fileno()
    except OSError:  # io.UnsupportedOperation is one
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Somebody who shares the file has made it non-blocking.
            select.select([], [descriptor], [])
