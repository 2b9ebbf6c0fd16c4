"""Where a link leads."""

from dataclasses import dataclass

from tracking.links import Link, target_of
from tracking.urls import location_of


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that say where links lead.

    Attributes:
        public_origin: what links of this server begin with, without a slash at the end.
    """

    shop_url: str
    forward_query: bool
    public_origin: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a link leads, in printable ASCII.

    Attributes:
        location: where a request without a query is led.
        query_at: where in it a request's query goes; None: it is not forwarded.
        joint: what is put before the query there.
    """

    location: str
    query_at: int | None
    joint: bytes


def destination_of(link: Link, rules: Rules) -> Destination:
    """Where a link leads: its own target, its event's shop, or the shop of all.

    A request's query goes behind the target's own and before its fragment.
    """
    location = location_of(target_of(link, rules.shop_url, rules.public_origin))
    if not rules.forward_query:
        return Destination(location, None, b"")
    base, _, _ = location.partition("#")
    if "?" not in base:
        joint = b"?"
    elif base.endswith(("?", "&")):
        joint = b""
    else:
        joint = b"&"
    return Destination(location, len(base), joint)
