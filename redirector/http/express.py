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
from redirector.links.cache import Links
from redirector.links.known_link import VERSION, KnownLink
from redirector.recording.recorder import Recorder
from tracking.clicks import Audience
from tracking.links import STICKING, parse_path
from tracking.urls import PRINTABLE

Asked = asyncio.Future[KnownLink | None]
"""What SQL is asked for."""

# Under which uvicorn's lifespan state holds the process's `Express`.
STATE_KEY = "express"

# What an answer has behind its `Location`; the Starlette lane makes the same bytes (`_lead_to` in
# redirector/http/app.py).
ENDING: Final = b"\r\ncache-control: no-store\r\ncontent-length: 0\r\n\r\n"

# Printable ASCII without the space and the number sign, which begins a fragment; and something in
# it that does not only stick to a pasted link. What is percent-encoded may be such.
_STUCK: Final = {character for character in PRINTABLE if character in f"{STICKING}/"}
_MEANT: Final = set(PRINTABLE) - _STUCK - {"#", "%"}
_PLAIN_QUERY: Final = re.compile(
    '[{}]*[{}][!-"$-~]*'.format(
        *(re.escape("".join(sorted(each))) for each in (_STUCK, _MEANT))
    ).encode()
)
_LONGEST_LINE: Final = LONGEST - len("\r\n")
_TARGET: Final = re.compile(rb"GET (/[^?]*)(?:\?.*)? HTTP/1\.1")


class Express:
    """What the express lanes of all connections of a process share.

    Attributes:
        default_headers: uvicorn's own, which it makes a new list of once a second.
        opening: the status line, these, and how `Location` begins.
        heads: what they told.
    """

    def __init__(self, links: Links, recorder: Recorder) -> None:
        self.record = recorder.record
        self.default_headers: list[tuple[bytes, bytes]] | None = None
        self.opening = b""
        self.heads = Heads()
        self._links = links
        self._known_links = links.by_request_line

    def open_with(self, default_headers: list[tuple[bytes, bytes]]) -> None:
        """Makes the opening anew."""
        self.default_headers = default_headers
        lines = [b"%b: %b\r\n" % header for header in default_headers]
        self.opening = b"".join((b"HTTP/1.1 302 Found\r\n", *lines, b"location: "))

    def read(self, packet: bytes) -> tuple[int, Audience, bytes] | None:
        """Reads a request: mostly one dictionary knows its first line, another the rest.

        Returns:
            The campaign and the audience to count the click for, and the `Location` that is led to;
            None when the request is not one for the express lane.
        """
        line, _, head = packet.partition(b"\r")
        heads = self.heads
        audience = heads.look_up(head)
        if audience is None:
            audience = heads.audience(head)
            if audience is None:
                return None
        known = self._known_links.get(line)
        if known is None:
            return self._read_line(line, audience)
        known.asked_for = True
        return known.campaign_id, audience, known.location

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
        """`read`, for queries, and for paths without their last slash."""
        if len(line) > _LONGEST_LINE or not line.endswith(VERSION):
            return None
        path, _, query = line[: -len(VERSION)].partition(b"?")
        links = self._known_links
        known = links.get(path + VERSION) or links.get(path + b"/" + VERSION)
        if known is None or (query and _PLAIN_QUERY.fullmatch(query) is None):
            return None
        known.asked_for = True
        return known.campaign_id, audience, known.location_with(query) if query else known.location
