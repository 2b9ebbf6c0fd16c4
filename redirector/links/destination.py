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
        around_query: what stands before and after a request's query; None: it is not forwarded.
    """

    location: str
    around_query: tuple[str, str] | None


def destination_of(link: Link, rules: Rules) -> Destination:
    """Where a link leads: its own target, its event's shop, or the shop of all.

    A request's query goes behind the target's own and before its fragment.
    """
    location = location_of(target_of(link, rules.shop_url, rules.public_origin))
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
