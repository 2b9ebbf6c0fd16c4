"""The decision: what a request for a link is answered, and what it counts as.

Pure: no clock, no network, no settings but the ones handed in. Whoever answers requests calls it.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from tracking.campaigns import Link
from tracking.clicks import Audience
from tracking.links import LinkPath, only_sticks, own_link
from tracking.urls import PRINTABLE, location_of, shop_of

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
class PrefetchRefusal:
    """An answer to a speculative request: when the person clicks, the browser asks again.

    Attributes:
        click: what to count before the answer.
    """

    click: Click


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that a decision depends on.

    Attributes:
        public_origin: what links of this server begin with, without a slash at the end.
    """

    shop_url: str
    forward_query: bool
    public_origin: str


def decide(
    request: LinkRequest, link: Link | None, rules: Rules
) -> Redirect | PrefetchRefusal | Refusal:
    """Decides about a request for a link (the contract, "Redirects", has the order).

    Args:
        link: what there is under the request's code, whosever it is.
    """
    if request.method not in READING_METHODS:
        return Refusal.METHOD_NOT_ALLOWED
    path = request.path
    if link is None or (link.organizer, link.event) != (path.organizer, path.event):
        return Refusal.NOT_FOUND
    click = Click(link.campaign_id, request.audience) if request.method == "GET" else None
    if click is not None and click.audience is Audience.PREFETCH:
        return PrefetchRefusal(click)
    destination = destination_of(link, rules)
    location = destination.location
    query = b"&".join(part for part in (path.query, request.query) if not only_sticks(part))
    if query and destination.around_query is not None:
        before, after = destination.around_query
        location = f"{before}{quote(query, safe=PRINTABLE)}{after}"
    return Redirect(location, click)


def destination_of(link: Link, rules: Rules) -> Destination:
    """Where a link leads: its own target, its event's shop, or the shop of all.

    A request's query goes behind the target's own and before its fragment.
    """
    location = location_of(_target_of(link, rules))
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


def _target_of(link: Link, rules: Rules) -> str:
    """The first of a link's targets that is no tracking link of this server: a visit would count
    twice, or be led in circles.

    No such target is accepted any more; what is stored may be older, or `PUBLIC_URL` newer, or the
    operator's command was not told the redirector's settings.
    """
    shop_of_all = shop_of("", rules.shop_url, link.organizer, link.event)
    for target in (link.external_target, link.shop_url, shop_of_all):
        if target and own_link(target, rules.public_origin) is None:
            return target
    return f"/{link.organizer}/{link.event}/"
