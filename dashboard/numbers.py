"""Whole numbers in addresses and forms."""

_MAX_DIGITS = 18  # SQLite's integers have 64 bits


def whole_number(text: str) -> int | None:
    """Reads digits; None = it is something else, or more than anything has."""
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    return None
