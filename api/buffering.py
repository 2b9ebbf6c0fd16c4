"""Buffers on disk, for answers that are too large to be held in memory while a client reads them.

A page of a list can have 8 MiB, and a hundred clients can ask for it. It is put together in parts
within one snapshot of the database, into a file without a name, as fast as the disk takes it; its
reader connection is then free again, and the client is sent the file bit by bit, as it reads. What
a slow reader holds is an open file, and no memory. Sending each part as soon as it is read would
need no file, but a snapshot for as long as the slowest client likes, while SQLite can't tidy up its
log.
"""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import ApiError
from api.negotiation import JSON

MAX_IN_MEMORY = 256 * 1024
"""Bytes of an answer that is held in memory, and of a part of a larger one."""

# One token has this many of them at most, each till it is sent: what it takes of the disk is
# bounded, and whoever else asks is not kept waiting.
_MAX_PER_TOKEN = 4
_SENT_AT_ONCE = 64 * 1024


class ResponseBuffers:
    """Those of one process."""

    def __init__(self, directory: Path, patience: float) -> None:
        """
        Args:
            directory: on a disk with room for them.
            patience: seconds to wait for others of the same token.
        """
        self._directory = directory
        self._patience = patience
        self._places: dict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_MAX_PER_TOKEN)
        )

    async def open(self, token_id: int) -> "ResponseBuffer":
        """Makes room for one, which must be closed or sent.

        Raises:
            ApiError: 503, the token has too many, or the disk has no room.
        """
        place = self._places[token_id]
        try:
            async with asyncio.timeout(self._patience):
                await place.acquire()
        except TimeoutError:
            raise ApiError.unavailable("Too many large answers wait for their readers.") from None
        try:
            file = await asyncio.to_thread(_file, self._directory)
        except BaseException as error:
            place.release()
            if isinstance(error, OSError):
                raise _no_room() from error
            raise
        return ResponseBuffer(file, place)


class ResponseBuffer:
    """A file without a name, and its place among those of its token."""

    def __init__(self, file: IO[bytes], place: asyncio.Semaphore) -> None:
        self._file: IO[bytes] | None = file
        self._place = place

    async def write(self, content: bytes) -> None:
        """Adds to its end.

        Raises:
            ApiError: 503, the disk has no room.
        """
        assert self._file is not None
        try:
            await asyncio.to_thread(self._file.write, content)
        except OSError as error:
            raise _no_room() from error

    async def response(self, headers: Mapping[str, str]) -> Response:
        """What was written, as a response, which closes the buffer when it is sent."""
        assert self._file is not None
        try:
            await asyncio.to_thread(self._file.flush)
        except OSError as error:
            raise _no_room() from error
        length = self._file.tell()
        return _BufferedResponse(self, self._file, {**headers, "Content-Length": str(length)})

    def close(self) -> None:
        """Frees its file and its place; once more, it does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._place.release()


class _BufferedResponse(Response):
    """Sends a file, no faster than the client reads."""

    media_type = JSON

    def __init__(self, buffer: ResponseBuffer, file: IO[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self._buffer = buffer
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as an ASGI application."""
        try:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            self._file.seek(0)
            while scope["method"] != "HEAD":
                part = await asyncio.to_thread(self._file.read, _SENT_AT_ONCE)
                if not part:
                    break
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._buffer.close()


def _file(directory: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=directory)


def _no_room() -> ApiError:
    return ApiError.unavailable("The disk has no room for the answer.")
