"""Who is asking."""

import pytest

from redirector.http.audience import audience_of
from tracking.clicks import Audience

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CASES = {
    "browser": ({"user-agent": BROWSER}, Audience.HUMAN),
    "no User-Agent": ({}, Audience.HUMAN),
    "empty User-Agent": ({"user-agent": ""}, Audience.HUMAN),
    "curl": ({"user-agent": "curl/8.5.0"}, Audience.HUMAN),
    "httpx": ({"user-agent": "python-httpx/0.28.1"}, Audience.HUMAN),
    "requests": ({"user-agent": "python-requests/2.34"}, Audience.HUMAN),
    "locust": ({"user-agent": "locust/2.47"}, Audience.HUMAN),
    "wget": ({"user-agent": "Wget/1.21"}, Audience.HUMAN),
    "search engine": (
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        Audience.BOT,
    ),
    "link preview": ({"user-agent": "facebookexternalhit/1.1"}, Audience.BOT),
    "messenger's preview": ({"user-agent": "WhatsApp/2.23.20.0"}, Audience.BOT),
    "Sec-Purpose": ({"user-agent": BROWSER, "sec-purpose": "prefetch"}, Audience.PREFETCH),
    "prerender": ({"sec-purpose": "prefetch;prerender"}, Audience.PREFETCH),
    "Purpose": ({"purpose": "Prefetch"}, Audience.PREFETCH),
    "X-Moz": ({"x-moz": "prefetch"}, Audience.PREFETCH),
    "X-Purpose": ({"x-purpose": "preview"}, Audience.PREFETCH),
    "Safari's preview": ({"x-purpose": "Preview", "purpose": "preview"}, Audience.PREFETCH),
    "Sec-Purpose of a proxied prefetch": (
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        Audience.PREFETCH,
    ),
    "person who clicks": (
        {"sec-fetch-dest": "document", "sec-fetch-user": "?1", "user-agent": BROWSER},
        Audience.HUMAN,
    ),
    "person whom a script leads on": ({"sec-fetch-dest": "document"}, Audience.HUMAN),
    "person who clicks in a frame": (
        {"sec-fetch-dest": "iframe", "sec-fetch-user": "?1"},
        Audience.HUMAN,
    ),
    "no destination told": ({"sec-fetch-dest": "", "user-agent": BROWSER}, Audience.HUMAN),
    "image": ({"sec-fetch-dest": "image", "user-agent": BROWSER}, Audience.EMBEDDED),
    "frame": ({"sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate"}, Audience.EMBEDDED),
    "frame, not clicked": (
        {"sec-fetch-dest": "iframe", "sec-fetch-user": "?0"},
        Audience.EMBEDDED,
    ),
    "fetch()": ({"sec-fetch-dest": "empty"}, Audience.EMBEDDED),
    "fetch(), its mode told": (
        {"sec-fetch-dest": "empty", "sec-fetch-mode": "no-cors"},
        Audience.EMBEDDED,
    ),
    "navigation that a service worker passes on": (
        {"sec-fetch-dest": "empty", "sec-fetch-mode": "navigate", "user-agent": BROWSER},
        Audience.HUMAN,
    ),
    "crawler's, passed on by a service worker": (
        {"user-agent": "Googlebot/2.1", "sec-fetch-dest": "empty", "sec-fetch-mode": "navigate"},
        Audience.BOT,
    ),
    **{
        f"{frame}, not clicked": (
            {"sec-fetch-dest": frame, "sec-fetch-mode": "navigate"},
            Audience.EMBEDDED,
        )
        for frame in ("frame", "embed", "object", "fencedframe")
    },
    "a destination to come": ({"sec-fetch-dest": "hologram"}, Audience.EMBEDDED),
    "crawler that embeds": (
        {"user-agent": "Googlebot/2.1", "sec-fetch-dest": "image"},
        Audience.BOT,
    ),
    "speculative request for a part": (
        {"sec-fetch-dest": "empty", "sec-purpose": "prefetch"},
        Audience.PREFETCH,
    ),
    "another purpose": ({"purpose": "navigate"}, Audience.HUMAN),
    "a speculative bot": (
        {"user-agent": "facebookexternalhit/1.1", "purpose": "prefetch"},
        Audience.PREFETCH,
    ),
    "bot's name far behind": ({"user-agent": "x" * 100_000 + "Googlebot/"}, Audience.HUMAN),
}


@pytest.mark.parametrize(("headers", "expected"), CASES.values(), ids=CASES)
def test_audience(headers: dict[str, str], expected: Audience) -> None:
    """People, tools and libraries click; crawlers, prefetches and parts of pages are told apart."""
    assert audience_of(headers.items()) is expected


def test_fields_that_come_twice() -> None:
    """The first counts; but a request that says anywhere that it is speculative is so."""
    dest = [("sec-fetch-dest", "document"), ("sec-fetch-dest", "image")]
    assert audience_of(dest) is Audience.HUMAN
    assert audience_of(reversed(dest)) is Audience.EMBEDDED
    purposes = [("purpose", "navigate"), ("purpose", "prefetch")]
    assert audience_of(purposes) is Audience.PREFETCH
