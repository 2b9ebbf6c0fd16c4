"""Search: a text found within others, case aside, beyond ASCII too.

SQLite's own LIKE and lower() know the case of ASCII alone, and a function of our own would be
called 100,000 times for a page. So what is searched is stored folded, beside what it was made of.
"""

import unicodedata

from sqlalchemy import ColumnElement, func

# Between texts that are searched together, so that nothing is found across them.
_SEPARATOR = "\x1f"


def searchable(*texts: str) -> str:
    """The texts as they are stored to be searched."""
    return _SEPARATOR.join(map(_folded, texts))


def contains(stored: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Whether one of the texts that `searchable` was given holds the wanted one."""
    return func.instr(stored, _folded(wanted)) > 0


def _folded(text: str) -> str:
    """Without case (Unicode, section 3.13.5), accents composed: `ß` is `ss`, `Ä` is `ä`."""
    return unicodedata.normalize("NFC", text.casefold()).replace(_SEPARATOR, " ")
