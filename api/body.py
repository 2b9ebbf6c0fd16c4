"""A request's body, read when everything before it in the contract's order of checks has passed."""

import json
import math
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.errors import NON_FIELD_ERRORS, ApiError
from api.negotiation import JSON

MAX_BYTES = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MEDIA_TYPES = (JSON, FORM, MULTIPART)

_MAX_FORM_FIELDS = 1000


async def read_body(request: Request) -> Mapping[str, Any]:
    """Reads the fields of a body: JSON, or a form, whose values are strings.

    A name that comes twice counts as it came last. No body at all is an empty object, whatever its
    media type.

    Raises:
        ApiError: 400, 413 or 415.
    """
    content = await _read_bytes(request)
    if not content:
        return {}
    content_type = request.headers.get("content-type", "")
    media_type, options = parse_options_header(content_type)
    match media_type.decode("latin-1").lower():
        case "application/json":
            return _parse_json(content)
        case "application/x-www-form-urlencoded":
            return _parse_form(content)
        case "multipart/form-data":
            return await _parse_multipart(request, content, options)
        case _:
            raise ApiError.unsupported_media_type(content_type)


async def _read_bytes(request: Request) -> bytes:
    """The body, as long as it is under the limit, whatever its Content-Length says."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise ApiError.too_large(MAX_BYTES)
    return bytes(content)


def _parse_json(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(
            content.decode(),
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_int,
        )
    except RecursionError:
        raise ApiError.malformed("JSON parse error - nested too deeply") from None
    except ValueError as error:
        raise ApiError.malformed(f"JSON parse error - {error}") from None
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


def _parse_form(content: bytes) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(
            content.decode(),
            keep_blank_values=True,
            max_num_fields=_MAX_FORM_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise ApiError.malformed(f"Form parse error - {error}") from None
    return dict(pairs)


async def _parse_multipart(
    request: Request, content: bytes, options: Mapping[bytes, bytes]
) -> Mapping[str, Any]:
    # The parser would take any codec that Python has, some of them slow.
    charset = options.get(b"charset", b"utf-8").lower()
    if charset not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise ApiError.malformed("Multipart form parse error - the charset must be UTF-8")
    parser = MultiPartParser(
        request.headers, _once(content), max_files=_MAX_FORM_FIELDS, max_fields=_MAX_FORM_FIELDS
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ApiError.malformed(f"Multipart form parse error - {error.message}") from None
    await form.close()
    # A file stays an object that no field takes for text.
    return dict(form.multi_items())


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
