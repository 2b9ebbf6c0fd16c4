"""Multi-lingual strings: an object from locale to text (the contract, "Item categories")."""

from collections.abc import Mapping

MultiLingual = dict[str, str]

LOCALES = frozenset(
    (  # noqa: SIM905 - a list with a line for each of 37 would hide it
        "en de de-informal ar eu ca zh-hans zh-hant cs hr da nl nl-informal fr fi gl el he hu id "
        "it ja ko lv nb-no pl pt-pt pt-br ro ru sk sl sv es es-419 th tr uk"
    ).split()
)
DEFAULT_LOCALE = "en"
MAX_LENGTH = 65_536
"""Characters that each text may have (the contract, "Item categories")."""


class InvalidTextError(ValueError):
    """Not a multi-lingual string; the text is the contract's message."""


def parse_text(value: object) -> MultiLingual:
    """Reads a multi-lingual string; a plain string is taken as English.

    Raises:
        InvalidTextError: an unknown locale, an entry that is no string or too long, or neither
            object nor string.
    """
    if isinstance(value, str):
        value = {DEFAULT_LOCALE: value}
    if not isinstance(value, Mapping):
        raise InvalidTextError("Invalid data type.")
    text: MultiLingual = {}
    for locale, entry in value.items():
        if locale not in LOCALES:
            raise InvalidTextError("Invalid languages included.")
        if not isinstance(entry, str):
            raise InvalidTextError("All entries must be strings.")
        if len(entry) > MAX_LENGTH:
            raise InvalidTextError(f"Ensure this field has no more than {MAX_LENGTH} characters.")
        text[locale] = entry
    return text
