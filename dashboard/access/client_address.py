"""From which address a request comes, behind proxies that are trusted to say so."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request

from dashboard.state import settings_of


def client_address(request: Request) -> str:
    """The peer's address, or the last one in `X-Forwarded-For` that no trusted proxy has.

    What stands before it may be made up by the client.
    """
    proxies = settings_of(request).trusted_proxies or ()
    peer = request.client.host if request.client else ""
    named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for address in reversed([*(each.strip() for each in named if each.strip()), peer]):
        parsed = _parse(address)
        if parsed is None:
            return peer
        peer = str(parsed)
        if not any(parsed in network for network in proxies):
            return peer
    return peer


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # How an IPv4 client looks to a socket that listens on IPv6.
    return getattr(parsed, "ipv4_mapped", None) or parsed
