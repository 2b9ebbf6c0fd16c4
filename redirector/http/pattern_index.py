"""An index of regular expressions by characters that whatever they find must have in a row.

It rules out nearly all of them at once for a text, however many there are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

_GRAM: Final = 3

# A regular expression's parts: a literal character, maybe escaped, with what repeats it; a class; a
# group without groups in it; an alternative; and what says nothing of characters.
_PART = re.compile(
    r"(?:(?P<literal>[^\\\[\](){}.*+?^$|]|\\[^A-Za-z0-9])|(?P<class>\[\^?\]?[^\]]*\]|\\[dDwWsSbB]|\.)"
    r"|(?P<group>\((?:[^()\\\[]|\\.|\[[^\]]*\]|\((?:[^()\\\[]|\\.|\[[^\]]*\])*\))*\))|(?P<or>\|)|[\^$])"
    r"(?P<repeat>[*+?]\??|\{[0-9,]*\})?"
)


def _runs(pattern: str) -> Iterator[list[str]]:
    """The runs of literal characters that each alternative of a regular expression needs.

    What it does not understand it leaves out, but for what is no expression at all.
    """
    runs = [""]
    at = 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            raise ValueError(f"{pattern!r} is not understood at {at}")
        at = part.end()
        if part["or"]:
            yield runs
            runs = [""]
        elif part["literal"] and not part["repeat"]:
            runs[-1] += part["literal"].removeprefix("\\")
        else:
            runs.append("")
    yield runs


def grams(text: str) -> Iterator[str]:
    """Each three characters in a row."""
    return (text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1))


def index_of(expressions: Iterable[str], common: str = "") -> dict[str, list[str]]:
    """The regular expressions by three characters that must be there for them to be found.

    The rarest are chosen, which few of the other expressions need.

    Args:
        common: what nearly all texts have in them, so that nothing is looked for by it.

    Raises:
        ValueError: one needs no three characters, or is not understood.
    """
    needed = [
        (expression, [gram for run in runs for gram in grams(run)])
        for expression in expressions
        for runs in _runs(expression)
    ]
    frequency = Counter(gram for _, found in needed for gram in set(found))
    for gram in grams(common):
        frequency[gram] += len(needed)
    index: dict[str, list[str]] = {}
    for expression, found in needed:
        if not found:
            raise ValueError(f"{expression!r} needs no {_GRAM} characters")
        index.setdefault(min(found, key=frequency.__getitem__), []).append(expression)
    return index
