"""How clients may spell a field's value, as JSON Schema: wider than what they read.

`api/fields.py` reads these spellings; each constraint here is one that it checks.
"""

from typing import Any

from api.numbers import MAX_INTEGER, MIN_INTEGER
from tracking import links, orders, urls
from tracking.languages import LOCALES, MAX_LENGTH

Schema = dict[str, Any]

TRUE = ("true", "t", "yes", "y", "on", "1")
FALSE = ("false", "f", "no", "n", "off", "0")

_NULL: Schema = {"type": "null"}
_TEXT: Schema = {"type": "string", "pattern": r"^[^\u0000]*$"}
# White space is trimmed first: something else must be left. The ranges are those that Python trims
# and that \s of other languages does not hold.
_NOT_BLANK = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085\u00a0\ufeff][^\u0000]*$"
# Letters that most hosts are written in, none of which UTS 46 refuses: a host may hold others as
# well. Twelve of them have an ASCII form of less than 63 characters; no label begins with "xn--".
_LETTERS = (
    r"\u00df-\u00f6\u00f8-\u00ff\u03ac-\u03ce\u0430-\u044f"
    r"\u3041-\u3093\u30a1-\u30f4\u4e00-\u9fa5\uac00-\ud7a3"
)
_LABEL = rf"(?:[A-WYZa-wyz0-9_][A-Za-z0-9_-]{{0,62}}|[A-Za-z0-9{_LETTERS}]{{1,12}})"
_WORD = r"[0-9A-Fa-f]{1,4}"
_IPV6 = rf"\[(?:{_WORD}(?::{_WORD}){{7}}|(?:{_WORD}:){{1,6}}:{_WORD}|::{_WORD})\]"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|{_IPV6})(?::0*[1-9][0-9]{{0,3}})?"
_REST = r"[/?#][!-\[\]-~\u00a1-\u167f]*"
_URL = rf"^(?:[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?:{_REST})?)?$"


def _any_case(words: tuple[str, ...]) -> str:
    """A pattern for the words in any case; JSON Schema has no flag for it."""
    return "|".join(
        "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)
        for word in words
    )


def _any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


CODE = _any_of(
    {"type": "string", "pattern": f"^{links.CODE.pattern}$"},
    {"type": "integer", "description": "Taken as text."},
)
ORDER_CODE = _any_of(
    {"type": "string", "pattern": f"^{orders.CODE.pattern}$"},
    {"type": "integer", "description": "Taken as text."},
)
LINE = _any_of(
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _NOT_BLANK},
    {"type": "number", "description": "Taken as text."},
)
OPTIONAL_LINE = _any_of(
    {**_TEXT, "maxLength": 255}, {"type": "number", "description": "Taken as text."}, _NULL
)
TARGET: Schema = {"type": "string", "maxLength": urls.MAX_LENGTH, "pattern": _URL}
INTEGER = _any_of(
    {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER},
    {"type": "string", "pattern": r"^\s*[+-]?[0-9]{1,18}(?:\.0*)?\s*$"},
)
BOOLEAN = _any_of(
    {"type": "boolean"},
    {"type": "integer", "enum": [0, 1]},
    {"type": "string", "pattern": f"^(?:{_any_case(TRUE + FALSE)})$"},
)
_TRANSLATED: Schema = {**_TEXT, "maxLength": MAX_LENGTH}
_BY_LOCALE: Schema = {
    "type": "object",
    "propertyNames": {"enum": sorted(LOCALES)},
    "additionalProperties": _TRANSLATED,
}
MULTI_LINGUAL = _any_of(_BY_LOCALE, {**_TRANSLATED, "description": "Taken as English."})
OPTIONAL_MULTI_LINGUAL = _any_of(*MULTI_LINGUAL["anyOf"], _NULL)


def as_form(schema: Schema) -> Schema:
    """The schema of the same fields in a form, where every value is a text."""
    fields = {name: _as_text(field) for name, field in schema["properties"].items()}
    return {**schema, "properties": fields}


def _as_text(field: Schema) -> Schema:
    texts = [option for option in field.get("anyOf", [field]) if option.get("type") == "string"]
    told = {name: field[name] for name in ("description", "examples") if name in field}
    examples = [each for each in told.pop("examples", ()) if isinstance(each, str)]
    return {**texts[0], **told, **({"examples": examples} if examples else {})}
