"""Which URLs a visitor may be sent to."""

import re
from contextlib import suppress
from typing import Final
from urllib.parse import quote, urlsplit

from tracking.errors import WaymarkError
from tracking.hosts import ascii_host

MAX_LENGTH = 2048

# What may stand in a Location as it is: printable ASCII (RFC 3986 allows less; what a client stored
# or sent is passed on to the letter).
PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))

# C0 and C1 controls, white space of any kind, line and paragraph separators, lone surrogates, and
# the backslash, which browsers read as a slash (WHATWG URL, "special" schemes).
_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000\ud800-\udfff\ufeff\\]"
)
# A URL that `check_target` accepts, in the parts that matter to where it leads.
_ABSOLUTE = re.compile(r"([Hh][Tt][Tt][Pp][Ss]?://)(\[[^\]]*\]|[^/?#:@\[\]]+)(.*)", re.DOTALL)


class InvalidUrlError(WaymarkError, ValueError):
    """Not a URL that Waymark redirects to; the text says why."""


def check_target(value: str) -> str:
    """Checks the target of a redirect: an absolute http or https URL with a host.

    Returns:
        The value to the letter.

    Raises:
        InvalidUrlError: another scheme, no host, one without an ASCII form, credentials, control
            characters, spaces, or more than 2048 characters (the contract, "Campaigns").
    """
    if len(value) > MAX_LENGTH:
        raise InvalidUrlError(f"Ensure this field has no more than {MAX_LENGTH} characters.")
    if has_forbidden_characters(value):
        raise InvalidUrlError("A URL must not hold spaces, control characters or backslashes.")
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise InvalidUrlError("Enter a valid URL.") from None
    if url.scheme not in {"http", "https"} or not value.lower().startswith(f"{url.scheme}://"):
        raise InvalidUrlError("Enter a valid URL: it must start with http:// or https://.")
    if "@" in url.netloc:
        raise InvalidUrlError("A URL must not hold credentials.")
    parts = _ABSOLUTE.fullmatch(value)
    if parts is None or port == 0 or not _is_host(parts[2]):
        raise InvalidUrlError("Enter a valid URL: the host is missing or wrong.")
    return value


def location_of(target: str) -> str:
    """The target as a `Location` header says it: its host in ASCII, the rest percent-encoded.

    RFC 3986 has no other characters; libraries look up a host as it stands there. What is printable
    ASCII is not touched. A host without an ASCII form, which was stored when such were accepted, is
    percent-encoded too.
    """
    parts = _ABSOLUTE.fullmatch(target)
    if parts is not None and not parts[2].isascii():
        with suppress(ValueError):
            target = f"{parts[1]}{ascii_host(parts[2])}{parts[3]}"
    return quote(target, safe=PRINTABLE)


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
    try:
        ascii_host(host)
    except ValueError:
        return False
    return True
