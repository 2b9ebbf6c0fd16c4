"""Tracking links: which paths are theirs, and which URLs lead to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.links import LinkPath, check_leads_away, own_link, parse_path
from tracking.urls import InvalidUrlError

PATH = LinkPath("acme", "summer", "news1")

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
    "two slashes inside": (b"/acme//summer/c/news1/", None),
    "dots to climb": (b"/acme/summer/c/../c/news1/", None),
    "encoded dots": (b"/acme/summer/c/%2e%2e/", None),
    "another letter than c": (b"/acme/summer/C/news1/", None),
    "too short": (b"/acme/summer/c/", None),
    "too long": (b"/acme/summer/c/" + b"a" * 65 + b"/", None),
    "far too long": (b"/acme/summer/c/" + b"a" * 100_000, None),
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


# What a text puts behind a link, or a person into it.
STUCK = {
    **{f"{character} as it is": character.encode() for character in ".,;:!?)]}>\"'`"},
    **{
        f"{character} encoded": b"".join(b"%%%02X" % byte for byte in character.encode())
        for character in ".,;:!?)]}>\u2026\"'`\u00b4\u201c\u201d"
        "\u201e\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a\u300c\u300d"
    },
    **{
        f"U+{ord(character):04X} encoded": b"".join(b"%%%02x" % byte for byte in character.encode())
        for character in " \t\n\v\f\r\x85\xa0\xad\u1680\u2000\u2007\u2009\u200a\u200b\u200c\u200d"
        "\u200e\u200f"
        "\u2028\u2029\u202c\u202f\u205f\u2060\u2069\u3000\ufeff"
    },
    "an ellipsis as it is": "…".encode(),
    "two slashes": b"//",
    "many slashes": b"/////",
    "slash and dot": b"/.",
    "dot and slash": b"./",
    "several": b").%22%20%E2%80%A6/%0D%0A",
}


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
@pytest.mark.parametrize("link", [b"/acme/summer/c/news1", b"/acme/summer/c/news1/"])
def test_what_sticks_to_a_pasted_link_means_nothing(link: bytes, stuck: bytes) -> None:
    """The link is meant, whatever came along with it out of a text."""
    assert parse_path(link + stuck) == PATH


NOT_STUCK = {
    "a letter": b"a",
    "a letter after a dot": b".html",
    "a slash and a letter": b"/a",
    "NUL": b"%00",
    "a star": b"*",
    "an opening bracket": b"(",
    "a bracket in between": b")x(",
    "a parameter": b";a=1",
    "an encoded slash": b".%2F",
    "half a character": b"%E2%80",
    "not UTF-8": b"%85",
    "a letter beyond ASCII": "é".encode(),
    "a percent sign": b"%",
    "twice encoded": b"%252E",
}


@pytest.mark.parametrize("rest", NOT_STUCK.values(), ids=NOT_STUCK)
def test_other_characters_are_no_part_of_a_link(rest: bytes) -> None:
    """What no text puts behind a link makes it another, which nobody has."""
    assert parse_path(b"/acme/summer/c/news1/" + rest) is None
    assert parse_path(b"/acme/summer/c/news1." + rest) is None


QUERIES = {
    "ampersand": (b"&utm_source=x", b"utm_source=x"),
    "two": (b"&utm_source=x&utm_medium=y%20z", b"utm_source=x&utm_medium=y%20z"),
    "behind a slash": (b"/&utm_source=x", b"utm_source=x"),
    "behind what sticks": (b").&a=b", b"a=b"),
    "encoded": (b"%26utm_source=x", b"utm_source=x"),
    "encoded, with what follows": (b"%26a%3Db%26c%3dd%20e", b"a=b&c=d%20e"),
    "encoded values stay": (b"&a=b%26c%3Dd", b"a=b%26c%3Dd"),
    "an encoded question mark": (b"%3Futm_source%3Dx", b"utm_source=x"),
    "an encoded question mark, then ampersands": (b"/%3fa=b&c=d", b"a=b&c=d"),
    "a path as value": (b"&next=/a/b/", b"next=/a/b/"),
    "a name alone": (b"&a", b"a"),
    "nothing": (b"&", b""),
    "long": (b"&fbclid=" + b"x" * 2000, b"fbclid=" + b"x" * 2000),
}


@pytest.mark.parametrize(("rest", "query"), QUERIES.values(), ids=QUERIES)
def test_an_ampersand_begins_a_query(rest: bytes, query: bytes) -> None:
    """`&name=value` behind a link is a query, where somebody meant a question mark."""
    expected = LinkPath("acme", "summer", "news1", query)
    assert parse_path(b"/acme/summer/c/news1" + rest) == expected


ORIGIN = "https://links.example"
PORT = "http://127.0.0.1:8000"
OWN = {
    "to the letter": (ORIGIN, "https://links.example/acme/summer/c/news1/"),
    "another scheme": (ORIGIN, "http://links.example/acme/summer/c/news1/"),
    "capitals": (ORIGIN, "HTTPS://LINKS.Example/acme/summer/c/news1/"),
    "default port": (ORIGIN, "https://links.example:443/acme/summer/c/news1/"),
    "the other scheme's default port": (ORIGIN, "http://links.example:80/acme/summer/c/news1/"),
    "empty port": (ORIGIN, "https://links.example:/acme/summer/c/news1/"),
    "a last dot": (ORIGIN, "https://links.example./acme/summer/c/news1/"),
    "full-width": (
        ORIGIN,
        "https://\uff4c\uff49\uff4e\uff4b\uff53\u3002example/acme/summer/c/news1/",
    ),
    "IDN": ("https://xn--kse-qla.example", "https://Käse.example/acme/summer/c/news1/"),
    "IDN the other way": (
        "https://käse.example",
        "https://xn--kse-qla.example/acme/summer/c/news1",
    ),
    "no slash": (ORIGIN, "https://links.example/acme/summer/c/news1"),
    "a query": (ORIGIN, "https://links.example/acme/summer/c/news1/?a=b"),
    "a fragment": (ORIGIN, "https://links.example/acme/summer/c/news1#a"),
    "encoded letters": (ORIGIN, "https://links.example/%61cme/summer/c/%6Eews1/"),
    "what sticks": (ORIGIN, "https://links.example/acme/summer/c/news1)."),
    "what sticks, beyond ASCII": (ORIGIN, "https://links.example/acme/summer/c/news1…"),
    "an ampersand": (ORIGIN, "https://links.example/acme/summer/c/news1&a=b"),
    "dots": (ORIGIN, "https://links.example/./x/../acme/summer/c/news1/"),
    "encoded dots": (ORIGIN, "https://links.example/../acme/x/%2E%2e/summer/c/%2e/news1/"),
    "a code that nobody has": (ORIGIN, "https://links.example/acme/summer/c/nothing/"),
    "a path alone": (ORIGIN, "/acme/summer/c/news1/"),
    "a port": (PORT, "http://127.0.0.1:8000/acme/summer/c/news1/"),
    "a port, another scheme": (PORT, "https://127.0.0.1:8000/acme/summer/c/news1/"),
    "localhost": (PORT, "http://localhost:8000/acme/summer/c/news1/"),
    "IPv6's loopback": (PORT, "http://[0:0:0:0:0:0:0:1]:8000/acme/summer/c/news1/"),
    **{
        f"{host} for loopback": (PORT, f"http://{host}:8000/acme/summer/c/news1/")
        for host in (
            *("0.0.0.0", "0", "[::]", "[0::0.0.0.0]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:2]"),
            *("[::ffff:0.0.0.0]", "foo.localhost", "a.b.LocalHost.", "localhost.localdomain"),
            *("ip6-localhost", "ip6-loopback"),
        )
    },
    "an IPv4 address in IPv6": (
        "http://192.0.2.1",
        "http://[::ffff:192.0.2.1]/acme/summer/c/news1/",
    ),
    "a number for an address": (PORT, "http://0x7f.1:8000/acme/summer/c/news1/"),
    "IPv6": ("http://[2001:db8::1]", "http://[2001:DB8:0::1]:80/acme/summer/c/news1/"),
}


@pytest.mark.parametrize(("origin", "url"), OWN.values(), ids=OWN)
def test_a_target_must_not_be_a_tracking_link(origin: str, url: str) -> None:
    """However it is written: what a browser that is sent there asks this server for counts."""
    assert own_link(url, origin) is not None
    with pytest.raises(InvalidUrlError, match=r"^This target is a tracking link itself\.$"):
        check_leads_away(url, origin)


OTHERS = {
    "nothing": "",
    "another host": "https://shop.example/acme/summer/c/news1/",
    "a longer host": "https://links.example.org/acme/summer/c/news1/",
    "another port": "https://links.example:8443/acme/summer/c/news1/",
    "the other scheme's port": "https://links.example:80/acme/summer/c/news1/",
    "no link": "https://links.example/acme/summer/",
    "the link in a query": "https://shop.example/?to=https://links.example/acme/summer/c/news1/",
    "the link as a fragment": "https://links.example/#/acme/summer/c/news1/",
    "a path before": "https://links.example/x/acme/summer/c/news1/",
    "dots out of it": "https://links.example/acme/summer/c/news1/..",
    "a name that begins like loopback's": "http://localhost.example/acme/summer/c/news1/",
    "a name that ends nearly like it": "http://notlocalhost/acme/summer/c/news1/",
    "no host there is": "https://ü..example/acme/summer/c/news1/",
    "half an address": "https://[::1/acme/summer/c/news1/",
}


@pytest.mark.parametrize("url", OTHERS.values(), ids=OTHERS)
def test_other_targets_lead_away(url: str) -> None:
    """What another server answers, or no link of this one, comes back to the letter."""
    assert check_leads_away(url, ORIGIN) == url
