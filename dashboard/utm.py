"""UTM parameters, by which a shop's own statistics know where a visitor comes from."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

PARAMETERS: Final = {
    "utm_source": "Source",
    "utm_medium": "Medium",
    "utm_campaign": "Campaign",
    "utm_term": "Term",
    "utm_content": "Content",
}
"""By their names; what people call them."""


def add(target: str, values: Mapping[str, str]) -> str:
    """The target with these parameters, in place of those of the same name.

    The others stay where they are, to the letter, and so does a fragment. What is no URL stays as
    it is, for who checks it.

    Args:
        values: empty ones are left out.
    """
    added = {name: value for name, value in values.items() if value}
    if not added:
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return target
    kept = [
        pair
        for pair in parts.query.split("&")
        if pair and not any(name in added for name, _ in parse_qsl(pair, keep_blank_values=True))
    ]
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode(added)])))
