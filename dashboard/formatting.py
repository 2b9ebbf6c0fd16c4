"""How numbers, times and addresses are written for people."""

from collections.abc import Callable
from typing import Final

from dashboard.access import csrf
from dashboard.addresses import event_address, settings_address


def number(value: float) -> str:
    """A number with commas between its thousands: `2,572`."""
    return f"{value:,}"


def without_scheme(url: str) -> str:
    """An address as people read it: `go.example/acme/fest/c/insta`."""
    return url.partition("://")[2].removesuffix("/") or url


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "address": event_address,
    "csrf_token": csrf.token,
    "number": number,
    "settings_address": settings_address,
    "without_scheme": without_scheme,
}
"""By their names in templates."""
