"""Which User-Agents are crawlers' and link previews': the library's list, corrected by our own.

The library, `crawler-user-agents`, has 1,500 regular expressions, and to search them all takes a
millisecond. Nearly all of a User-Agent's can be ruled out at once: each expression needs some three
characters in a row, which are looked up.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

# An attacker's User-Agent must not cost more than a browser's, which has 100 to 250 characters.
_MAX_LENGTH = 512
_CACHED_VERDICTS = 4096

_GRAM: Final = 3

# What every browser says, so that nothing is looked for by it.
_COMMON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/ "
    "Safari/537.36 Edg/ OPR/ Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
    "Version/ Mobile/15E148 Safari/604.1 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
    "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 (Linux; Android 10; K) "
    "Mobile Safari/537.36 SamsungBrowser/ CriOS/ FxiOS/ GSA/ Electron/ (Linux; Android 14; ; wv)"
)

# How a whole browser's User-Agent begins; a crawler's has no system, or says that it is compatible.
_BROWSER = (
    r"Mozilla/5\.0 \((?:Windows NT|Macintosh|X11|Linux|Android|iPhone|iPad)[^()]*\) AppleWebKit/"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """What the library has not, or has wrong.

    Attributes:
        pattern: a regular expression that finds crawlers; None = there are none.
        reason: why it is here.
        replaces: the library's own pattern that it stands for; None = it has none.
        crawlers: User-Agents that it finds.
        people: those that the replaced pattern takes for crawlers.
    """

    pattern: str | None
    reason: str
    replaces: str | None = None
    crawlers: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


def _in_app(name: str, app: str, crawler: str, *people: str) -> Correction:
    """For a name that an app's server says alone, and the app's own browser behind a browser's."""
    return Correction(
        rf"^(?!{_BROWSER}).*{name}",
        f"a browser in {app}: whoever clicks there is a person",
        replaces=name,
        crawlers=(crawler,),
        people=people,
    )


_DESKTOP = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Mobile/15E148 "
)

CORRECTIONS: Final = (
    Correction(
        r"Bluesky Cardyb/",
        "Bluesky's server makes a link's card",
        crawlers=(
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
                "Bluesky Cardyb/1.1; +mailto:support@bsky.app) Chrome/W.X.Y.Z Safari/537.36"
            ),
        ),
    ),
    Correction(
        r"^web:app\.bsky:",
        "Bluesky's app makes a link's card",
        crawlers=("web:app.bsky:v0.0.1",),
    ),
    Correction(
        r"^Microsoft Office (?:Existence|Protocol) Discovery",
        "Office looks whether a link is a document on a server, before the browser is opened",
        crawlers=("Microsoft Office Existence Discovery", "Microsoft Office Protocol Discovery"),
    ),
    Correction(
        r"\(compatible; ms-office; MSOffice",
        "Office follows a link itself before the browser is opened, which follows it again",
        crawlers=("Mozilla/4.0 (compatible; ms-office; MSOffice 16)",),
    ),
    Correction(
        r"^kakaotalk-scrap/",
        "KakaoTalk's server makes a link's preview",
        crawlers=("kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",),
    ),
    Correction(
        r"^Summaly/",
        "Misskey's servers make a link's preview",
        crawlers=("Summaly/5.1.0 (+https://github.com/misskey-dev/summaly)",),
    ),
    Correction(
        r"ZulipURLPreview/",
        "Zulip's servers make a link's preview",
        crawlers=("Mozilla/5.0 (compatible; ZulipURLPreview/9.0; +https://chat.example)",),
    ),
    Correction(
        r"Nextcloud Server Crawler",
        "Nextcloud Talk's and Deck's servers make a link's preview",
        crawlers=("Nextcloud Server Crawler",),
    ),
    Correction(
        None,
        "the build of Android 15 on many phones; the library's own example is Instagram's browser",
        replaces=r"AP3A\.240617\.008",
        people=(
            (
                "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) "
                "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.142 Mobile "
                "Safari/537.36"
            ),
        ),
    ),
    Correction(
        r"RankSonic|[ /]Sonic/",
        "the browser in Slack's app says Sonic, without a version",
        replaces="Sonic",
        crawlers=("Mozilla/5.0 (compatible; RankSonicSiteAuditor/1.0)",),
        people=(
            f"{_DESKTOP}Chrome/126.0.6478.114 Electron/31.1.0 Safari/537.36 Sonic Slack_SSB/4.39",
        ),
    ),
    _in_app(
        "WhatsApp",
        "WhatsApp's app",
        "WhatsApp/2.23.20.0 A",
        f"{_DESKTOP}Chrome/124.0.6367.243 Safari/537.36 WhatsApp/2.2428.0 Electron/30.1",
        f"{_PHONE}WhatsApp/24.12.78",
    ),
    _in_app(
        "Viber",
        "Viber's app",
        "Viber",
        f"{_DESKTOP}Chrome/87.0.4280.144 Safari/537.36 Viber/12.2",
    ),
    _in_app(
        r"Notion\/",
        "Notion's app",
        "Notion/1.0 (https://notion.so; team@makenotion.com)",
        f"{_DESKTOP}Notion/3.9.0 Chrome/124.0.6367.243 Electron/30.0.9 Safari/537.36",
    ),
    _in_app(
        r"Asana\/",
        "Asana's app",
        "Asana/1.4.0 WebsiteMetadataRetriever",
        f"{_DESKTOP}Asana/2.2.0 Chrome/120.0 Electron/28.0.0 Safari/537.36",
    ),
    _in_app(r"Bluesky\/", "Bluesky's app", "Bluesky/1.1", f"{_PHONE}Bluesky/1.88.0"),
    _in_app(r"Tumblr\/", "Tumblr's app", "Tumblr/14.0.835.186", f"{_PHONE}Tumblr/34.5"),
    _in_app(
        r"PayPal\/",
        "PayPal's app",
        "PayPal/AUHR-214.0-51787073PayPal IPN ( https://www.paypal.com/ipn )",
        f"{_PHONE}PayPal/8.63",
    ),
    _in_app(
        r"Instapaper\/",
        "Instapaper's app",
        "Instapaper/4.0Instaparser/1.0",
        f"{_PHONE}Instapaper/9.0",
    ),
)


def is_crawler(user_agent: str) -> bool:
    """Whether the User-Agent is a crawler's or a link preview's."""
    return _is_crawler(user_agent[:_MAX_LENGTH])


@lru_cache(maxsize=_CACHED_VERDICTS)
def _is_crawler(text: str) -> bool:
    grams = {text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1)}
    needles = grams & _INDEX.keys()
    return any(_compiled(pattern).search(text) for gram in needles for pattern in _INDEX[gram])


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """One of some thousands at most. To compile them all at the start would take longer than all
    else that is done then."""
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


# A regular expression's parts: a literal character, maybe escaped, with what repeats it; a class; a
# group without groups in it; an alternative; and what says nothing of characters.
_PART = re.compile(
    r"(?:(?P<literal>[^\\\[\](){}.*+?^$|]|\\[^A-Za-z0-9])|(?P<class>\[\^?\]?[^\]]*\]|\\[dDwWsSbB]|\.)"
    r"|(?P<group>\((?:[^()\\\[]|\\.|\[[^\]]*\]|\((?:[^()\\\[]|\\.|\[[^\]]*\])*\))*\))|(?P<or>\|)|[\^$])"
    r"(?P<repeat>[*+?]\??|\{[0-9,]*\})?"
)


def _runs(pattern: str) -> Iterator[list[str]]:
    """The runs of literal characters that each alternative of a regular expression needs.

    What it does not understand it leaves out, but for what is no expression at all.
    """
    runs = [""]
    at = 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            raise ValueError(f"{pattern!r} is not understood at {at}")
        at = part.end()
        if part["or"]:
            yield runs
            runs = [""]
        elif part["literal"] and not part["repeat"]:
            runs[-1] += part["literal"].removeprefix("\\")
        else:
            runs.append("")
    yield runs


def _grams(text: str) -> Iterator[str]:
    return (text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1))


def index_of(expressions: Iterable[str]) -> dict[str, list[str]]:
    """The regular expressions by three characters that must be there for them to be found.

    The rarest are chosen: none that browsers say, and those that few of the others need.

    Raises:
        ValueError: one needs no three characters, or is not understood.
    """
    needed = [
        (expression, [gram for run in runs for gram in _grams(run)])
        for expression in expressions
        for runs in _runs(expression)
    ]
    frequency = Counter(gram for _, grams in needed for gram in set(grams))
    for gram in _grams(_COMMON):
        frequency[gram] += 1_000_000
    index: dict[str, list[str]] = {}
    for expression, grams in needed:
        if not grams:
            raise ValueError(f"{expression!r} needs no {_GRAM} characters")
        index.setdefault(min(grams, key=frequency.__getitem__), []).append(expression)
    return index


_INDEX: Final = index_of(patterns())
