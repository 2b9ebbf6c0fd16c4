"""The decision: what a request for a link is answered, and what it counts as.

Pure: no clock, no network, no settings but the ones handed in. Whoever answers requests calls it.
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote_to_bytes

from tracking.campaigns import CODE, Link
from tracking.clicks import Audience
from tracking.urls import shop_of

READING_METHODS = ("GET", "HEAD")

# Two slugs of 50 characters, a code of 64, and every character of them percent-encoded, fit.
_MAX_PATH = 600
_PATH = re.compile(rb"/([^/]+)/([^/]+)/c/([^/]+)/?")
_SLUG = re.compile(r"[A-Za-z0-9._-]+")

# What may stand in a Location as it is: printable ASCII (RFC 3986 allows less; what a client stored
# or sent is passed on to the letter).
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class LinkPath:
    """What the path of a tracking link names."""

    organizer: str
    event: str
    code: str


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


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a link leads, in printable ASCII.

    Attributes:
        location: where a request without a query is led.
        around_query: what stands before and after a request's query; None: it is not forwarded.
    """

    location: str
    around_query: tuple[str, str] | None


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
class Rules:
    """The settings that a decision depends on."""

    shop_url: str
    forward_query: bool


def parse_path(raw_path: bytes) -> LinkPath | None:
    """Reads `/<organizer>/<event>/c/<code>`, with or without the last slash.

    Args:
        raw_path: as the client sent it. It is split before it is decoded, so that an encoded slash
            is none; encoded letters are the letters (RFC 3986, 6.2.2.2).

    Returns:
        None when no link can have this path.
    """
    if len(raw_path) > _MAX_PATH:
        return None
    match = _PATH.fullmatch(raw_path)
    if match is None:
        return None
    try:
        organizer, event, code = (unquote_to_bytes(part).decode("ascii") for part in match.groups())
    except UnicodeDecodeError:
        return None
    if not (_SLUG.fullmatch(organizer) and _SLUG.fullmatch(event) and CODE.fullmatch(code)):
        return None
    return LinkPath(organizer, event, code)


def decide(request: LinkRequest, link: Link | None, rules: Rules) -> Redirect | Refusal:
    """Decides about a request for a link (the contract, "Redirects").

    Args:
        link: what there is under the request's code, whosever it is.
    """
    if request.method not in READING_METHODS:
        return Refusal.METHOD_NOT_ALLOWED
    path = request.path
    if link is None or (link.organizer, link.event) != (path.organizer, path.event):
        return Refusal.NOT_FOUND
    destination = destination_of(link, rules)
    location = destination.location
    if request.query and destination.around_query is not None:
        before, after = destination.around_query
        location = f"{before}{quote(request.query, safe=PRINTABLE)}{after}"
    counts = request.method == "GET"
    return Redirect(location, Click(link.campaign_id, request.audience) if counts else None)


def destination_of(link: Link, rules: Rules) -> Destination:
    """Where a link leads: its own target, its event's shop, or the shop of all.

    A request's query goes behind the target's own and before its fragment.
    """
    target = link.external_target or shop_of(
        link.shop_url, rules.shop_url, link.organizer, link.event
    )
    location = quote(target, safe=PRINTABLE)
    if not rules.forward_query:
        return Destination(location, None)
    base, hash_, fragment = location.partition("#")
    if "?" not in base:
        joint = "?"
    elif base.endswith(("?", "&")):
        joint = ""
    else:
        joint = "&"
    return Destination(location, (base + joint, hash_ + fragment))
