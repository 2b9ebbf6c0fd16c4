"""Search: what is found in what, case aside."""

import pytest
from sqlalchemy import literal, select

from tracking.database import Database
from tracking.search import contains, searchable

# Stored texts, what is looked for, and whether it is found.
CASES = {
    "the whole": (["Poster"], "Poster", True),
    "a part": (["Poster in the hall"], "er in th", True),
    "another case": (["Poster"], "pOSTER", True),
    "another case beyond ASCII": (["MÄRZ", "Ñandú"], "ñANDÚ", True),
    "stored in lower case": (["größe"], "GRÖSSE", True),
    "Greek": (["ΣΊΣΥΦΟΣ"], "σίσυφος", True),
    "accents apart and composed": (["Ma\u0308rz"], "M\u00c4RZ", True),
    "an accent is no ornament": (["März"], "marz", False),
    "a percent sign is itself": (["100 off"], "100%", False),
    "a percent sign is found": (["100% off"], "100%", True),
    "an underscore is itself": (["axb"], "a_b", False),
    "an underscore is found": (["a_b"], "a_b", True),
    "an asterisk is itself": (["axb"], "a*b", False),
    "a backslash": (["a\\b"], "a\\b", True),
    "a quotation mark": (["it's"], "it's", True),
    "in any of the texts": (["poster", "hall"], "hall", True),
    "not across them": (["poster", "hall"], "posterhall", False),
    "not with what is between them": (["poster", "hall"], "poster\x1fhall", False),
    "nothing like it": (["poster"], "flyer", False),
}


@pytest.mark.parametrize(("texts", "wanted", "found"), CASES.values(), ids=CASES)
async def test_what_is_found(
    database: Database, texts: list[str], wanted: str, *, found: bool
) -> None:
    """As SQL answers it."""
    stored = select(literal(searchable(*texts)).label("text")).subquery()
    query = select(contains(stored.c.text, wanted))
    async with database.read() as connection:
        assert (await connection.execute(query)).scalar_one() == found
