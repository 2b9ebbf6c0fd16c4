"""Which User-Agents are crawlers' and link previews': the library's list, corrected by our own.

The library, `crawler-user-agents`, has 1,500 regular expressions, and to search them all takes a
millisecond: only those are that the index leaves.
"""

import re
from functools import cache, lru_cache
from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from redirector.http.crawler_corrections import CORRECTIONS
from redirector.http.pattern_index import grams, index_of

# An attacker's User-Agent must not cost more than a browser's, which has 100 to 250 characters.
_MAX_LENGTH = 512
_CACHED_VERDICTS = 4096

# What browsers say.
_COMMON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/ "
    "Safari/537.36 Edg/ OPR/ Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
    "Version/ Mobile/15E148 Safari/604.1 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
    "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 (Linux; Android 10; K) "
    "Mobile Safari/537.36 SamsungBrowser/ CriOS/ FxiOS/ GSA/ Electron/ (Linux; Android 14; ; wv)"
)


def is_crawler(user_agent: str) -> bool:
    """Whether the User-Agent is a crawler's or a link preview's."""
    return _is_crawler(user_agent[:_MAX_LENGTH])


@lru_cache(maxsize=_CACHED_VERDICTS)
def _is_crawler(text: str) -> bool:
    found = _INDEX.keys() & grams(text)
    return any(_compiled(pattern).search(text) for gram in found for pattern in _INDEX[gram])


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Only when it is needed: to compile them all would take longer than all else at the start.
    return re.compile(pattern)


def patterns() -> list[str]:
    """The regular expressions, one of which is found in a crawler's User-Agent.

    Tools and libraries (curl, a load test) click on purpose.
    """
    replaced = {correction.replaces for correction in CORRECTIONS}
    librarys = [
        entry["pattern"]
        for entry in CRAWLER_USER_AGENTS_DATA
        if "http-library" not in entry.get("tags", ()) and entry["pattern"] not in replaced
    ]
    return librarys + [found.pattern for found in CORRECTIONS if found.pattern is not None]


_INDEX: Final = index_of(patterns(), _COMMON)
