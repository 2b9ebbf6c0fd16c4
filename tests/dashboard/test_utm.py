"""UTM parameters, written into a target."""

import pytest

from dashboard import utm

CASES = {
    "none there": ("https://x.example/", {"utm_source": "a"}, "https://x.example/?utm_source=a"),
    "others stay to the letter": (
        "https://x.example/?b=%C3%A4&c&&d=1+2#part",
        {"utm_source": "a"},
        "https://x.example/?b=%C3%A4&c&d=1+2&utm_source=a#part",
    ),
    "one is replaced": (
        "https://x.example/?utm_source=old&b=1",
        {"utm_source": "new"},
        "https://x.example/?b=1&utm_source=new",
    ),
    "encoded": (
        "https://x.example/",
        {"utm_term": "a&b=c ä"},
        "https://x.example/?utm_term=a%26b%3Dc+%C3%A4",
    ),
    "empty ones": ("https://x.example/?a", {"utm_source": ""}, "https://x.example/?a"),
    "no URL": ("http://[bad", {"utm_source": "a"}, "http://[bad"),
}


@pytest.mark.parametrize(("target", "values", "expected"), CASES.values(), ids=CASES)
def test_parameters_are_written_into_the_target(
    target: str, values: dict[str, str], expected: str
) -> None:
    """In place of those of the same name; what is no URL stays for who checks it."""
    assert utm.add(target, values) == expected
