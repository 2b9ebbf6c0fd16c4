"""Whole numbers in text from outside: paths, queries, forms."""

import re

# The columns' range (64 bits, signed).
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1

# ASCII digits alone. Python's own int() takes digits of every script, underscores, and thousands
# of digits.
_WHOLE_NUMBER = re.compile(r"\s*([+-]?)0*([0-9]+)\s*", re.ASCII)
_MAX_DIGITS = 19


def whole_number(text: str) -> int | None:
    """The number that the text is; None when it is none.

    A number far beyond 64 bits becomes the next one outside them: not in range, and cheap.
    """
    match = _WHOLE_NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    magnitude = int(digits) if len(digits) <= _MAX_DIGITS else MAX_INTEGER + 2
    return -magnitude if sign == "-" else magnitude
