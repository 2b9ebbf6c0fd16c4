"""Which URLs a visitor may be sent to."""

import pytest

from tracking.errors import WaymarkError
from tracking.urls import MAX_LENGTH, InvalidUrlError, check_target

GOOD = {
    "https": "https://shop.example/",
    "http": "http://shop.example/",
    "no path": "https://shop.example",
    "scheme in capitals": "HTTPS://Shop.Example/",
    "port": "https://shop.example:8443/",
    "query and fragment": "https://shop.example/a?b=c&d=%20#e",
    "query without a path": "https://shop.example?b=c",
    "template braces": "https://shop.example/{seat}",
    "host of one word": "http://localhost:8000/",
    "host with a closing dot": "https://shop.example./",
    "host with an underscore": "https://my_shop.example/",
    "host with umlauts": "https://käse.example/",
    "host with an emoji": "https://\u2615.example/",
    "host with a full-width dot": "https://shop\uff0eexample/",
    "host in punycode": "https://xn--kse-qla.example/",
    "IPv4": "http://192.0.2.1/",
    "IPv6": "http://[2001:db8::1]:8080/",
    "path in another script": "https://shop.example/チケット",
    "@ in the path": "https://shop.example/@acme",
    "longest": "https://shop.example/".ljust(MAX_LENGTH, "a"),
}

BAD = {
    "empty": "",
    "no scheme": "shop.example",
    "path": "/shop/",
    "scheme-relative": "//shop.example/",
    "no slashes": "https:shop.example",
    "one slash": "https:/shop.example",
    "no host": "https://",
    "no host but a path": "https:///shop",
    "no host but a port": "https://:443/",
    "javascript": "javascript:alert(1)",
    "data": "data:text/html,hello",
    "ftp": "ftp://shop.example/",
    "file": "file:///etc/hosts",
    "user": "https://user@shop.example/",
    "user and password": "https://user:password@shop.example/",
    "empty user": "https://@shop.example/",
    "space": "https://shop.example/a b",
    "space before": " https://shop.example/",
    "space after": "https://shop.example/ ",
    "tab in the scheme": "java\tscript://shop.example/",
    "line break": "https://shop.example/\r\nSet-Cookie: a=b",
    "line break at the end": "https://shop.example/\n",
    "NUL": "https://shop.example/\0",
    "delete": "https://shop.example/\x7f",
    "C1 control": "https://shop.example/\x85",
    "no-break space": "https://shop.example/\xa0",
    "line separator": "https://shop.example/\u2028",
    "right-to-left override": "https://shop.example/\u202egpj.exe",
    "zero-width space": "https://shop\u200b.example/",
    "byte-order mark": "\ufeffhttps://shop.example/",
    "lone surrogate": "https://shop.example/\udcff",
    "backslash": "https://shop.example\\@evil.example/",
    "port 0": "https://shop.example:0/",
    "port too high": "https://shop.example:65536/",
    "port no number": "https://shop.example:https/",
    "half an IPv6 address": "http://[2001:db8::1/",
    "no IPv6 address": "http://[shop]/",
    "empty label": "https://shop..example/",
    "label too long": f"https://{'a' * 64}.example/",
    "percent in the host": "https://shop%2eexample/",
    "braces in the host": "https://{event}.example/",
    "host without an ASCII form": "https://\u0378.example/",
    "host that ASCII gives a meaning to": "https://a\uff05b.example/",
    "IPv6 with a zone": "http://[fe80::1%25eth0]/",
    "too long": "https://shop.example/".ljust(MAX_LENGTH + 1, "a"),
}


@pytest.mark.parametrize("url", GOOD.values(), ids=GOOD)
def test_a_good_url_comes_back_to_the_letter(url: str) -> None:
    """An absolute http or https URL with a host is accepted, and not touched."""
    assert check_target(url) == url


@pytest.mark.parametrize("url", BAD.values(), ids=BAD)
def test_a_bad_url_is_refused(url: str) -> None:
    """Whatever a browser might not take for that is refused."""
    with pytest.raises(InvalidUrlError):
        check_target(url)


def test_the_error_suits_validators_and_commands() -> None:
    """It is a ValueError, for validators, and a WaymarkError, which commands report."""
    assert issubclass(InvalidUrlError, ValueError)
    assert issubclass(InvalidUrlError, WaymarkError)
