"""The decision: answers, targets and queries."""

from dataclasses import replace

import pytest

from redirector.http.decision import (
    Click,
    LinkRequest,
    PrefetchRefusal,
    Redirect,
    Refusal,
    decide,
)
from redirector.links.destination import Rules
from redirector.links.known_link import KnownLink
from tracking.clicks import Audience
from tracking.links import Link, LinkPath

PATH = LinkPath("acme", "summer", "news1")
LINK = Link(7, "acme", "summer", "news1", "https://shop.example/tickets", "")
REQUEST = LinkRequest("GET", PATH, b"", Audience.HUMAN)
HUMAN = Click(LINK.campaign_id, Audience.HUMAN)
BOT = Click(LINK.campaign_id, Audience.BOT)
EMBEDDED = Click(LINK.campaign_id, Audience.EMBEDDED)
PREFETCH = Click(LINK.campaign_id, Audience.PREFETCH)
RULES = Rules("/{organizer}/{event}/", forward_query=True, public_origin="https://links.example")


def decided(
    request: LinkRequest, link: Link | None, rules: Rules
) -> Redirect | PrefetchRefusal | Refusal:
    """What becomes of a request where there is this link under its code."""
    return decide(request, None if link is None else KnownLink(link, rules))


ANSWERS = {
    "GET by a person": (REQUEST, LINK, Redirect(LINK.external_target, HUMAN)),
    "GET by a bot": (
        replace(REQUEST, audience=Audience.BOT),
        LINK,
        Redirect(LINK.external_target, BOT),
    ),
    "GET by a page": (
        replace(REQUEST, audience=Audience.EMBEDDED),
        LINK,
        Redirect(LINK.external_target, EMBEDDED),
    ),
    "GET that is speculative": (
        replace(REQUEST, audience=Audience.PREFETCH),
        LINK,
        PrefetchRefusal(PREFETCH),
    ),
    "HEAD that is speculative": (
        replace(REQUEST, method="HEAD", audience=Audience.PREFETCH),
        LINK,
        Redirect(LINK.external_target, None),
    ),
    "unknown code, looked ahead for": (
        replace(REQUEST, audience=Audience.PREFETCH),
        None,
        Refusal.NOT_FOUND,
    ),
    "POST for an unknown code": (
        replace(REQUEST, method="POST"),
        None,
        Refusal.METHOD_NOT_ALLOWED,
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


TARGETS = {
    "IDN": ("http://tübingen.example/a", "http://xn--tbingen-n2a.example/a"),
    "IDN with more": (
        "https://Käse.Example:8443/ü?x=ß#ö",
        "https://xn--kse-qla.example:8443/%C3%BC?x=%C3%9F#%C3%B6",
    ),
    "not transitional": ("https://faß.example", "https://xn--fa-hia.example"),
    "full-width dots": ("https://bücher\u3002example/", "https://xn--bcher-kva.example/"),
    "full-width letters": ("https://\uff53\uff48\uff4f\uff50.example/", "https://shop.example/"),
    "last dot": ("https://bücher.example./", "https://xn--bcher-kva.example./"),
    "an emoji, as browsers have it": ("https://☕.example/", "https://xn--53h.example/"),
    "right to left": ("https://דוגמה.example/", "https://xn--6dbbec0c.example/"),
    "ASCII is not touched": ("HTTPS://My_Shop.Example/A", "HTTPS://My_Shop.Example/A"),
    "in ASCII already": ("https://xn--kse-qla.example/", "https://xn--kse-qla.example/"),
    "IPv6": ("http://[2001:DB8::1]:8080/ü", "http://[2001:DB8::1]:8080/%C3%BC"),
    "no host there is, stored before": ("https://ü..example/ü", "https://%C3%BC..example/%C3%BC"),
    "not even a URL, stored before": ("shop/ü", "shop/%C3%BC"),
}


@pytest.mark.parametrize(("target", "location"), TARGETS.values(), ids=TARGETS)
def test_locations(target: str, location: str) -> None:
    """The host in ASCII, for a target and for a shop; the rest percent-encoded; nothing else."""
    expected = Redirect(location, HUMAN)
    assert decided(REQUEST, replace(LINK, external_target=target), RULES) == expected
    assert decided(REQUEST, replace(LINK, external_target="", shop_url=target), RULES) == expected
    if target.lower().startswith("http"):
        rules = replace(RULES, shop_url=target)
        assert decided(REQUEST, replace(LINK, external_target=""), rules) == expected


ITSELF = "http://Links.Example/acme/summer/c/news1"
CIRCLES = {
    "the target": (replace(LINK, external_target=ITSELF), "/acme/summer/"),
    "a spelling of it": (
        replace(LINK, external_target="https://links.example:443/x/../acme/summer/c/%6eews1/."),
        "/acme/summer/",
    ),
    "the target, with a shop": (
        replace(LINK, external_target=ITSELF, shop_url="https://shop.example/"),
        "https://shop.example/",
    ),
    "target and shop": (replace(LINK, external_target=ITSELF, shop_url=ITSELF), "/acme/summer/"),
    "another link": (replace(LINK, external_target=f"{ITSELF}2"), "/acme/summer/"),
    "another event's link for a shop": (
        replace(LINK, external_target="", shop_url="https://links.example/acme/winter/c/x/"),
        "/acme/summer/",
    ),
    "another link, with a shop": (
        replace(LINK, external_target=f"{ITSELF}2", shop_url="https://shop.example/"),
        "https://shop.example/",
    ),
    "another server's": (
        replace(LINK, external_target="https://else.example/acme/summer/c/news1/"),
        "https://else.example/acme/summer/c/news1/",
    ),
}


def test_the_shop_of_all_stands_in_for_one_that_is_a_link() -> None:
    """The page without a shop is for events that have none."""
    rules = replace(RULES, shop_url="https://tickets.example/{organizer}/{event}")
    link = replace(LINK, external_target=ITSELF, shop_url=ITSELF)
    assert decided(REQUEST, link, rules) == Redirect("https://tickets.example/acme/summer", HUMAN)


@pytest.mark.parametrize(("link", "location"), CIRCLES.values(), ids=CIRCLES)
def test_no_link_leads_to_a_link(link: Link, location: str) -> None:
    """One that was stored all the same leads where its event's tickets are."""
    assert decided(REQUEST, link, RULES) == Redirect(location, HUMAN)


@pytest.mark.parametrize(("request_", "link", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers(
    request_: LinkRequest, link: Link | None, expected: Redirect | PrefetchRefusal | Refusal
) -> None:
    """Each row of the contract's table has its answer."""
    assert decided(request_, link, RULES) == expected


def test_queries_stay_behind_when_told_so() -> None:
    """FORWARD_QUERY=false leaves the target as it is."""
    rules = replace(RULES, forward_query=False)
    answer = decided(replace(REQUEST, query=b"a=1"), LINK, rules)
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


STUCK_QUERIES = {
    "a dot": b".",
    "a bracket and a dot": b").",
    "a question mark": b"?",
    "a slash": b"/",
    "a space": b"%20",
    "an ellipsis": b"%E2%80%A6",
    "a quote, after a zero-width space": b"%e2%80%8b%22",
}


@pytest.mark.parametrize("query", STUCK_QUERIES.values(), ids=STUCK_QUERIES)
def test_a_query_of_what_sticks_to_links_is_none(query: bytes) -> None:
    """A question mark and more at a link's end belong to the text it was pasted from."""
    assert decided(replace(REQUEST, query=query), LINK, RULES) == Redirect(
        LINK.external_target, HUMAN
    )


def test_a_query_in_the_path_comes_first() -> None:
    """What stands behind the link with an ampersand is forwarded with the query that it has."""
    path = replace(PATH, query=b"utm_source=x&b")
    answer = decided(replace(REQUEST, path=path, query=b"c=."), LINK, RULES)
    assert answer == Redirect(f"{LINK.external_target}?utm_source=x&b&c=.", HUMAN)


@pytest.mark.parametrize(("target", "expected"), QUERIES.values(), ids=QUERIES)
def test_queries_are_merged(target: str, expected: str) -> None:
    """A query is appended to the target's own, before its fragment."""
    link = replace(LINK, external_target=target)
    assert decided(replace(REQUEST, query=b"b=2"), link, RULES) == Redirect(expected, HUMAN)
