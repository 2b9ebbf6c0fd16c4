"""Tracking links: their paths, what sticks to them when they are pasted, and who leads to one."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from tracking.hosts import canonical_host
from tracking.urls import PRINTABLE, InvalidUrlError, shop_of

# The contract, "Campaigns": what a client may choose.
CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# The longest line of a request; longer paths are none.
_MAX_PATH = 8192
# A letter of a code, as it is or percent-encoded (RFC 3986, 6.2.2.2).
_LETTER = rb"(?:[A-Za-z0-9_-]|%(?:2[Dd]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]))"
_PATH = re.compile(rb"/([^/]+)/([^/]+)/c/((?:%b)++)(.*)" % _LETTER, re.DOTALL)
_SLUG = re.compile(r"[A-Za-z0-9._-]+")

# Opening quotes, which languages close with, and those that Unicode has in other categories.
_QUOTES = "\"'`\u00b4\u201a\u201e\u2032\u2033\u300c\u300d\u300e\u300f\u301d\u301e\u301f\uff02\uff07"
# Zero-width ones, marks of direction, soft hyphens and byte-order marks: messengers paste them.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\t-\r\x85]"
)


def _sticks(character: str) -> bool:
    """Whether it stays at a link that is taken out of a text (the contract, "Redirects")."""
    return (
        character in ".,;:!?)]}>\u2026"
        or character in _QUOTES
        or _INVISIBLE.match(character) is not None
        # Spaces of every width; opening and closing quotes.
        or unicodedata.category(character) in {"Zs", "Pi", "Pf"}
    )


STICKING: Final = "".join(filter(_sticks, map(chr, range(0x10000))))
"""Characters that stick to a link when it is pasted, beside slashes."""

_STUCK = re.compile(f"[/{re.escape(STICKING)}]*")
# Where a query begins behind a link that has no question mark: one that was encoded, or what joins
# the parameters of a query that is there.
_AMPERSAND = re.compile(rb"&|%26")
_QUESTION_MARK = re.compile(rb"%3[Ff]")
_ENCODED_JOINT = re.compile(rb"%(26|3[Dd])")


@dataclass(frozen=True, slots=True)
class LinkPath:
    """What the path of a tracking link names.

    Attributes:
        query: what stands behind the link where a question mark was meant, as it was sent.
    """

    organizer: str
    event: str
    code: str
    query: bytes = b""


@dataclass(frozen=True, slots=True)
class Link:
    """What a redirect needs of a campaign.

    Attributes:
        shop_url: the event's own ticket shop; "" = the setting `SHOP_URL`.
    """

    campaign_id: int
    organizer: str
    event: str
    code: str
    external_target: str
    shop_url: str


def parse_path(raw_path: bytes) -> LinkPath | None:
    """Reads `/<organizer>/<event>/c/<code>`, with any number of slashes behind it, or what sticks.

    Args:
        raw_path: as the client sent it. It is split before it is decoded, so that an encoded slash
            is none; encoded letters are the letters (RFC 3986, 6.2.2.2).

    Returns:
        None when no link can have this path.
    """
    match = _PATH.fullmatch(raw_path) if len(raw_path) <= _MAX_PATH else None
    if match is None:
        return None
    try:
        organizer, event, code = (
            unquote_to_bytes(part).decode("ascii") for part in match.group(1, 2, 3)
        )
    except UnicodeDecodeError:
        return None
    if not (_SLUG.fullmatch(organizer) and _SLUG.fullmatch(event) and CODE.fullmatch(code)):
        return None
    query = _query_in(match[4])
    return None if query is None else LinkPath(organizer, event, code, query)


def link_url(origin: str, organizer: str, event: str, code: str) -> str:
    """A campaign's link.

    Args:
        origin: what links begin with (`Settings.public_origin`).
    """
    return f"{origin}/{organizer}/{event}/c/{code}/"


def only_sticks(part: bytes) -> bool:
    """Whether this part of a URL means nothing: characters that stick to pasted links, encoded or
    not, and slashes."""
    if b"%2f" in part.lower():
        return False
    try:
        return _STUCK.fullmatch(unquote_to_bytes(part).decode()) is not None
    except UnicodeDecodeError:
        return False


def own_link(url: str, public_origin: str) -> LinkPath | None:
    """The tracking link of this server that a browser asks for when it is sent to the URL.

    Schemes are alike: who answers one mostly answers the other, or leads there.

    Args:
        url: absolute, or a path alone, which is one of this server's.
        public_origin: what this server's links begin with.

    Returns:
        None when it leads elsewhere. A link that is named need not exist.
    """
    if "/c/" not in url:
        return None
    try:
        parts = urlsplit(url)
        if parts.netloc and _authority(url) != _authority(public_origin):
            return None
    except ValueError:
        return None
    path = quote(parts.path, safe=PRINTABLE).encode()
    return parse_path(_without_dots(path))


def check_leads_away(target: str, public_origin: str) -> str:
    """Checks that a target is no tracking link of this server: each visit would count twice, and a
    link that leads to itself leads nowhere.

    Returns:
        The target to the letter.

    Raises:
        InvalidUrlError: it is one.
    """
    if own_link(target, public_origin) is not None:
        raise InvalidUrlError("This target is a tracking link itself.")
    return target


def target_of(link: Link, shop_url: str, public_origin: str) -> str:
    """Where a link leads: its own target, its event's shop or the shop of all, whichever is the
    first that is there and no tracking link of this server: a visit would count twice, or be led
    in circles.

    No such target is accepted any more; what is stored may be older, or `PUBLIC_URL` newer, or the
    operator's command was not told the redirector's settings.

    Args:
        shop_url: the setting `SHOP_URL`.
        public_origin: what this server's links begin with.

    Returns:
        A URL, or a path of the redirector's, whose page says that there is no shop.
    """
    shop_of_all = shop_of("", shop_url, link.organizer, link.event)
    for target in (link.external_target, link.shop_url, shop_of_all):
        if target and own_link(target, public_origin) is None:
            return target
    return f"/{link.organizer}/{link.event}/"


def _authority(url: str) -> tuple[str, int | None]:
    """Host and port; None = the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = None if parts.port == {"http": 80, "https": 443}.get(parts.scheme) else parts.port
    return canonical_host(f"[{host}]" if ":" in host else host), port


def _without_dots(path: bytes) -> bytes:
    """The path as a browser asks for it, without `.` and `..` (WHATWG URL, "path state")."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        dots = re.sub(rb"%2e", b".", segment, flags=re.IGNORECASE)
        if dots == b"..":
            if len(kept) > 1:
                kept.pop()
        elif dots != b".":
            kept.append(segment)
    return b"/".join(kept)


def _query_in(rest: bytes) -> bytes | None:
    """The query in what follows a code; None when no link goes on like that."""
    if rest in {b"", b"/"} or only_sticks(rest):
        return b""
    for separator in (_AMPERSAND, _QUESTION_MARK):
        found = separator.search(rest)
        if found is not None and only_sticks(rest[: found.start()]):
            query = rest[found.end() :]
            # Who encoded the first sign encoded those behind it too.
            return _ENCODED_JOINT.sub(_decoded, query) if found[0] != b"&" else query
    return None


def _decoded(joint: re.Match[bytes]) -> bytes:
    return b"&" if joint[1] == b"26" else b"="
