"""Passwords."""

import pytest

from tracking.access import passwords
from tracking.access.passwords import InvalidPasswordError


async def test_a_password_is_right_for_its_own_hash_alone() -> None:
    """Each hash has a salt of its own; nobody's is right for nobody."""
    one, other = [await passwords.hash_of("correct horse battery") for _ in range(2)]
    assert one != other
    assert one.startswith("$argon2id$")
    assert await passwords.is_right("correct horse battery", one)
    assert not await passwords.is_right("correct horse batterY", one)
    assert not await passwords.is_right("nobody has this password", None)
    assert not await passwords.is_right("x", "no hash at all")
    assert not await passwords.is_right("x" * 100_000, one)
    assert not passwords.is_outdated(one)
    assert passwords.is_outdated(one.replace("t=3", "t=2"))


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1001])
def test_passwords_that_can_not_be_chosen(password: str) -> None:
    """Too short, and longer than anybody types."""
    with pytest.raises(InvalidPasswordError):
        passwords.check(password)


@pytest.mark.parametrize("password", ["twelve chars", "x" * 1000, "ü" * 12, "            "])
def test_there_is_no_rule_about_kinds_of_characters(password: str) -> None:
    """Length is what counts."""
    passwords.check(password)
