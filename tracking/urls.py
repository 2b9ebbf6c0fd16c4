"""Which URLs a visitor may be sent to."""

import re
from urllib.parse import urlsplit

from tracking.errors import WaymarkError

MAX_LENGTH = 2048

# C0 and C1 controls, white space of any kind, line and paragraph separators, lone surrogates, and
# the backslash, which browsers read as a slash (WHATWG URL, "special" schemes).
_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000\ud800-\udfff\ufeff\\]"
)
# ASCII characters that no host name holds (WHATWG URL, "forbidden domain code points", and more).
_NO_HOST = re.compile(r"[^\w\-\x80-\U0010ffff]", re.ASCII)


class InvalidUrlError(WaymarkError, ValueError):
    """Not a URL that Waymark redirects to; the text says why."""


def check_target(value: str) -> str:
    """Checks the target of a redirect: an absolute http or https URL with a host.

    Returns:
        The value to the letter.

    Raises:
        InvalidUrlError: another scheme, no host, credentials, control characters, spaces, or more
            than 2048 characters (the contract, "Campaigns").
    """
    if len(value) > MAX_LENGTH:
        raise InvalidUrlError(f"Ensure this field has no more than {MAX_LENGTH} characters.")
    if has_forbidden_characters(value):
        raise InvalidUrlError("A URL must not hold spaces, control characters or backslashes.")
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        raise InvalidUrlError("Enter a valid URL.") from None
    if url.scheme not in {"http", "https"} or not value.lower().startswith(f"{url.scheme}://"):
        raise InvalidUrlError("Enter a valid URL: it must start with http:// or https://.")
    if not host or port == 0 or not _is_host(host):
        raise InvalidUrlError("Enter a valid URL: the host is missing or wrong.")
    if "@" in url.netloc:
        raise InvalidUrlError("A URL must not hold credentials.")
    return value


def shop_of(own: str, default: str, organizer: str, event: str) -> str:
    """Where an event's tickets are sold: its own shop, or the setting `SHOP_URL` filled in."""
    return own or default.format(organizer=organizer, event=event)


def http_origin(host: str, port: int) -> str:
    """The URL of a server without a path: an IPv6 address in brackets (RFC 3986, 3.2.2), its zone's
    percent sign as `%25` (RFC 6874), and no port where it is 80."""
    netloc = f"[{host.replace('%', '%25')}]" if ":" in host else host
    return f"http://{netloc}" if port == 80 else f"http://{netloc}:{port}"


def has_forbidden_characters(value: str) -> bool:
    """Whether there is a space, a control character or a backslash in it."""
    return _FORBIDDEN.search(value) is not None


def _is_host(host: str) -> bool:
    """Whether a browser could look it up: no empty labels, none of the URL's own delimiters."""
    if ":" in host:  # an IPv6 address, whose brackets urlsplit has checked and taken off
        return True
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= 63 and not _NO_HOST.search(label) for label in labels)
