"""An address of every page, for tests that walk through all of them."""

from dashboard.access.door import Address
from dashboard.app import PAGES
from tests.dashboard.conftest import Content

STREAMS = ("live/",)
"""What never ends."""


def address(page: Address, content: Content) -> str:
    """An address that the page's pattern matches, of what is there."""
    filled = page.path
    values = {
        "{organizer}": "acme",
        "{event}": "fest",
        "{id:int}": str(content.campaign),
        "{user:int}": str(content.users["viewer"]),
        "{token:int}": str(content.token),
    }
    for name, value in values.items():
        filled = filled.replace(name, value)
    assert "{" not in filled, f"{page.path} has a part that no test fills in"
    if "/import/done/" in filled:
        filled += f"?first={content.campaign}&last={content.campaign + 1}"
    return filled


def readable(*, streams: bool = False) -> list[Address]:
    """The pages that GET shows, but for streams."""
    return [
        page
        for page in PAGES
        if "GET" in page.methods and (streams or not page.path.endswith(STREAMS))
    ]
