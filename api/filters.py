"""What narrows and orders a list, read from its query and described; the rest is ignored."""

from collections.abc import Sequence

from starlette.datastructures import QueryParams

from api.errors import ApiError
from api.parameters import Parameter

# The contract, "Item categories": these spellings, and no others.
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "0"), False),
}
_ORDERING = "ordering"
_SEARCH = "search"
# As many as a description may have: what is looked for at every place of every text is short.
_MAX_SEARCH = 255


def read_boolean(query: QueryParams, name: str) -> bool | None:
    """The value of a filter that is on or off; None = the list is not narrowed."""
    return _BOOLEANS.get(query.get(name, ""))


def boolean_parameter(name: str, description: str) -> Parameter:
    """Describes what `read_boolean` reads."""
    return Parameter(name, f"{description} Other values are ignored.", {"type": "boolean"})


def read_ordering(query: QueryParams, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that a list is to be ordered by, `-` before one for descending."""
    names = (name.strip() for name in query.get(_ORDERING, "").split(","))
    return tuple(name for name in names if name.removeprefix("-") in columns)


def ordering_parameter(columns: Sequence[str], otherwise: str, example: str) -> Parameter:
    """Describes what `read_ordering` reads.

    Args:
        otherwise: how equal ones are ordered, and all of them without any.
    """
    named = ", ".join(f"`{column}`" for column in columns)
    return Parameter(
        _ORDERING,
        f"One or more of {named}, joined by commas, each with `-` before it for descending; others "
        f"are dropped. {otherwise}",
        {"type": "string"},
        examples=(example,),
    )


def read_search(query: QueryParams) -> str:
    """The text that what is listed holds; "" = the list is not narrowed.

    Raises:
        ApiError: 400, it is too long.
    """
    text = query.get(_SEARCH, "")
    if len(text) > _MAX_SEARCH:
        message = f"Ensure this field has no more than {_MAX_SEARCH} characters."
        raise ApiError.invalid({_SEARCH: [message]})
    return text.strip()


def search_parameter(where: str, example: str) -> Parameter:
    """Describes what `read_search` reads."""
    return Parameter(
        _SEARCH,
        f"Only those that hold this text in {where}, in upper or lower case.",
        {"type": "string", "maxLength": _MAX_SEARCH},
        examples=(example,),
    )
