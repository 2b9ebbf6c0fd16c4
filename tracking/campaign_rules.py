"""What a campaign's fields may hold (the contract, "Campaigns"), whoever sends them."""

import re

from tracking import links, urls
from tracking.errors import WaymarkError
from tracking.urls import InvalidUrlError

MAX_DESCRIPTION = 255
MAX_CODE = 64

_SURROGATE = re.compile("[\ud800-\udfff]")


class InvalidFieldError(WaymarkError, ValueError):
    """A field's value can't be taken; the text says why, to who sent it."""


def check_text(text: str, max_length: int, *, blank: bool = False) -> str:
    """Checks a text's length and characters.

    Args:
        blank: whether it may be empty.

    Raises:
        InvalidFieldError: it may not; too long; a character that SQL or UTF-8 can't hold.
    """
    if not text and not blank:
        raise InvalidFieldError("This field may not be blank.")
    check_characters(text)
    if len(text) > max_length:
        raise InvalidFieldError(f"Ensure this field has no more than {max_length} characters.")
    return text


def check_characters(text: str) -> None:
    """Refuses characters that SQL databases or UTF-8 can't hold.

    Raises:
        InvalidFieldError: there is one.
    """
    if "\0" in text:
        raise InvalidFieldError("Null characters are not allowed.")
    surrogate = _SURROGATE.search(text)
    if surrogate:
        point = ord(surrogate[0])
        raise InvalidFieldError(f"Surrogate characters are not allowed: U+{point:04X}.")


def read_description(text: str) -> str:
    """Reads a name for people; white space around it is removed.

    Raises:
        InvalidFieldError: it is blank, too long, or holds what can't be stored.
    """
    return check_text(text.strip(), MAX_DESCRIPTION)


def read_code(text: str) -> str:
    """Reads a code that somebody chose.

    Raises:
        InvalidFieldError: it is blank, too long, or holds other characters than codes do.
    """
    code = check_text(text, MAX_CODE)
    if not links.CODE.fullmatch(code):
        raise InvalidFieldError(
            "Only the letters A-Z and a-z, digits, underscores and dashes are allowed."
        )
    return code


def read_target(text: str, public_origin: str) -> str:
    """Reads where a link is to lead; "" = the ticket shop.

    Args:
        public_origin: what this server's links begin with.

    Raises:
        InvalidFieldError: visitors can't be sent there, or it is such a link.
    """
    target = check_text(text, urls.MAX_LENGTH, blank=True)
    try:
        return links.check_leads_away(urls.check_target(target), public_origin) if target else ""
    except InvalidUrlError as error:
        raise InvalidFieldError(str(error)) from None
