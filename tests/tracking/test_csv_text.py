"""CSV that spreadsheets open as text and numbers."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from tracking.csv_text import csv_text

FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def test_formulas_get_an_apostrophe() -> None:
    """Texts that begin like one do; numbers, and the rest, stay as they are."""
    rows: list[list[object]] = [
        ["=1+1", "+49", "-flyer", "@x", "\tx", "\rx", "a=b", "'x", ""],
        [-5, 7, None],
    ]
    read = list(csv.reader(io.StringIO(csv_text(("h",), rows), newline="")))
    assert read == [
        ["h"],
        ["'=1+1", "'+49", "'-flyer", "'@x", "'\tx", "'\rx", "a=b", "'x", ""],
        ["-5", "7", ""],
    ]


def test_the_form_is_the_rfcs() -> None:
    """A header line, CRLF, quotes doubled (RFC 4180)."""
    assert csv_text(("a", "b"), [('say "hi"', "x,y")]) == 'a,b\r\n"say ""hi""","x,y"\r\n'


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2
        )
    )
)
def test_whatever_stands_in_a_cell_is_read_back(rows: list[list[str]]) -> None:
    """But for the apostrophe."""
    read = list(csv.reader(io.StringIO(csv_text(("a", "b"), rows), newline="")))[1:]
    expected = [[f"'{cell}" if cell.startswith(FORMULAS) else cell for cell in row] for row in rows]
    assert read == expected
