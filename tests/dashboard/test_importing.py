"""Lines of links, as people paste them and spreadsheets save them."""

import pytest

from dashboard.importing import UnreadableTextError, decode, read_lines, with_taken

ORIGIN = "https://links.example"

X = "https://x.example/"
TEXTS = {
    "names alone": ("Poster\nFlyer\n", [("Poster", "", ""), ("Flyer", "", "")]),
    "commas": ("Poster,https://x.example/,p1", [("Poster", X, "p1")]),
    "semicolons": (
        f"Poster;{X}?a=1,2;p1",
        [("Poster", f"{X}?a=1,2", "p1")],
    ),
    "tabs, as pasted": (
        f"Poster, big\t{X}\tp1",
        [("Poster, big", X, "p1")],
    ),
    "a head that says the order": ("code;name\np1;Poster", [("Poster", "", "p1")]),
    "the API's names": (
        f"description,external_target\nPoster,{X}",
        [("Poster", X, "")],
    ),
    "quotes": ('"Poster ""A""",,p1', [('Poster "A"', "", "p1")]),
    "a line end within quotes": ('"Two\nlines",,', [("Two\nlines", "", "")]),
    "Windows' line ends, and empty lines": (
        "\r\nA\r\n\r\n  \r\nB\r\n",
        [("A", "", ""), ("B", "", "")],
    ),
    "a mark of its order": ("\ufeffname\nPoster", [("Poster", "", "")]),
    "spaces around": (
        f"  Poster , {X} , p1 ",
        [("Poster", X, "p1")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_texts(text: str, expected: list[tuple[str, str, str]]) -> None:
    """Each line is a link; nothing is wrong with it."""
    lines = read_lines(text, ORIGIN)
    assert [(line.name, line.target, line.code) for line in lines] == expected
    assert [line.errors for line in lines] == [()] * len(lines)


WRONG = {
    "no name": (",https://x.example/", "Name: This field may not be blank."),
    "no URL": ("A,x.example", "Target: Enter a valid URL"),
    "a link of this server": (f"A,{ORIGIN}/o/e/c/x/", "Target: This target is a tracking link"),
    "no code": ("A,,a b", "Code: Only the letters"),
    "too many columns": ("A,,b,more", "There are more columns"),
    "a NUL": ("A\0", "Name: Null characters"),
}


@pytest.mark.parametrize(("text", "error"), WRONG.values(), ids=WRONG)
def test_wrong_lines(text: str, error: str) -> None:
    """What is wrong is said with the line, by its number."""
    [_, line] = read_lines(f"Right\n{text}", ORIGIN)
    assert line.number == 2
    assert line.errors
    assert line.errors[0].startswith(error)


def test_codes_that_come_twice() -> None:
    """The later line is wrong, and names the first; one that is taken is wrong, too."""
    lines = with_taken(read_lines("A,,one\nB,,two\nC,,one", ORIGIN), {"two"})
    assert [line.errors for line in lines] == [
        (),
        ("Another link has this code already.",),
        ("Line 1 has this code, too.",),
    ]


@pytest.mark.parametrize("text", ["", " \n\n", "name,code", "x\n" * 10_001, '"open'])
def test_texts_that_are_no_lines(text: str) -> None:
    """Nothing, a head alone, too many; and a quote that is never closed is a line."""
    if text == '"open':
        assert read_lines(text, ORIGIN)[0].name == "open"
        return
    with pytest.raises(UnreadableTextError):
        read_lines(text, ORIGIN)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_files_as_spreadsheets_save_them(codec: str) -> None:
    """In whichever of these."""
    assert decode("Füße €".encode(codec)) == "Füße €"


def test_a_file_that_is_no_text() -> None:
    """It is refused."""
    with pytest.raises(UnreadableTextError):
        decode(b"\x81\x8d\x8f")
