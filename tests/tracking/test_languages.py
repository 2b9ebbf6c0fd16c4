"""Multi-lingual strings: which values are one."""

import pytest

from tracking.languages import LOCALES, InvalidTextError, MultiLingual, parse_text

# The contract's list, to the letter.
CONTRACT_LOCALES = (
    "en de de-informal ar eu ca zh-hans zh-hant cs hr da nl nl-informal fr fi gl el he hu id it ja "
    "ko lv nb-no pl pt-pt pt-br ro ru sk sl sv es es-419 th tr uk"
)

TOO_LONG = "Ensure this field has no more than 65536 characters."

GOOD: dict[str, tuple[object, MultiLingual]] = {
    "plain text is English": ("Tickets", {"en": "Tickets"}),
    "empty text": ("", {"en": ""}),
    "one language": ({"de": "Karten"}, {"de": "Karten"}),
    "two languages": (
        {"en": "Tickets", "de-informal": "Karten"},
        {"en": "Tickets", "de-informal": "Karten"},
    ),
    "an empty entry": ({"en": ""}, {"en": ""}),
    "the longest": ({"en": "🎟" * 65_536}, {"en": "🎟" * 65_536}),
    "no entry": ({}, {}),
}

BAD: dict[str, tuple[object, str]] = {
    "unknown language": ({"tlh": "mIp"}, "Invalid languages included."),
    "one of two unknown": ({"en": "Tickets", "xx": ""}, "Invalid languages included."),
    "wrong case": ({"EN": "Tickets"}, "Invalid languages included."),
    "underscore": ({"pt_br": "Ingressos"}, "Invalid languages included."),
    "a language that is a number": ({1: "Tickets"}, "Invalid languages included."),
    "entry null": ({"en": None}, "All entries must be strings."),
    "entry a number": ({"en": 7}, "All entries must be strings."),
    "entry an object": ({"en": {"en": ""}}, "All entries must be strings."),
    "too long": ("x" * 65_537, TOO_LONG),
    "one of two too long": ({"en": "", "de": "x" * 65_537}, TOO_LONG),
    "a list": (["Tickets"], "Invalid data type."),
    "a number": (7, "Invalid data type."),
    "a boolean": (True, "Invalid data type."),
    "null": (None, "Invalid data type."),
    "bytes": (b"Tickets", "Invalid data type."),
}


def test_the_locales_are_those_of_the_contract() -> None:
    """All of the contract's locales are known, and no other."""
    assert set(CONTRACT_LOCALES.split()) == LOCALES


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_every_locale_is_accepted(locale: str) -> None:
    """A text in any of the locales is kept as it is."""
    assert parse_text({locale: "text"}) == {locale: "text"}


@pytest.mark.parametrize(("value", "text"), GOOD.values(), ids=GOOD)
def test_a_text_is_read(value: object, text: MultiLingual) -> None:
    """An object from locale to text, or a plain string, is a multi-lingual string."""
    assert parse_text(value) == text


@pytest.mark.parametrize(("value", "message"), BAD.values(), ids=BAD)
def test_what_is_no_text_is_refused(value: object, message: str) -> None:
    """Anything else is refused with the contract's message."""
    with pytest.raises(InvalidTextError) as raised:
        parse_text(value)
    assert str(raised.value) == message
