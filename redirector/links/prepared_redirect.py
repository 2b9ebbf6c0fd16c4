"""A link's redirect in the express lane, as bytes that are ready to send."""

import re
from typing import Final

from redirector.links.destination import Rules, destination_of
from tracking.links import STICKING, Link
from tracking.urls import PRINTABLE

# Status line, `Date` and whatever else uvicorn puts first stand before this; the Starlette lane
# makes the same bytes of `_lead_to` in redirector/http/app.py.
_LOCATION = "location: "
_REST = "\r\ncache-control: no-store\r\ncontent-length: 0\r\n\r\n"

# How the request line of every request ends that the express lane answers.
VERSION: Final = b" HTTP/1.1"

# Printable ASCII without the space and the number sign, which begins a fragment; and something in
# it that does not only stick to a pasted link. What is percent-encoded may be such.
_STUCK = {character for character in PRINTABLE if character in f"{STICKING}/"}
_MEANT = set(PRINTABLE) - _STUCK - {"#", "%"}
_QUERY = re.compile(
    '[{}]*[{}][!-"$-~]*'.format(
        *(re.escape("".join(sorted(each))) for each in (_STUCK, _MEANT))
    ).encode()
)


class PreparedRedirect:
    """What is written for a link, made once.

    Attributes:
        request_line: of the requests that are answered so, with the last slash and no query.
        campaign_id: whom the click counts for.
        headers: from `Location` to the end, for a request without a query.
    """

    __slots__ = ("_around_query", "campaign_id", "headers", "request_line")

    def __init__(self, link: Link, rules: Rules) -> None:
        path = f"GET /{link.organizer}/{link.event}/c/{link.code}/"
        destination = destination_of(link, rules)
        self.request_line = path.encode() + VERSION
        self.campaign_id = link.campaign_id
        self.headers = f"{_LOCATION}{destination.location}{_REST}".encode()
        self._around_query: tuple[bytes, bytes] | None = None
        if destination.around_query is not None:
            before, after = destination.around_query
            self._around_query = (f"{_LOCATION}{before}".encode(), f"{after}{_REST}".encode())

    def headers_with(self, query: bytes) -> bytes | None:
        """From `Location` to the end, for a request with this query.

        Returns:
            None when it holds what is not sent on as it is, would end the query, or might mean
            nothing.
        """
        if _QUERY.fullmatch(query) is None:
            return None
        if self._around_query is None:
            return self.headers
        before, after = self._around_query
        return before + query + after
