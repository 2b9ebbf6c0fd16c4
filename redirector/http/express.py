"""The express lane's reading: which packets it answers, with what, and what they count as.

It reads no HTTP but the plainest, as browsers send it: a packet that is one whole request

    GET /<organizer>/<event>/c/<code>[/][?query] HTTP/1.1
    Name: value
    ...

for a link in the cache, without anything that makes a request special. Whatever is not exactly so
it leaves to uvicorn and Starlette, which understand the rest of HTTP.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from redirector.http.heads import LONGEST, Heads
from redirector.links.cache import KnownLink, Links
from redirector.links.destination import Rules
from redirector.links.prepared_redirect import VERSION
from redirector.recording.recorder import Recorder
from tracking.clicks import Audience
from tracking.links import Link, parse_path

Asked = asyncio.Future[Link | None]
"""What SQL is asked for."""

# Under which uvicorn's lifespan state holds the process's `Express`.
STATE_KEY = "express"

_LONGEST_LINE: Final = LONGEST - len("\r\n")
_TARGET: Final = re.compile(rb"GET (/[^?]*)(?:\?.*)? HTTP/1\.1")


class Express:
    """What the express lanes of all connections of a process share.

    Attributes:
        default_headers: uvicorn's own, which it makes a new list of once a second.
        opening: the status line and these.
        heads: what they told.
    """

    def __init__(self, links: Links, recorder: Recorder, rules: Rules) -> None:
        self.record = recorder.record
        self.default_headers: list[tuple[bytes, bytes]] | None = None
        self.opening = b""
        self.heads = Heads()
        self._known_heads = self.heads.known
        self._links = links
        self._prepared = links.prepared
        self._rules = rules

    def open_with(self, default_headers: list[tuple[bytes, bytes]]) -> None:
        """Makes the opening anew."""
        self.default_headers = default_headers
        lines = [b"%b: %b\r\n" % header for header in default_headers]
        self.opening = b"".join((b"HTTP/1.1 302 Found\r\n", *lines))

    def read(self, packet: bytes) -> tuple[int, Audience, bytes] | None:
        """Reads a request: mostly one dictionary knows its first line, another the rest.

        Returns:
            The campaign and the audience to count the click for, and the answer's headers from
            `Location` on; None when the request is not one for the express lane.
        """
        line, _, head = packet.partition(b"\r")
        audience = self._known_heads.get(head)
        if audience is None:
            audience = self.heads.audience(head)
            if audience is None:
                return None
        known = self._prepared.get(line)
        if known is None or known.redirect is None:
            return self._read_line(line, audience)
        known.asked_for = True
        return known.redirect.campaign_id, audience, known.redirect.headers

    def ask(self, packet: bytes, then: Callable[[Asked], None]) -> bool:
        """Asks SQL for the link that a packet wants, when it could not be read for want of it.

        Args:
            then: called when SQL has answered, or can't be asked; the packet may be one for the
                express lane now.

        Returns:
            Whether `then` will be called.
        """
        line, _, head = packet.partition(b"\r")
        if self.heads.audience(head) is None or len(line) > _LONGEST_LINE:
            return False
        target = _TARGET.fullmatch(line)
        path = parse_path(target[1]) if target is not None else None
        asked = self._links.ask(path.code) if path is not None else None
        if asked is None:
            return False
        asked.add_done_callback(then)
        return True

    def _read_line(self, line: bytes, audience: Audience) -> tuple[int, Audience, bytes] | None:
        """`read`, for queries, for paths without their last slash, for a link's first request."""
        if len(line) > _LONGEST_LINE or not line.endswith(VERSION):
            return None
        path, _, query = line[: -len(VERSION)].partition(b"?")
        known = self._prepared.get(path + VERSION)
        if known is not None:
            known.asked_for = True
        else:
            known = self._find(path.removesuffix(b"/"))
        if known is None or known.redirect is None:
            return None
        headers = known.redirect.headers_with(query) if query else known.redirect.headers
        return None if headers is None else (known.redirect.campaign_id, audience, headers)

    def _find(self, path: bytes) -> KnownLink | None:
        """The entry for a path that is given without its last slash."""
        line = path + b"/" + VERSION
        known = self._prepared.get(line)
        if known is not None:
            known.asked_for = True
            return known
        _, _, code = path.rpartition(b"/c/")
        self._links.prepare(code.decode("latin-1"), self._rules)
        return self._prepared.get(line)
