"""Who is asking: a person, a crawler, or a browser that only looks ahead."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from tracking.clicks import Audience

# The library's regular expressions are searched in what a browser or crawler sends; those of
# browsers have 100 to 250 characters, and an attacker's must not cost more.
_MAX_LENGTH = 512
_CACHED_VERDICTS = 4096

# Alternatives of 25, as one of all 1,500 is slower to search.
_CHUNK = 25
_SPECULATIVE: Final = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# Chromium's and Firefox's of today, Safari's, Facebook's and older ones.
_PURPOSE_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")

AUDIENCE_HEADERS: Final = ("user-agent", *_PURPOSE_HEADERS, "sec-fetch-dest", "sec-fetch-user")
"""What the verdict depends on."""


def _patterns() -> list[re.Pattern[str]]:
    """Crawlers and link previews; tools and libraries (curl, a load test) click on purpose."""
    sources = [
        entry["pattern"]
        for entry in CRAWLER_USER_AGENTS_DATA
        if "http-library" not in entry.get("tags", ())
    ]
    return [
        re.compile("|".join(sources[start : start + _CHUNK]))
        for start in range(0, len(sources), _CHUNK)
    ]


_CRAWLERS: Final = _patterns()


def is_crawler(user_agent: str) -> bool:
    """Whether the User-Agent is a crawler's or a link preview's, by `crawler-user-agents`."""
    return _is_crawler(user_agent[:_MAX_LENGTH])


@lru_cache(maxsize=_CACHED_VERDICTS)
def _is_crawler(text: str) -> bool:
    return any(pattern.search(text) for pattern in _CRAWLERS)


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
    return destination not in {"", "document"} and told.get("sec-fetch-user", "").strip() != "?1"
