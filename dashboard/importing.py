"""Many links as text: lines of name, target and code, as people paste them or spreadsheets save
them."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracking import campaign_rules
from tracking.campaign_rules import InvalidFieldError
from tracking.campaigns import NewCampaign

MAX_LINES: Final = 10_000
MAX_BYTES: Final = 8 * 1024 * 1024

_SEPARATORS = "\t;,"
# A first line of these is no link.
_HEADS = {"name", "description", "target", "external_target", "url", "link", "code"}


class UnreadableTextError(ValueError):
    """A text that can't be read as lines; its message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was sent.

    Attributes:
        number: from 1 on, as its editor counts.
        errors: what is wrong with it, in words.
    """

    number: int
    name: str
    target: str
    code: str
    errors: tuple[str, ...]

    @property
    def campaign(self) -> NewCampaign:
        """It as a campaign to be made."""
        return NewCampaign(self.name.strip(), self.target, self.code or None)


def decode(content: bytes) -> str:
    """Reads a file as spreadsheets save it: UTF-8, UTF-16 with its mark, or Windows' own.

    Raises:
        UnreadableTextError: it is no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codecs = ["utf-16"]
    else:
        codecs = ["utf-8-sig", "cp1252"]
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise UnreadableTextError("This file is no text.")


def read_lines(text: str, public_origin: str) -> list[Line]:
    """Reads the lines, and what is wrong with each by itself or beside the others.

    Raises:
        UnreadableTextError: there are none, or too many.
    """
    rows = [(number, row) for number, row in _rows(text) if any(cell.strip() for cell in row)]
    if rows and {cell.strip().lower() for cell in rows[0][1]} <= _HEADS:
        order = [cell.strip().lower() for cell in rows.pop(0)[1]]
    else:
        order = ["name", "target", "code"]
    if not rows:
        raise UnreadableTextError("There is no line yet.")
    if len(rows) > MAX_LINES:
        raise UnreadableTextError(f"{MAX_LINES:,} links can be made at once.")
    lines = [_line(number, _by_column(order, row), public_origin) for number, row in rows]
    return _with_duplicates(lines)


def with_taken(lines: Sequence[Line], taken: set[str]) -> list[Line]:
    """The lines, with an error where a code is taken by another link."""
    message = "Another link has this code already."
    return [_wrong(line, message) if line.code in taken else line for line in lines]


def _rows(text: str) -> list[tuple[int, list[str]]]:
    text = text.removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UnreadableTextError(f"Line {reader.line_num} can\u2019t be read: {error}.") from None


def _separator(text: str) -> str:
    """The one that stands most often in the first lines; a comma where there is none."""
    head = text[:4000]
    return max(reversed(_SEPARATORS), key=head.count)


def _by_column(order: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    names = {"description": "name", "external_target": "target", "url": "target", "link": "target"}
    cells = {
        names.get(column, column): cell.strip() for column, cell in zip(order, row, strict=False)
    }
    if len(row) > len(order) and any(cell.strip() for cell in row[len(order) :]):
        cells["more"] = ",".join(row[len(order) :])
    return cells


def _line(number: int, cells: Mapping[str, str], public_origin: str) -> Line:
    name, target, code = (cells.get(column, "") for column in ("name", "target", "code"))
    errors = ["There are more columns than name, target and code."] if "more" in cells else []
    errors += _error("Name", lambda: campaign_rules.read_description(name))
    errors += _error("Target", lambda: campaign_rules.read_target(target, public_origin))
    errors += _error("Code", lambda: campaign_rules.read_code(code)) if code else []
    return Line(number, name, target, code, tuple(errors))


def _error(word: str, read: Callable[[], str]) -> list[str]:
    """What is wrong with a column, if anything."""
    try:
        read()
    except InvalidFieldError as error:
        return [f"{word}: {error}"]
    return []


def _with_duplicates(lines: Sequence[Line]) -> list[Line]:
    first: dict[str, int] = {}
    for line in lines:
        first.setdefault(line.code, line.number)
    return [
        _wrong(line, f"Line {first[line.code]} has this code, too.")
        if line.code and first[line.code] != line.number
        else line
        for line in lines
    ]


def _wrong(line: Line, message: str) -> Line:
    return Line(line.number, line.name, line.target, line.code, (*line.errors, message))
