"""Where somebody is led after signing in: an address of this dashboard, and nowhere else."""

import re

# A path that begins with one slash. Browsers take a backslash for a slash, and leave out tabs and
# line ends before they read an address (WHATWG URL, "basic URL parser").
_OWN = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def checked(wanted: str) -> str:
    """The wanted path, or the list of events where it is none of this dashboard's."""
    return wanted if _OWN.fullmatch(wanted) else "/"
