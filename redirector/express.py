"""The express lane's reading: which packets it answers, with what, and what they count as.

It reads no HTTP but the plainest, as browsers send it: a packet that is one whole request

    GET /<organizer>/<event>/c/<code>[/][?query] HTTP/1.1
    Name: value
    ...

for a link in the cache, without anything that makes a request special. Whatever is not exactly so
it leaves to uvicorn and Starlette, which understand the rest of HTTP.
"""

import re
from functools import lru_cache
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from redirector.answers import ReadyAnswer
from redirector.audience import AUDIENCE_HEADERS, audience_of
from redirector.links import Links
from redirector.recorder import Recorder
from redirector.redirect import Rules
from tracking.clicks import Audience

# Under which uvicorn's lifespan state holds the process's `Express`.
STATE_KEY = "express"

# Bytes. Browsers' requests have 500 to 2,000; and the heads that are remembered are bounded by it.
_LONGEST: Final = 8192
_REMEMBERED_HEADS: Final = 1024

# Stricter than HTTP: no spaces but one after the colon and those inside the value. A head is
# looked at with the line feed before it, so that each of its fields follows one.
_PLAIN_HEAD: Final = re.compile(r"\n(?:[A-Za-z0-9-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)*\r\n")

# A request with one of these has a body, ends the connection, or wants to leave HTTP/1.1.
_SPECIAL_FIELD: Final = re.compile(
    r"\n(?:content-length|transfer-encoding|expect|upgrade|proxy-connection|"
    r"connection(?!: ?keep-alive\r)):",
    re.IGNORECASE,
)
_AUDIENCE_FIELD: Final = re.compile(rf"\n({'|'.join(AUDIENCE_HEADERS)}): ?(.*)\r", re.IGNORECASE)


class Express:
    """What the express lanes of all connections of a process share."""

    def __init__(self, links: Links, recorder: Recorder, rules: Rules) -> None:
        self.record = recorder.record
        self._links = links
        self._rules = rules
        self._default_headers: list[tuple[bytes, bytes]] | None = None
        self._opening = b""

    def opening(self, default_headers: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and uvicorn's own headers; it makes a new list of these once a second."""
        if default_headers is not self._default_headers:
            self._default_headers = default_headers
            lines = [b"%b: %b\r\n" % header for header in default_headers]
            self._opening = b"".join((STATUS_LINE[302], *lines))
        return self._opening

    def read(self, packet: bytes) -> tuple[int, Audience, bytes] | None:
        """Reads a request.

        Returns:
            The campaign and the audience to count the click for, and the answer's headers from
            `Location` on; None when the request is not one for the express lane.
        """
        if len(packet) > _LONGEST:
            return None
        line, _, head = packet.partition(b" HTTP/1.1\r\n")
        audience = audience_of_head(head)
        if audience is None:
            return None
        path, _, query = line.partition(b"?")
        _, _, code = path.rpartition(b"/c/")
        known = self._links.known(code.removesuffix(b"/").decode("latin-1"))
        if known is None:
            return None
        answer = known.answer
        if answer is None:
            answer = known.answer = ReadyAnswer(known.link, self._rules)
        headers = answer.headers_with(query) if query else answer.headers
        if headers is None or path not in answer.request_lines:
            return None
        return answer.campaign_id, audience, headers


@lru_cache(maxsize=_REMEMBERED_HEADS)
def audience_of_head(head: bytes) -> Audience | None:
    """Who is asking, by a request's header lines and the empty line at their end.

    Visitors with the same browser send the same head, so that it is mostly looked up.

    Returns:
        None when this is not the head of a plain request that keeps its connection.
    """
    text = "\n" + head.decode("latin-1")
    if _PLAIN_HEAD.fullmatch(text) is None or _SPECIAL_FIELD.search(text) is not None:
        return None
    # Of a field that is there twice, the first counts.
    fields = reversed(_AUDIENCE_FIELD.findall(text))
    return audience_of({name.lower(): value for name, value in fields})
