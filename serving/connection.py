"""h11's reading of HTTP, with the limits of a head and nothing lenient about its framing."""

import re
from typing import Any, Final, NoReturn
from urllib.parse import quote

import h11
from h11._receivebuffer import ReceiveBuffer

from serving.limits import Limits
from tracking.urls import PRINTABLE

_REQUEST_LINE: Final = re.compile(
    rb"(?P<method>[!-~]+ )(?P<target>[^ \r\n]+)(?P<version> HTTP/1\.[01]\r?\n)"
)
_URL: Final = re.compile(
    rb"[a-z]+://(?P<host>[^/?#]+)(?P<path>/[^?]*)?(?P<query>(?:\?.*)?)", re.IGNORECASE
)
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_CLOSE: Final = (b"connection", b"close")

HOST: Final = r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
"""A pattern of what a `Host` field may say (RFC 9110, section 7.2): nothing, too."""

_HOST: Final = re.compile(HOST.encode())

# The length of a body that says its end itself.
_UNKNOWN: Final = -1


class Connection(h11.Connection):
    """One connection's requests, one after the other.

    Attributes:
        keep_alive: whether another request may follow the one that is answered.
        refusal: the status for a request that `next_event` has raised an error for.
        paused: whether `next_event` has stopped in the midst of what it could read; `resume` ends
            that.
    """

    def __init__(self, limits: Limits) -> None:
        # Of a head that has not come whole; `_check_head` looks at those that have.
        super().__init__(h11.SERVER, limits.head)
        self.keep_alive = True
        self.refusal = 400
        self.paused = False
        self._limits = limits
        self._pieces = 0
        self._body_left = 0

    @property
    def is_idle(self) -> bool:
        """Whether whatever comes next is the first byte of a request."""
        return (
            self.their_state is h11.IDLE and self.our_state is h11.IDLE and not self._receive_buffer
        )

    @property
    def has_unread(self) -> bool:
        """Whether the client is in the midst of a request, or has sent one that is not read."""
        return bool(self._receive_buffer) or self.their_state in {h11.SEND_BODY, h11.ERROR}

    @property
    def lacks_body(self) -> bool:
        """Whether the head of a request is there, and its body is not."""
        return self.their_state is h11.SEND_BODY

    @property
    def is_full(self) -> bool:
        """Whether there is something that can't be read yet."""
        return self.paused or (bool(self._receive_buffer) and not self._is_reading())

    def discard_unread(self) -> None:
        """Drops what has come and was not read."""
        self._receive_buffer = ReceiveBuffer()

    def resume(self) -> None:
        """Ends a pause."""
        self.paused = False
        self._pieces = 0

    def next_event(self) -> Any:
        """What comes next, as h11 says.

        Raises:
            h11.RemoteProtocolError: and `refusal` is the status to answer.
        """
        if self.paused:
            return h11.PAUSED
        try:
            if self.their_state is h11.IDLE and self._check_head() is h11.NEED_DATA:
                return h11.NEED_DATA
            event = super().next_event()
            if type(event) is h11.Request:
                self._check_request(event)
                return self._in_origin_form(event)
        except h11.RemoteProtocolError as error:
            self.refusal = error.error_status_hint
            raise
        if type(event) is h11.Data:
            self._body_left -= len(event.data)
            self._pieces += 1
            self.paused = self._pieces >= self._limits.pieces
        return event

    def send(self, event: Any) -> Any:
        """The bytes of an event; the last answer of a connection says that it is."""
        if type(event) is h11.Response and not (self.keep_alive and self._is_worth_reading()):
            headers = event.headers.raw_items()
            if _CLOSE not in event.headers:
                headers.append((b"Connection", b"close"))
            event = h11.Response(
                status_code=event.status_code, headers=headers, reason=event.reason
            )
        return super().send(event)

    def _is_reading(self) -> bool:
        return self.their_state in {h11.IDLE, h11.SEND_BODY} and self.our_state is not h11.ERROR

    def _is_worth_reading(self) -> bool:
        """Whether what is still to come of a request that is answered now may come."""
        if not self.lacks_body:
            return True
        # Whoever waits for "100 Continue" may send the body or not (RFC 9110, section 10.1.1).
        return (
            0 <= self._body_left <= self._limits.unread_body
            and not self.they_are_waiting_for_100_continue
        )

    def _check_head(self) -> type[h11.NEED_DATA] | None:
        """Looks at the bytes at the beginning of a request, before h11 does.

        Empty lines before a request are skipped (RFC 9112, section 2.2). Bytes beyond ASCII in a
        request's target are taken for their percent-encoded form, as browsers send them: RFC 3986
        does not allow them, but a visitor is better served by the link that was meant. This is the
        one place where that is done, since here, and nowhere else, the bytes are known to be a head
        and not a body.

        Returns:
            `NEED_DATA` when h11 must not look at it yet.

        Raises:
            h11.RemoteProtocolError: too long, or one of its lines is folded.
        """
        buffer, limits = self._receive_buffer._data, self._limits  # noqa: SLF001 - tested for
        empty = _EMPTY_LINES.match(buffer)
        if empty is not None:
            del buffer[: empty.end()]
        if len(buffer) > limits.request_line:
            self._check_lengths(buffer)
        self._check_folds(buffer)
        if not buffer.isascii() and _HEAD_END.search(buffer) is not None:
            line = _REQUEST_LINE.match(buffer)
            if line is not None:
                target = quote(line["target"], safe=PRINTABLE).encode()
                buffer[: line.end()] = b"".join((line["method"], target, line["version"]))
        return h11.NEED_DATA if buffer == b"\r" else None

    def _check_lengths(self, buffer: bytearray) -> None:
        limits = self._limits
        if buffer.find(b"\n", 0, limits.request_line) < 0:
            self._fail("request line too long", 414)
        if len(buffer) > limits.head and _HEAD_END.search(buffer, 0, limits.head) is None:
            self._fail("head too long", 431)

    def _check_folds(self, buffer: bytearray) -> None:
        """Refuses a field that goes on in a second line (RFC 9112, section 5.2)."""
        for fold in (b"\n ", b"\n\t"):
            at = buffer.find(fold)
            # Behind the head's end it belongs to a body.
            if at >= 0 and _HEAD_END.search(buffer, 0, at + 1) is None:
                self._fail("folded line", 400)

    def _check_request(self, request: h11.Request) -> None:
        """Refuses what h11 lets pass, and notes how long the body is.

        Raises:
            h11.RemoteProtocolError: two framings at once (RFC 9112, section 6.1); no host, or one
                that is none (section 3.2); another HTTP.
        """
        names = [name for name, _ in request.headers]
        chunked, sized = b"transfer-encoding" in names, b"content-length" in names
        if not request.http_version.startswith(b"1."):
            self._fail("not HTTP/1", 505)
        # h11 has refused a second one.
        host = next((value for name, value in request.headers if name == b"host"), None)
        if (host is None and request.http_version != b"1.0") or not _is_host(host or b""):
            self._fail("no Host", 400)
        if chunked and (sized or request.http_version == b"1.0"):
            self._fail("two framings", 400)
        if chunked:
            self._body_left = _UNKNOWN
        else:
            lengths = [int(value) for name, value in request.headers if name == b"content-length"]
            self._body_left = lengths[0] if lengths else 0

    def _in_origin_form(self, request: h11.Request) -> h11.Request:
        """A request whose target is a path, as it mostly is, and no URL (RFC 9112, section 3.2).

        A URL's host takes the place of the one in `Host`, whatever that says (section 3.2.2).

        Raises:
            h11.RemoteProtocolError: it is none of the four forms.
        """
        headers = request.headers.raw_items()
        target = request.target.partition(b"#")[0]
        if not target.startswith(b"/"):
            url = _URL.fullmatch(target)
            if url is not None and _is_host(url["host"]):
                path, query = url["path"], url["query"]
                others = [field for field in headers if field[0].lower() != b"host"]
                headers = [(b"Host", url["host"]), *others]
                target = (path or b"/") + query
            elif target != b"*" and request.method != b"CONNECT":
                self._fail("no request target", 400)
        if target == request.target:
            return request
        return h11.Request(
            method=request.method,
            headers=headers,
            target=target,
            http_version=request.http_version,
        )

    def _fail(self, reason: str, status: int) -> NoReturn:
        self._process_error(self.their_role)
        raise h11.RemoteProtocolError(reason, error_status_hint=status)


def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
