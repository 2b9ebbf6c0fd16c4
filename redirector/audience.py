"""Who is asking: a person, a crawler, or a browser that only looks ahead."""

import re
from collections.abc import Mapping
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
_PREFETCH: Final = re.compile(r"prefetch|prerender", re.IGNORECASE)
_PURPOSE_HEADERS: Final = ("sec-purpose", "purpose", "x-moz")

# What the verdict depends on.
AUDIENCE_HEADERS: Final = ("user-agent", *_PURPOSE_HEADERS)


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


def audience_of(headers: Mapping[str, str]) -> Audience:
    """Who is asking, by the request's headers (looked up in lower case)."""
    user_agent = headers.get("user-agent")
    if user_agent is not None and is_crawler(user_agent):
        return Audience.BOT
    for name in _PURPOSE_HEADERS:
        purpose = headers.get(name)
        if purpose is not None and _PREFETCH.search(purpose):
            return Audience.PREFETCH
    return Audience.HUMAN
