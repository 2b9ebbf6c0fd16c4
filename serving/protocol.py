"""uvicorn's protocol on h11, with bounds: what a connection may send, and how long it may take."""

import asyncio
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from serving.connection import Connection
from serving.connection_limiter import ConnectionLimiter, Evictable
from serving.limits import Limits
from serving.pipelining import PipelinedRequests
from serving.transport import ClosingTransport

# uvicorn warns of every request that is none, and of every upgrade that it does not know: lines
# without bound, at the will of whoever sends them. The limiter counts them.
_logger: Final = logging.getLogger("serving.application")
_logger.setLevel(logging.ERROR)


# Who is closed first for another's sake.
_SILENT: Final = 0
_IDLE: Final = 1
_KEEPS_WAITING: Final = 2


class BoundedProtocol(H11Protocol):
    """Answers through ASGI.

    One request of a connection is read at a time: those behind it wait, unread, in the connection's
    buffer, and when that holds something, nothing more is taken from the network.

    A single timer looks at each connection, when something could be due and no sooner: a request
    leaves it alone, and only notes when it was answered.

    Args (uvicorn's configuration):
        timeout_keep_alive: seconds until a head must be complete, from the connection or from the
            answer before it.
        limit_concurrency: how many connections there may be in the process
            (serving/connection_limiter.py).
    """

    __slots__ = (
        "_answered_at", "_closed_at", "_connected_at", "_discarded", "_limiter",
        "_partial", "_pipelined", "_requested_at", "_stalled_at", "_timer", "raw_transport",
    )  # fmt: skip

    limits = Limits()
    transport: ClosingTransport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: Connection = Connection(self.limits)
        self.logger = _logger
        self._limiter = ConnectionLimiter.of(app_state, config.limit_concurrency, self.loop)
        self._pipelined = PipelinedRequests.of(app_state, self.loop)
        self.limit_concurrency = None
        # Whether what comes next is something else than the first byte of a request.
        self._partial = False
        self._connected_at = self.loop.time()
        self._answered_at = self._requested_at = self._stalled_at = self._closed_at = 0.0
        self._discarded = 0

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override] # uvicorn serves no other kind
    ) -> None:
        """Called when a client has connected."""
        self.raw_transport = transport
        transport.set_write_buffer_limits(self.limits.write_buffer)
        super().connection_made(ClosingTransport(transport, self._close))
        self.flow = _Flow(self.transport, self.conn)
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._check_deadline)
        if not self._limiter.admit(self, cast("set[Evictable]", self.connections)):
            self._partial = True
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called at the end."""
        self._timer.cancel()
        self.transport.lose()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Called when the client has said its last; it is closed behind what is in its buffer."""
        self._closed_at = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        if self.transport.is_closing():
            self._discard(data)
            return
        self.conn.receive_data(data)
        if self.conn.lacks_body or not self._is_answering():
            self.handle_events()
        else:
            # A request that uvicorn does not know of is answered first.
            self._partial = True
            self.flow.pause_reading()

    def handle_events(self) -> None:
        """Reads what can be read by now."""
        if self.transport.is_closing():
            return
        super().handle_events()
        self._partial = not self.conn.is_idle
        if self.conn.paused:
            self.loop.call_soon(self._resume)

    def on_response_complete(self) -> None:
        """Called at the end of each answer."""
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self.transport.is_closing():
            return
        if self.conn.lacks_body:
            self._check_in(self.limits.linger_seconds)
        elif self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
            self.read_on()
            return
        self.flow.resume_reading()

    def read_on(self) -> None:
        """Goes on behind an answer; what has come already waits for its turn."""
        if self.conn.is_idle:
            self._begin_next()
        else:
            self._partial = True
            self._pipelined.wait(self._begin_next)

    def _begin_next(self) -> None:
        if not self.transport.is_closing():
            self.handle_events()
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Called for what is no request, or none that is taken."""
        self._refuse(self.conn.refusal)

    def shutdown(self) -> None:
        """Called when the server stops: closes it, behind its answer if there is one."""
        if self._is_answering() and not self.transport.is_closing():
            self.conn.keep_alive = self.cycle.keep_alive = False
        else:
            # What is in its buffer still goes; but nobody who sends on is waited for.
            self._partial = True
            self._closed_at = self.loop.time()
            self.raw_transport.close()

    def pause_writing(self) -> None:
        """Called when the client leaves too much unread."""
        self._stalled_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Called when it has read on."""
        self._stalled_at = 0.0
        super().resume_writing()

    def eviction_rank(self) -> tuple[int, float] | None:
        """How soon it may be closed for another's sake, the least first; None: not at all.

        First who never sent a request, then who waits for none, then those that keep us waiting:
        who owes a body, or has not read an answer.
        """
        if self._is_answering():
            if self._stalled_at or self.conn.lacks_body:
                return _KEEPS_WAITING, self._requested_at
            return None
        if self.transport.count_unread():
            return _KEEPS_WAITING, self._idle_since()
        if self.transport.is_closing():
            return _SILENT, self._closed_at
        return (_IDLE if self._answered_at else _SILENT), self._idle_since()

    def evict(self) -> None:
        """Closes it at once."""
        self.connections.discard(self)  # not only when the loop comes to it
        self.transport.abort()

    def _should_upgrade(self) -> bool:
        """Called by uvicorn for each request whose head is there."""
        self._requested_at = self.loop.time()
        return False

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _idle_since(self) -> float:
        """When the last answer went, or the client came."""
        return self._answered_at or self._connected_at

    def _resume(self) -> None:
        """Called when others had their turn."""
        self.conn.resume()
        if not self.transport.is_closing():
            self.handle_events()
            self.flow.resume_reading()

    def _check_deadline(self) -> None:
        """Called when something may be due."""
        now = self.loop.time()
        left = self._deadline(now) - now
        if left <= 0:
            self._time_out()
        # What is due may come nearer meanwhile, but not by more.
        self._check_in(max(min(left, self.timeout_keep_alive), 0.0))

    def _check_in(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._check_deadline)

    def _deadline(self, now: float) -> float:
        """When the connection has lasted for too long as it is."""
        limits = self.limits
        unread = self.transport.count_unread() > 0
        if self.transport.is_closing():
            return self._closed_at + (limits.write_seconds if unread else limits.linger_seconds)
        if self._stalled_at:
            return self._stalled_at + limits.write_seconds
        if self._is_answering():
            if self.conn.lacks_body:
                return self._requested_at + limits.body_seconds
            return now + self.timeout_keep_alive
        idle_seconds = limits.linger_seconds if self.conn.lacks_body else self.timeout_keep_alive
        return self._idle_since() + (limits.write_seconds if unread else idle_seconds)

    def _time_out(self) -> None:
        if self.transport.is_closing() or self.transport.count_unread():
            self.transport.abort()
        elif self.conn.is_idle:
            self.transport.close()
        elif self.conn.lacks_body and not self._is_answering():
            self.shutdown()  # its client has had the time to read the answer
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: int) -> None:
        """Answers what is no request, or was not there in time, and closes."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        phrase = HTTPStatus(status).phrase
        self._limiter.note(f"{status} {phrase}")
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [
                # Who has none in uvicorn's adds it to each answer.
                *(self.server_state.default_headers or [(b"date", _now())]),
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"x-content-type-options", b"nosniff"),
                (b"content-length", b"%d" % (len(phrase) + 1)),
                (b"Connection", b"close"),
            ]
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            head = f"HTTP/1.1 {status} {phrase}\r\n".encode()
            self.raw_transport.write(b"".join((head, lines, b"\r\n", phrase.encode(), b"\n")))
        self.transport.close()

    def _close(self) -> None:
        """Closes it, or has the client do so when there is something that was not read."""
        self._partial = True
        self._closed_at = self.loop.time()
        if self.raw_transport.is_closing():
            return
        if (
            self.conn.has_unread
            or self.flow.read_paused
            or self.transport.count_unread() > self.limits.write_buffer
        ):
            self._linger()
        else:
            self.raw_transport.close()
        self._check_in(self.limits.linger_seconds)

    def _linger(self) -> None:
        self.conn.discard_unread()
        if not self._is_answering():
            # And with it the body that nobody read.
            self.cycle = None  # type: ignore[assignment] # as it is before the first
        try:
            self.raw_transport.write_eof()
            self.raw_transport.resume_reading()
        except (OSError, RuntimeError):  # the client has left, and the loop does not know it yet
            self.raw_transport.abort()

    def _discard(self, data: bytes) -> None:
        """Takes no notice of what comes behind the last answer, and after a while nothing more."""
        self._discarded += len(data)
        if self._discarded > self.limits.linger_bytes:
            self.raw_transport.pause_reading()


def _now() -> bytes:
    return formatdate(usegmt=True).encode()


class _Flow(FlowControl):
    """Reads on only when what has come can be read."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        """Called by whoever has done with what it was given."""
        if not self._connection.is_full:
            super().resume_reading()
