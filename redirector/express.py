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
from redirector.audience import audience_of
from redirector.links import Links
from redirector.recorder import Recorder
from redirector.redirect import Rules
from tracking.clicks import Audience

# Under which uvicorn's lifespan state holds the process's `Express`.
STATE_KEY = "express"

# Bytes. Browsers' requests have 500 to 2,000; and the heads that are remembered are bounded by it.
_LONGEST: Final = 8192
_REMEMBERED_HEADS: Final = 1024

# Printable ASCII without the space and the number sign, which begins a fragment.
_QUERY: Final = re.compile(rb"[!-\"$-~]+")

# Stricter than HTTP: no spaces but one after the colon and those inside the value.
_FIELD: Final = r"([A-Za-z0-9-]+): ?([!-~](?:[ -~]*[!-~])?)\r\n"
_FIELDS: Final = re.compile(_FIELD)
_HEAD: Final = re.compile(rf"(?:{_FIELD})*\r\n")

# A request with one of these has a body, ends the connection, or wants to leave HTTP/1.1.
_SPECIAL_FIELDS: Final = frozenset(
    {"content-length", "transfer-encoding", "expect", "upgrade", "proxy-connection"}
)


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
        answer = self._answer_for(path)
        if answer is None:
            return None
        if not query:
            return answer.campaign_id, audience, answer.headers
        if _QUERY.fullmatch(query) is None:
            return None
        return answer.campaign_id, audience, answer.headers_with(query)

    def _answer_for(self, line: bytes) -> ReadyAnswer | None:
        """The answer for a method and a path, when they are a GET for a link in the cache."""
        _, _, code = line.rpartition(b"/c/")
        known = self._links.known(code.removesuffix(b"/").decode("latin-1"))
        if known is None:
            return None
        answer = known.answer
        if answer is None:
            answer = known.answer = ReadyAnswer(known.link, self._rules)
        return answer if line in answer.request_lines else None


@lru_cache(maxsize=_REMEMBERED_HEADS)
def audience_of_head(head: bytes) -> Audience | None:
    """Who is asking, by a request's header lines and the empty line at their end.

    Visitors with the same browser send the same head, so that it is mostly looked up.

    Returns:
        None when this is not the head of a plain request that keeps its connection.
    """
    text = head.decode("latin-1")
    if _HEAD.fullmatch(text) is None:
        return None
    headers: dict[str, str] = {}
    for name, value in _FIELDS.findall(text):
        field = name.lower()
        if field in _SPECIAL_FIELDS:
            return None
        if field == "connection" and value.lower() != "keep-alive":
            return None
        headers.setdefault(field, value)
    return audience_of(headers)
