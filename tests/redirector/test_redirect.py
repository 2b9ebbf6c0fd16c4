"""The decision: paths, answers, targets and queries."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redirector.redirect import (
    Click,
    LinkPath,
    LinkRequest,
    Redirect,
    Refusal,
    Rules,
    decide,
    parse_path,
)
from tracking.campaigns import Link
from tracking.clicks import Audience

PATH = LinkPath("acme", "summer", "news1")
LINK = Link(7, "acme", "summer", "news1", "https://shop.example/tickets", "")
REQUEST = LinkRequest("GET", PATH, b"", Audience.HUMAN)
HUMAN = Click(LINK.campaign_id, Audience.HUMAN)
BOT = Click(LINK.campaign_id, Audience.BOT)
RULES = Rules("/{organizer}/{event}/", forward_query=True)

PATHS = {
    "with slash": (b"/acme/summer/c/news1/", PATH),
    "without slash": (b"/acme/summer/c/news1", PATH),
    "encoded letters": (b"/%61cme/summer/c/ne%77s1/", PATH),
    "dots, dashes": (b"/a.b-c/2026_x/c/A-_z/", LinkPath("a.b-c", "2026_x", "A-_z")),
    "encoded slash": (b"/acme/summer/c/news1%2F", None),
    "encoded slash inside": (b"/acme%2Fsummer/c/news1/", None),
    "encoded NUL": (b"/acme/summer/c/news1%00/", None),
    "not UTF-8": (b"/acme/summer/c/%ff/", None),
    "raw bytes": (b"/acme/summer/c/\xff\xfe/", None),
    "other letters": ("/acme/summer/c/n\u00e9ws/".encode(), None),
    "two slashes at the end": (b"/acme/summer/c/news1//", None),
    "two slashes inside": (b"/acme//summer/c/news1/", None),
    "dots to climb": (b"/acme/summer/c/../c/news1/", None),
    "encoded dots": (b"/acme/summer/c/%2e%2e/", None),
    "another letter than c": (b"/acme/summer/C/news1/", None),
    "too short": (b"/acme/summer/c/", None),
    "too long": (b"/acme/summer/c/" + b"a" * 65 + b"/", None),
    "far too long": (b"/acme/summer/c/" + b"a" * 100_000, None),
    "line feed at the end": (b"/acme/summer/c/news1\n", None),
    "encoded line feed at the end": (b"/acme/summer/c/news1%0A", None),
    "health": (b"/healthz", None),
    "empty": (b"", None),
    "star": (b"*", None),
}


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS)
def test_paths(path: bytes, expected: LinkPath | None) -> None:
    """A path names a link, or no link at all."""
    assert parse_path(path) == expected


@given(st.binary(max_size=300))
def test_no_path_is_an_error(path: bytes) -> None:
    """Whatever bytes a path has, reading it raises nothing."""
    parse_path(b"/" + path)


ANSWERS = {
    "GET by a person": (REQUEST, LINK, Redirect(LINK.external_target, HUMAN)),
    "GET by a bot": (
        replace(REQUEST, audience=Audience.BOT),
        LINK,
        Redirect(LINK.external_target, BOT),
    ),
    "HEAD": (replace(REQUEST, method="HEAD"), LINK, Redirect(LINK.external_target, None)),
    "POST": (replace(REQUEST, method="POST"), LINK, Refusal.METHOD_NOT_ALLOWED),
    "OPTIONS": (replace(REQUEST, method="OPTIONS"), LINK, Refusal.METHOD_NOT_ALLOWED),
    "get in small letters": (replace(REQUEST, method="get"), LINK, Refusal.METHOD_NOT_ALLOWED),
    "unknown code": (REQUEST, None, Refusal.NOT_FOUND),
    "another organizer's": (REQUEST, replace(LINK, organizer="zenith"), Refusal.NOT_FOUND),
    "another event's": (REQUEST, replace(LINK, event="winter"), Refusal.NOT_FOUND),
    "no target": (
        REQUEST,
        replace(LINK, external_target=""),
        Redirect("/acme/summer/", HUMAN),
    ),
    "the event's shop": (
        REQUEST,
        replace(LINK, external_target="", shop_url="https://tickets.example/"),
        Redirect("https://tickets.example/", HUMAN),
    ),
    "target before shop": (
        REQUEST,
        replace(LINK, shop_url="https://tickets.example/"),
        Redirect(LINK.external_target, HUMAN),
    ),
    "query": (
        replace(REQUEST, query=b"utm_source=x&y=%20"),
        LINK,
        Redirect("https://shop.example/tickets?utm_source=x&y=%20", HUMAN),
    ),
    "query bytes that no header may hold": (
        replace(REQUEST, query=b"a=\xe4 b\r\nSet-Cookie: x"),
        LINK,
        Redirect("https://shop.example/tickets?a=%E4%20b%0D%0ASet-Cookie:%20x", HUMAN),
    ),
    "target with other letters": (
        REQUEST,
        replace(LINK, external_target="https://shop.example/caf\u00e9?a=%20"),
        Redirect("https://shop.example/caf%C3%A9?a=%20", HUMAN),
    ),
}


@pytest.mark.parametrize(("request_", "link", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers(request_: LinkRequest, link: Link | None, expected: Redirect | Refusal) -> None:
    """Each row of the contract's table has its answer."""
    assert decide(request_, link, RULES) == expected


def test_queries_stay_behind_when_told_so() -> None:
    """FORWARD_QUERY=false leaves the target as it is."""
    rules = replace(RULES, forward_query=False)
    answer = decide(replace(REQUEST, query=b"a=1"), LINK, rules)
    assert answer == Redirect(LINK.external_target, HUMAN)


QUERIES = {
    "none before": ("https://x.example/p", "https://x.example/p?b=2"),
    "one before": ("https://x.example/p?a=1", "https://x.example/p?a=1&b=2"),
    "empty before": ("https://x.example/p?", "https://x.example/p?b=2"),
    "open end before": ("https://x.example/p?a=1&", "https://x.example/p?a=1&b=2"),
    "fragment": ("https://x.example/p#top", "https://x.example/p?b=2#top"),
    "both": ("https://x.example/p?a=1#top", "https://x.example/p?a=1&b=2#top"),
    "question in fragment": ("https://x.example/#a?c", "https://x.example/?b=2#a?c"),
    "two fragments": ("https://x.example/#a#b", "https://x.example/?b=2#a#b"),
    "no path": ("https://x.example", "https://x.example?b=2"),
}


@pytest.mark.parametrize(("target", "expected"), QUERIES.values(), ids=QUERIES)
def test_queries_are_merged(target: str, expected: str) -> None:
    """A query is appended to the target's own, before its fragment."""
    link = replace(LINK, external_target=target)
    assert decide(replace(REQUEST, query=b"b=2"), link, RULES) == Redirect(expected, HUMAN)
