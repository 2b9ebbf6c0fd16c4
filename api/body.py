"""A request's body, read when everything before it in the contract's order of checks has passed."""

import json
import math
import re
from collections.abc import AsyncGenerator, Mapping
from encodings.aliases import aliases
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.errors import NON_FIELD_ERRORS, ApiError
from api.negotiation import JSON

MAX_BYTES = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MEDIA_TYPES = (JSON, FORM, MULTIPART)

_MAX_FORM_FIELDS = 1000
# RFC 2046, section 5.1.1.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")

_UTF_8 = "utf_8"

# Python's names for the encodings of the WHATWG Encoding Standard (section 4.2), and for UTF-32.
# Each makes text of bytes, in C. Python has others that don't: `zip`, `base64`, `idna` (which takes
# minutes for a label of a megabyte), `unicode_escape`; and UTF-7, which hides characters.
_TEXT_CODECS = frozenset(
    {
        *(_UTF_8, "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be"),
        *("utf_32_le", "ascii", "latin_1", "koi8_r", "koi8_u", "mac_roman", "mac_cyrillic"),
        *("tis_620", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc_jp", "shift_jis"),
        *("cp932", "iso2022_jp", "euc_kr", "cp949"),
        *(f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))),
        *(f"cp{page}" for page in (437, 850, 852, 866, 874, *range(1250, 1259))),
    }
)
_NEITHER_LETTER_NOR_DIGIT = re.compile("[^a-z0-9]+")


async def read_body(request: Request) -> Mapping[str, Any]:
    """Reads the fields of a body: JSON, or a form, whose values are strings.

    A name that comes twice counts as it came last. No body at all is an empty object, whatever its
    media type. Text is in the charset that the media type names, or in UTF-8.

    Raises:
        ApiError: 400, 413 or 415.
    """
    content = await _read_bytes(request)
    if not content:
        return {}
    content_type = request.headers.get("content-type", "")
    media_type, options = parse_options_header(content_type)
    codec = _codec_of(options.get(b"charset", b""))
    match media_type.decode("latin-1").lower():
        case "application/json":
            return _parse_json(content, codec)
        case "application/x-www-form-urlencoded":
            return _parse_form(content, codec)
        case "multipart/form-data":
            return await _parse_multipart(content, options.get(b"boundary", b""), codec)
        case _:
            raise ApiError.unsupported_media_type(content_type)


def _codec_of(charset: bytes) -> str:
    """The name of Python's codec for a charset, in any case; UTF-8 for one that is unknown.

    Python itself is not asked for it: it would import a module of that name, and remember each name
    that it did not find.
    """
    name = _NEITHER_LETTER_NOR_DIGIT.sub("_", charset.decode("latin-1").lower())
    name = aliases.get(name, name)
    return name if name in _TEXT_CODECS else _UTF_8


async def _read_bytes(request: Request) -> bytes:
    """The body, as long as it is under the limit, whatever its Content-Length says."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise ApiError.too_large(MAX_BYTES)
    return bytes(content)


def _parse_json(content: bytes, codec: str) -> Mapping[str, Any]:
    try:
        value = json.loads(
            content.decode(codec),
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_int,
        )
    except RecursionError:
        raise ApiError.malformed("JSON parse error - nested too deeply") from None
    except ValueError as error:
        raise ApiError.malformed(f"JSON parse error - {error}") from None
    if value is None:
        raise ApiError.invalid({NON_FIELD_ERRORS: ["No data provided"]})
    if not isinstance(value, dict):
        name = type(value).__name__
        message = f"Invalid data. Expected a dictionary, but got {name}."
        raise ApiError.invalid({NON_FIELD_ERRORS: [message]})
    return value


def _refuse_constant(name: str) -> NoReturn:
    """NaN and the infinities, which Python reads and JSON does not have (RFC 8259, section 6)."""
    raise ValueError(f"{name} is not a JSON value")


def _read_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _read_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # over 4,300 digits (CVE-2020-10735)
        raise ValueError("a number has too many digits") from None


def _parse_form(content: bytes, codec: str) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(
            content.decode(codec),
            keep_blank_values=True,
            max_num_fields=_MAX_FORM_FIELDS,
            encoding=codec,
            errors="strict",
        )
    except ValueError as error:
        raise ApiError.malformed(f"Form parse error - {error}") from None
    return dict(pairs)


class _MultiPartParser(MultiPartParser):
    """Starlette's, which leaves the last part out of a body that is cut off, and says nothing."""

    def __init__(self, headers: Headers, content: bytes) -> None:
        super().__init__(
            headers, self._once(content), max_files=_MAX_FORM_FIELDS, max_fields=_MAX_FORM_FIELDS
        )
        self._ended = False

    def on_end(self) -> None:
        """The boundary came that ends a body (RFC 2046, section 5.1.1)."""
        self._ended = True

    async def _once(self, content: bytes) -> AsyncGenerator[bytes, None]:
        yield content
        # Here, so that the parser closes the files that it has open.
        if not self._ended:
            raise MultiPartException("the last boundary is missing")


async def _parse_multipart(content: bytes, boundary: bytes, codec: str) -> Mapping[str, Any]:
    if not _BOUNDARY.fullmatch(boundary):
        raise ApiError.malformed("Multipart form parse error - the boundary is missing or wrong")
    # The parser takes what does not fit a charset for Latin-1, and any codec that Python has. So it
    # is told Latin-1, which keeps every byte.
    content_type = f'{MULTIPART}; boundary="{boundary.decode("ascii")}"; charset=latin-1'
    parser = _MultiPartParser(Headers({"Content-Type": content_type}), content)
    try:
        form = await parser.parse()
        await form.close()
        # A file stays an object that no field takes for text.
        return {
            name: value.encode("latin-1").decode(codec) if isinstance(value, str) else value
            for name, value in form.multi_items()
        }
    except MultiPartException as error:
        raise ApiError.malformed(f"Multipart form parse error - {error.message}") from None
    except UnicodeDecodeError as error:
        raise ApiError.malformed(f"Multipart form parse error - {error}") from None
