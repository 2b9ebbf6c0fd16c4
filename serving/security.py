"""What every page says to a browser, so that nobody frames it, guesses at it or follows it."""

from typing import Final

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""For whatever has a body; a page has a policy besides."""


def content_security_policy(**sources: str) -> str:
    """A policy under which nothing is loaded, framed or sent but what is named.

    Args:
        sources: what is allowed, by directive, with underscores: `img_src="data:"`.
    """
    closed = {
        "default_src": "'none'",
        "base_uri": "'none'",
        "form_action": "'none'",
        "frame_ancestors": "'none'",
    }
    policy = closed | sources
    return "; ".join(f"{name.replace('_', '-')} {value}" for name, value in policy.items())
