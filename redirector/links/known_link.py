"""A link as the redirector keeps it: what asks for it, and where it leads, as bytes."""

from typing import Final

from redirector.links.destination import Rules, destination_of
from tracking.links import Link, LinkPath

VERSION: Final = b" HTTP/1.1"
"""How the request line of every request ends that the express lane answers."""


class KnownLink:
    """A link in the cache. There may be a million of them: it holds no byte twice.

    Attributes:
        asked_for: whether it was of use again since it came, or was last passed over.
        campaign_id: whom its clicks count for.
        request_line: of a GET without a query, with the path's last slash.
        location: where that is led, printable ASCII.
    """

    __slots__ = ("_joint", "_query_at", "asked_for", "campaign_id", "location", "request_line")

    def __init__(self, link: Link, rules: Rules) -> None:
        destination = destination_of(link, rules)
        self.asked_for = False
        self.campaign_id = link.campaign_id
        self.request_line = _request_line(link.organizer, link.event, link.code)
        self.location = destination.location.encode()
        self._query_at = destination.query_at
        self._joint = destination.joint

    def is_at(self, path: LinkPath) -> bool:
        """Whether this is its path: a code is found whosever it is."""
        return self.request_line == _request_line(path.organizer, path.event, path.code)

    def location_with(self, query: bytes) -> bytes:
        """Where a request with this query is led.

        Args:
            query: printable ASCII without a number sign, not empty.
        """
        at = self._query_at
        if at is None:
            return self.location
        return self.location[:at] + self._joint + query + self.location[at:]


def _request_line(organizer: str, event: str, code: str) -> bytes:
    return f"GET /{organizer}/{event}/c/{code}/".encode() + VERSION
