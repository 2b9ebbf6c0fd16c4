"""The scheme and host that a client asked, for links that work from where it is."""

import re
from ipaddress import ip_address

from starlette.requests import Request

from api.state import settings_of
from tracking.settings import Networks

_SCHEME = re.compile("https?")
# A name, an IPv4 address or an IPv6 address in brackets, and maybe a port. Anything else that a
# client sends as Host is not put into a link.
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def origin(request: Request) -> str:
    """What a link to this server begins with, like `https://api.example`.

    A proxy that the setting `TRUSTED_PROXIES` names says what it was asked itself. Nobody else is
    believed: who could choose the host might get others' links, kept by a cache, to lead to it.
    """
    scheme, host = None, None
    if _is_trusted(request, settings_of(request).trusted_proxies or ()):
        scheme = _only(request, "x-forwarded-proto", _SCHEME)
        host = _only(request, "x-forwarded-host", _HOST)
    scheme = scheme or request.scope["scheme"]
    host = host or _only(request, "host", _HOST) or _own_host(request)
    return f"{scheme}://{host}"


def _is_trusted(request: Request, proxies: Networks) -> bool:
    if request.client is None:
        return False
    peer = ip_address(request.client.host)
    # How an IPv4 client looks to a socket that listens on IPv6.
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in proxies)


def _only(request: Request, name: str, form: re.Pattern[str]) -> str | None:
    """A header's value when it comes once and has the form.

    A list would be of several proxies, or of a client and a proxy: nobody knows which is right.
    """
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 and form.fullmatch(values[0]) else None


def _own_host(request: Request) -> str:
    name, port = request.scope["server"]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
