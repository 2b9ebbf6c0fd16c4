"""A connection's transport, which closes so that the client gets its last answer."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any, Final

# `struct linger`: close with a reset, and drop what the client has not taken.
_RESET: Final = struct.pack("ii", 1, 0)


class ClosingTransport(asyncio.Transport):
    """What uvicorn's code writes to and closes.

    Closing a connection whose data was not read resets it, and with it goes the answer that the
    client has not read yet (RFC 9112, section 9.6). So `close` asks its owner, which may go on
    reading for a while.
    """

    __slots__ = ("_close", "_closing", "_socket", "raw_transport")

    def __init__(self, raw_transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self.raw_transport = raw_transport
        self._socket: socket.socket | None = raw_transport.get_extra_info("socket")
        self._close = close
        self._closing = False

    def close(self) -> None:
        """Writes what is left, and closes, once."""
        if not self._closing:
            self._closing = True
            self._close()

    def abort(self) -> None:
        """Closes at once, whatever is left.

        What the client has not taken would stay in the kernel beyond the connection's end.
        """
        self._closing = True
        if self._socket is not None and self.count_unread():
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.raw_transport.abort()

    def is_closing(self) -> bool:
        """Whether it was closed, from either side."""
        return self._closing or self.raw_transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As the raw transport's."""
        self.raw_transport.write(data)

    def pause_reading(self) -> None:
        """As the raw transport's."""
        self.raw_transport.pause_reading()

    def resume_reading(self) -> None:
        """As the raw transport's."""
        self.raw_transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the raw transport's."""
        return self.raw_transport.get_extra_info(name, default)

    def count_unread(self) -> int:
        """How many bytes the client has not taken, here and in the kernel."""
        unread = self.raw_transport.get_write_buffer_size()
        if self._socket is not None:
            # SIOCOUTQ, by its other name.
            queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
            unread += int.from_bytes(queued, sys.byteorder)
        return unread

    def lose(self) -> None:
        """Lets go of the socket, whose number will be another's: the connection is over."""
        self._socket = None
