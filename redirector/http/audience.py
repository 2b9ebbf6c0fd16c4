"""Who is asking: a person, a crawler, a page, or a browser that prefetches."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from redirector.http.crawlers import is_crawler
from tracking.clicks import Audience

_SPECULATIVE: Final = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# Chromium's and Firefox's of today, Safari's, Facebook's and older ones.
_PURPOSE_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")

AUDIENCE_HEADERS: Final = (
    *("user-agent", *_PURPOSE_HEADERS),
    *("sec-fetch-dest", "sec-fetch-mode", "sec-fetch-user"),
)
"""What the verdict depends on."""


def audience_of(fields: Iterable[tuple[str, str]]) -> Audience:
    """Who is asking (the contract, "Redirects", has the order of the questions).

    Args:
        fields: the request's, their names in small letters. Of one that is there twice the first
            counts, but a purpose that is told anywhere is told.
    """
    told: dict[str, str] = {}
    for name, value in fields:
        if name in _PURPOSE_HEADERS and _SPECULATIVE.search(value):
            return Audience.PREFETCH
        told.setdefault(name, value)
    user_agent = told.get("user-agent")
    if user_agent is not None and is_crawler(user_agent):
        return Audience.BOT
    return Audience.EMBEDDED if _is_embedded(told) else Audience.HUMAN


def _is_embedded(told: Mapping[str, str]) -> bool:
    """Whether a page asks for a part of itself (W3C, Fetch Metadata Request Headers).

    Whoever clicks a link in a frame is a person. An empty field says nothing.
    """
    destination = told.get("sec-fetch-dest", "").strip().lower()
    if destination in {"", "document"} or told.get("sec-fetch-user", "").strip() == "?1":
        return False
    # A navigation that a service worker passes on has this destination, a frame's too, which counts
    # as a person's rather than lose those. A page's own fetch() can't have the mode (WHATWG Fetch,
    # the constructor of `Request`).
    return destination != "empty" or told.get("sec-fetch-mode", "").strip().lower() != "navigate"
