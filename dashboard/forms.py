"""Forms that come in: their size is bounded, and what is none is refused."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from dashboard.errors import PageError
from tracking import campaign_rules
from tracking.campaign_rules import InvalidFieldError
from tracking.timestamps import InvalidTimestampError, parse_expiry

if TYPE_CHECKING:  # the door reads forms
    from dashboard.access.visit import Visit

MAX_FORM_BYTES: Final = 64 * 1024

_MAX_FIELDS = 200
_MEDIA_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent; of fields of the same name the last.

    Attributes:
        texts: by field.
        files: what was uploaded, by field.
    """

    texts: Mapping[str, str]
    files: Mapping[str, bytes]


async def read_form(request: Request, max_bytes: int, visit: "Visit | None") -> Form:
    """The fields of a form.

    Args:
        visit: who sent it, for the page that says what is wrong with it.

    Raises:
        PageError: 400 or 413.
    """
    if not request.headers.get("content-type", "").lower().startswith(_MEDIA_TYPES):
        raise PageError.unreadable(visit)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise PageError.too_large(visit, max_bytes)
        return message

    try:
        bounded = Request(request.scope, receive)
        form = bounded.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=max_bytes)
        async with form as fields:
            return await _taken_out(fields)
    except (HTTPException, UnicodeDecodeError):
        raise PageError.unreadable(visit) from None


async def _taken_out(fields: FormData) -> Form:
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in fields.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            texts[name] = value
    return Form(texts, files)


def text(form: Form, name: str) -> str:
    """A field's text; "" when it is not there."""
    return form.texts.get(name, "")


def read_name_and_expiry(typed: Mapping[str, str]) -> tuple[dict[str, str], float | None]:
    """Of what has a `name`, and perhaps an end, `expires`.

    Returns:
        What is wrong, by field, and when it ends, in seconds since 1970; None: never.
    """
    errors = {}
    expires_at = None
    try:
        campaign_rules.read_description(typed["name"])
    except InvalidFieldError as error:
        errors["name"] = str(error)
    if typed["expires"]:
        try:
            expires_at = parse_expiry(typed["expires"], time.time())
        except InvalidTimestampError as error:
            errors["expires"] = str(error)
    return errors, expires_at
