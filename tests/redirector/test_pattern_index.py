"""The index finds an expression by what it needs, and leaves out none."""

import pytest

from redirector.http.pattern_index import index_of

INDEXED = {
    "plain": ("Yeti", ["Yet", "eti"]),
    "anchored": ("^BW\\/", ["BW/"]),
    "an optional letter is not needed": ("ab?cde", ["cde"]),
    "a repeated letter is not needed": ("abc*def", ["def"]),
    "a class": ("[aA]cune", ["cun", "une"]),
    "a group": ("(sis|SIS) rawler", [" ra", "raw", "awl", "wle", "ler"]),
    "a group in a group": ("(a(bcd|e)f|xyz)ghi", ["ghi"]),
    "anything between": ("Spi[\\s\\S]*com", ["Spi", "com"]),
    "an escaped dot": ("a\\.b", ["a.b"]),
    "what must not be there": ("^(?!Mozilla/5\\.0 \\((?:X|Y)[^()]*\\) Ap).*Vib", ["Vib"]),
}


@pytest.mark.parametrize(("pattern", "grams"), INDEXED.values(), ids=INDEXED)
def test_what_a_pattern_needs(pattern: str, grams: list[str]) -> None:
    """It is looked for by three characters that are in whatever it finds."""
    [gram] = index_of([pattern])
    assert gram in grams


def test_each_alternative_is_looked_for() -> None:
    """The pattern stands under characters of the one and of the other."""
    assert index_of(["Chirp|goto"]).keys() & {"Chi", "hir", "irp"}
    assert index_of(["Chirp|goto"]).keys() & {"got", "oto"}


@pytest.mark.parametrize("pattern", ["ab", "[abc][abc][abc]", "(abc)?", "abc|d"])
def test_a_pattern_that_needs_nothing_is_an_error(pattern: str) -> None:
    """The library's next release might have one: CI tells, and no crawler is overlooked."""
    with pytest.raises(ValueError, match="needs no"):
        index_of([pattern])
