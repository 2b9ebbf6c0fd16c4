"""The decision: what a request for a link is answered, and what it counts as.

Pure: no clock, no network, no settings but the ones handed in. Whoever answers requests calls it.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from redirector.links.known_link import KnownLink
from tracking.clicks import Audience
from tracking.links import LinkPath, only_sticks
from tracking.urls import PRINTABLE

READING_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A request for a link.

    Attributes:
        query: the query string as it was sent, without the question mark.
    """

    method: str
    path: LinkPath
    query: bytes
    audience: Audience


class Refusal(Enum):
    """Why a request for a link is not redirected, and the HTTP status that says so."""

    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405


@dataclass(frozen=True, slots=True)
class Click:
    """What is counted."""

    campaign_id: int
    audience: Audience


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that leads on.

    Attributes:
        location: the `Location` header's value, printable ASCII.
        click: what to count before the answer; None for HEAD.
    """

    location: str
    click: Click | None


@dataclass(frozen=True, slots=True)
class PrefetchRefusal:
    """An answer to a speculative request: when the person clicks, the browser asks again.

    Attributes:
        click: what to count before the answer.
    """

    click: Click


def decide(request: LinkRequest, link: KnownLink | None) -> Redirect | PrefetchRefusal | Refusal:
    """Decides about a request for a link (the contract, "Redirects", has the order).

    Args:
        link: what there is under the request's code, whosever it is.
    """
    if request.method not in READING_METHODS:
        return Refusal.METHOD_NOT_ALLOWED
    path = request.path
    if link is None or not link.is_at(path):
        return Refusal.NOT_FOUND
    click = Click(link.campaign_id, request.audience) if request.method == "GET" else None
    if click is not None and click.audience is Audience.PREFETCH:
        return PrefetchRefusal(click)
    location = link.location
    query = b"&".join(part for part in (path.query, request.query) if not only_sticks(part))
    if query:
        location = link.location_with(quote(query, safe=PRINTABLE).encode())
    return Redirect(location.decode(), click)
