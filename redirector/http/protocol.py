"""The HTTP protocol with an express lane: known links are answered without ASGI.

A connection answers a packet in the express lane when the packet is one plain request for a link
(redirector/http/express.py says what is plain), and nothing else is going on: no request before it
waits for its answer, nothing of one has come that was not read, and the client reads what it is
sent. A packet whose link is not in the cache waits until SQL was asked for it. All else, and what
SQL does not know, goes to h11 and to Starlette: what it is, they answer.

So the express lane only sees bytes that h11 would take for the beginning of a request, too: never a
body, nor a piece of one. At most one request of a connection is in the express lane; what comes
behind it waits in h11's buffer. An `ExpressCycle` stands for it where uvicorn looks for the request
under way.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import RequestResponseCycle
from uvicorn.server import ServerState

from redirector.http.express import ENDING, STATE_KEY, Asked, Express
from serving.protocol import BoundedProtocol


class Protocol(BoundedProtocol):
    """Answers known links in the express lane, and everything else through ASGI."""

    # CPython shares the keys of instances' dictionaries up to 30 attributes: uvicorn's fit, and
    # with ours a connection would take 1.5 KiB more, and every look at an attribute longer.
    __slots__ = ("_express", "_express_cycle")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Of a forwarded address, which belongs into the access log, only ASGI middleware knows; and
        # a root path stands before every path that Starlette sees.
        closed = self.root_path or (self.access_log and config.proxy_headers)
        self._express: Express | None = None if closed else app_state.get(STATE_KEY)
        if self._express is not None:
            self.cycle = self._express_cycle = ExpressCycle(self, self._express)

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        express = self._express
        if (
            express is None
            or self._partial
            or not self.cycle.response_complete
            or self.flow.write_paused
        ):
            super().data_received(data)
            return
        request = express.read(data)
        if request is None and not express.ask(data, self.on_link):
            super().data_received(data)
            return
        cycle = self.cycle = self._express_cycle
        cycle.response_complete = False
        cycle.request = data
        if request is None:
            # What comes behind it would overtake it, if Starlette is to answer it after all.
            self.flow.pause_reading()
        else:
            campaign_id, audience, cycle.location = request
            express.record(campaign_id, audience, cycle.when_counted)

    def on_link(self, asked: Asked) -> None:
        """Called when SQL was asked for the link that the express request wants.

        Whoever left meanwhile is counted all the same.
        """
        cycle = self._express_cycle
        if not self.transport.is_closing():
            self.flow.resume_reading()
        counted = cycle.read_again()
        link = None if asked.exception() else asked.result()
        if link is not None:
            # The cache keeps links that somebody comes back to.
            link.asked_for = False
        if not counted and not cycle.disconnected:
            cycle.response_complete = True
            super().data_received(cycle.request)
            if not cycle.keep_alive:
                self.shutdown()  # this request's cycle has not been told yet

    def on_express_answer(self) -> None:
        """Called when a request was answered in the express lane; as `on_response_complete`."""
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self._partial:
            self.read_on()

    def log_access(self, request: bytes) -> None:
        """Writes an express request into uvicorn's access log, as `RequestResponseCycle` does."""
        _, target, _ = request.decode("latin-1").split(" ", 2)
        self.access_logger.info(
            '%s - "%s %s HTTP/%s" %d',
            "{}:{}".format(*self.client) if self.client else "",
            "GET",
            target.removesuffix("?"),
            "1.1",
            302,
        )


class ExpressCycle(RequestResponseCycle):
    """The request of a connection that is in the express lane, one after the other.

    uvicorn sees a `RequestResponseCycle` in it; of that one's attributes only those are there that
    `H11Protocol` uses (tests/redirector/test_uvicorn.py says which).
    """

    __slots__ = (
        "_express", "_protocol", "disconnected", "keep_alive", "location", "message_event",
        "request", "response_complete", "when_counted",
    )  # fmt: skip

    def __init__(self, protocol: Protocol, express: Express) -> None:
        # Not the parent's, which wants an ASGI scope.
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = True
        self.message_event = asyncio.Event()
        self._protocol = protocol
        self._express = express
        self.request = b""
        self.location = b""
        # Bound once, and not for each request.
        self.when_counted = self.answer

    def read_again(self) -> bool:
        """Counts the request, when it can be read by now."""
        request = self._express.read(self.request)
        if request is None:
            return False
        campaign_id, audience, self.location = request
        self._express.record(campaign_id, audience, self.when_counted)
        return True

    def answer(self) -> None:
        """Answers the request, which is counted, unless the visitor has left."""
        if self.disconnected:
            return
        protocol, express = self._protocol, self._express
        if protocol.access_log:
            protocol.log_access(self.request)
        default_headers = protocol.server_state.default_headers
        if default_headers is not express.default_headers:
            express.open_with(default_headers)
        self.response_complete = True
        if self.keep_alive:
            protocol.raw_transport.write(express.opening + self.location + ENDING)
            protocol.on_express_answer()
        else:
            closing = ENDING.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            protocol.raw_transport.write(express.opening + self.location + closing)
            protocol.transport.close()
            protocol.on_response_complete()
