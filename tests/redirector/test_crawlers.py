"""Crawlers: the library's verdict, corrected where it is wrong, and faster."""

import re
import time
from functools import cache

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given, settings
from hypothesis import strategies as st

from redirector.http.crawler_corrections import CORRECTIONS, Correction
from redirector.http.crawlers import _is_crawler, is_crawler, patterns

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko)"
)
PEOPLE = (
    "",
    "curl/8.5.0",
    "python-httpx/0.28.1",
    f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36",
    f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 OPR/111.0.0.0",
    f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.44",
    f"{WINDOWS} Chrome/120.0.0.0 Whale/3.24.223.21 Safari/537.36",
    f"{WINDOWS} Teams/24152.412.2958.916 Chrome/126 Edg/126 Safari/537.36",
    f"{WINDOWS} discord/1.0.9154 Chrome/120.0.6099.291 Electron/28.2.10 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Windows NT 10.0; rv:115.0) Gecko/20100101 Goanna/6.7 PaleMoon/33.2.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; ms-office; Microsoft Outlook 16.0.1)",
    (
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Safari/605.1.15"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
        "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; CUBOT_X70) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Linux; U; Android 9; de-de; KFONWI Build/PS7312) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Silk/126.3.1 like Chrome/126.0.6478.122 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) "
        "SamsungBrowser/4.0 Chrome/94.0.4606.31 TV Safari/537.36"
    ),
    "Opera/9.80 (Android; Opera Mini/79.0.2254/191.303; U; de) Presto/2.12.423 Version/12.16",
    f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1",
    f"{IPHONE} CriOS/126.0.6478.108 Mobile/15E148 Safari/604.1",
    f"{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
    f"{IPHONE} GSA/322.0.647096207 Mobile/15E148 Safari/604.1",
    f"{IPHONE} Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
    f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.35.109;FBDV/iPhone14,5;FBLC/de_DE]",
    f"{IPHONE} Mobile/15E148 Instagram 336.0.8.22.99 (iPhone14,5; iOS 17_5_1; de_DE; scale=3.00)",
    f"{IPHONE} Mobile/15E148 [LinkedInApp]/9.29.8963",
    f"{IPHONE} Mobile/15E148 [Pinterest/iOS]",
    f"{IPHONE} Mobile/15E148 Twitter for iPhone/10.46",
    f"{IPHONE} Mobile/15E148 Snapchat/12.95.0.44 (like Safari/8618.2.12.10.9, panda)",
    f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003133) NetType/WIFI Language/zh_CN",
    f"{IPHONE} Mobile/15E148 musical_ly_35.2.0 BytedanceWebview/d8a21c6",
    f"{IPHONE} Mobile/15E148 Line/14.9.1",
    f"{ANDROID} [FB_IAB/FB4A;FBAV/470.0.0.40.81;]",
    f"{ANDROID} Instagram 336.0.0.35.90 Android (34/14; 480dpi; 1080x2340; samsung; de_DE)",
    f"{ANDROID} KAKAOTALK/10.8.1 (INAPP)",
    f"{ANDROID} GoogleApp/15.23.38.28.arm64",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23.20.0",
    "Viber",
    f"{WINDOWS.replace('Chrome', 'HeadlessChrome')} HeadlessChrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) WhatsApp/2.24 (compatible; Googlebot/2)",
)


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_people(user_agent: str) -> None:
    """Browsers, apps with a browser in them, tools."""
    assert not is_crawler(user_agent)


@pytest.mark.parametrize("user_agent", CRAWLERS)
def test_crawlers(user_agent: str) -> None:
    """Search engines, previews, and whatever runs without a screen."""
    assert is_crawler(user_agent)


@cache
def librarys() -> list[tuple[str, re.Pattern[str], list[str]]]:
    """The library's patterns, without those of tools, with their examples."""
    return [
        (entry["pattern"], re.compile(entry["pattern"]), entry["instances"])
        for entry in CRAWLER_USER_AGENTS_DATA
        if "http-library" not in entry.get("tags", ())
    ]


def library_says(user_agent: str) -> bool:
    """The library's verdict."""
    return any(pattern.search(user_agent[:512]) for _, pattern, _ in librarys())


def test_the_library_s_own_examples() -> None:
    """Each gets the library's verdict, but for those that a correction says are people's."""
    replaced = {correction.replaces for correction in CORRECTIONS if correction.pattern is None}
    different = [
        example
        for entry in CRAWLER_USER_AGENTS_DATA
        for example in entry["instances"]
        if entry["pattern"] not in replaced and is_crawler(example) != library_says(example)
    ]
    assert different == []


@given(st.sampled_from(patterns()).flatmap(st.from_regex))
@settings(max_examples=300, deadline=None)
def test_whatever_a_pattern_finds_is_found(user_agent: str) -> None:
    """The index leaves out no pattern that would have been found."""
    if len(user_agent) <= 512:
        assert is_crawler(user_agent)


NAMES = [correction.reason for correction in CORRECTIONS]


@pytest.mark.parametrize("correction", CORRECTIONS, ids=NAMES)
def test_corrections_hold(correction: Correction) -> None:
    """A correction's crawlers are crawlers, its people are people."""
    assert correction.crawlers or correction.people
    for user_agent in correction.crawlers:
        assert is_crawler(user_agent), user_agent
    for user_agent in correction.people:
        assert not is_crawler(user_agent), user_agent


@pytest.mark.parametrize("correction", CORRECTIONS, ids=NAMES)
def test_the_library_has_not_caught_up(correction: Correction) -> None:
    """When it has, the correction goes: this test is to fail with the release that has it."""
    if correction.replaces is None:
        known = [user_agent for user_agent in correction.crawlers if library_says(user_agent)]
        assert known == [], "the library knows these crawlers now: drop the correction"
    else:
        assert correction.replaces in {name for name, _, _ in librarys()}, "it is gone: drop this"
        mistaken = [user_agent for user_agent in correction.people if library_says(user_agent)]
        assert mistaken == list(correction.people), "the library knows these people: drop this"


@pytest.mark.benchmark
def test_what_a_new_user_agent_costs() -> None:
    """Prints what a User-Agent costs that was never seen, by the library's search and by ours."""
    unseen = [
        f"{WINDOWS} Chrome/{major}.0.{build}.0 Safari/537.36 Edg/{major}.0.0.{build}"
        for major in range(100, 110)
        for build in range(100)
    ]
    chunks = [
        re.compile("|".join(name for name, _, _ in librarys()[start : start + 25]))
        for start in range(0, len(librarys()), 25)
    ]
    began = time.process_time()
    for user_agent in unseen:
        assert not any(chunk.search(user_agent) for chunk in chunks)
    before = time.process_time() - began
    began = time.process_time()
    for user_agent in unseen:
        assert not _is_crawler.__wrapped__(user_agent)
    after = time.process_time() - began
    print(
        f"\na User-Agent never seen: {before * 1e6 / len(unseen):.0f} us by the library's chunks, "
        f"{after * 1e6 / len(unseen):.0f} us by the index, {before / after:.1f} times less"
    )
