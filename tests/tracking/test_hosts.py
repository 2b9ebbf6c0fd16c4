"""Hosts in ASCII, as browsers make them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browsing import Chromium
from tracking.hosts import ascii_host, canonical_host

SAME = {
    "ASCII": "shop.example",
    "capitals": "Shop.EXAMPLE",
    "underscore": "my_shop.example",
    "last dot": "shop.example.",
    "one word": "localhost",
    "dashes where IDNA 2008 wants none": "-a-.b--c.example",
    "punycode": "xn--kse-qla.example",
    "punycode in capitals": "XN--KSE-QLA.example",
    "punycode of an emoji": "xn--53h.example",
    "punycode of a joiner where it belongs": "xn--mgba3gch31f060k.example",
    "punycode of nothing": "xn--.example",
    "punycode that ends early": "xn--a.example",
    "IPv4": "192.0.2.1",
    "IPv6": "[2001:DB8::1]",
    "IPv6 with IPv4 in it": "[::ffff:c000:201]",
    "longest label": f"{'a' * 63}.example",
}


@pytest.mark.parametrize("host", SAME.values(), ids=SAME)
def test_ascii_stays_as_it_is(host: str) -> None:
    """To the letter, whatever its case."""
    assert ascii_host(host) == host


ENCODED = {
    "umlaut": ("tübingen.example", "xn--tbingen-n2a.example"),
    "capitals": ("TÜBINGEN.Example", "xn--tbingen-n2a.example"),
    "decomposed": ("tu\u0308bingen.example", "xn--tbingen-n2a.example"),
    "sharp s stays": ("faß.example", "xn--fa-hia.example"),
    "final sigma stays": ("βόλος.example", "xn--nxasmm1c.example"),
    "full-width dot": ("bücher\uff0eexample", "xn--bcher-kva.example"),
    "ideographic dot": ("bücher\u3002example", "xn--bcher-kva.example"),
    "half-width dot": ("bücher\uff61example", "xn--bcher-kva.example"),
    "full-width letters": ("\uff53\uff48\uff4f\uff50.example", "shop.example"),
    "full-width digits": ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
    "full-width last dot": ("bücher.example\uff0e", "xn--bcher-kva.example."),
    "soft hyphen is left out": ("bü\xadcher.example", "xn--bcher-kva.example"),
    "beside punycode": ("bücher.xn--kse-qla.example", "xn--bcher-kva.xn--kse-qla.example"),
    "underscore": ("my_käse.example", "xn--my_kse-eua.example"),
    "emoji": ("\u2615.example", "xn--53h.example"),
    "Japanese": ("\u30c1\u30b1\u30c3\u30c8.example", "xn--rck5ahu.example"),
    "Hebrew": ("\u05d3\u05d5\u05d2\u05de\u05d4.example", "xn--6dbbec0c.example"),
}


@pytest.mark.parametrize(("host", "expected"), ENCODED.values(), ids=ENCODED)
def test_other_names_are_encoded(host: str, expected: str) -> None:
    """By UTS 46, not transitional; what comes out stays as it is."""
    assert ascii_host(host) == expected
    assert ascii_host(expected) == expected


NONE = {
    "empty": "",
    "a dot": ".",
    "two dots": "a..example",
    "a dot first": ".example",
    "label too long": f"{'a' * 64}.example",
    "encoded label too long": f"{'ü' * 60}.{'ä' * 63}.example",
    "unassigned": "\u0378.example",
    "private use": "\ue000.example",
    "nothing is left": "\xad",
    "combining first": "\u0308bingen.example",
    "full-width percent sign": "a\uff05b.example",
    "what turns into a slash": "a\u2100.example",
    "space": "a b.example",
    "percent-encoded": "t%C3%BCbingen.example",
    "right-to-left mixed": "\u05d3a\u05d5.example",
    "a digit first beside right-to-left": "1.\u05d3\u05d5.example",
    "a joiner that joins nothing": "a\u200db.example",
    "punycode of ASCII, beside an umlaut": "\u00fc.xn--shop-.example",
    "punycode of capitals, beside an umlaut": "\u00fc.xn--KSE-PJA.example",
    "punycode that ends early, beside an umlaut": "\u00fc.xn--a.example",
    "no punycode": "xn--\u00fc.example",
    "half an IPv6 address": "[::1",
    "no IPv6 address": "[shop]",
    "IPv6 with a zone": "[fe80::1%eth0]",
    "a later version": "[v1.fe]",
}


@pytest.mark.parametrize("host", NONE.values(), ids=NONE)
def test_what_no_browser_could_look_up_is_an_error(host: str) -> None:
    """A ValueError, whatever is wrong."""
    with pytest.raises(ValueError):  # noqa: PT011 - the caller has words of its own
        ascii_host(host)


async def test_chromium_agrees(chromium: Chromium) -> None:
    """What it makes of the same hosts, but that it does not look at the length of labels."""
    hosts = {**{host: host for host in SAME.values()}, **dict(ENCODED.values())}
    refused = [host for host in NONE.values() if not host.isascii() and len(host) < 64]
    async with chromium.page() as page:
        shown = await page.evaluate(
            """hosts => hosts.map(host => {
                try { return new URL(`http://${host}/`).hostname } catch { return null }
            })""",
            [*hosts, *refused],
        )
    expected = [form.lower() for form in hosts.values()]
    assert shown == expected + [None] * len(refused)


@given(st.text(max_size=20) | st.from_regex("xn--[a-z0-9-]{0,10}", fullmatch=True))
def test_a_host_is_ascii_or_an_error(host: str) -> None:
    """Whatever is asked: an ASCII form that is its own, or a ValueError."""
    try:
        form = ascii_host(host)
    except ValueError:
        return
    assert form.isascii()
    assert ascii_host(form) == form
    canonical_host(host)


CANONICAL = {
    "capitals": ("Shop.Example", "shop.example"),
    "last dot": ("shop.example.", "shop.example"),
    "IDN": ("KÄSE.example", "xn--kse-qla.example"),
    "loopback": ("127.0.0.1", "localhost"),
    "another loopback": ("127.1.2.3", "localhost"),
    "loopback as a number": ("2130706433", "localhost"),
    "loopback in hexadecimal": ("0x7f.1", "localhost"),
    "loopback of IPv6": ("[0::0:1]", "localhost"),
    "IPv6": ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
    "IPv4": ("192.0.2.1", "192.0.2.1"),
    "too many numbers": ("1.2.3.4.5", "1.2.3.4.5"),
}


@pytest.mark.parametrize(("host", "expected"), CANONICAL.values(), ids=CANONICAL)
def test_spellings_of_a_host_are_one(host: str, expected: str) -> None:
    """What is looked up alike is one host."""
    assert canonical_host(host) == expected
