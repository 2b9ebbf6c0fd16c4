"""Parameters of requests, declared for the API's description: their readers check them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from api.numbers import MAX_INTEGER
from api.pagination import PAGE_SIZE

Place = Literal["path", "query", "header"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of a request's path, query or head.

    Attributes:
        schema: what it may be, as JSON Schema.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    place: Place = "query"
    examples: tuple[object, ...] = ()

    def described(self) -> dict[str, Any]:
        """As OpenAPI has it."""
        schema = {**self.schema, **({"examples": list(self.examples)} if self.examples else {})}
        return {
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.description,
            "schema": schema,
        }


_SLUG = {"type": "string", "minLength": 1}

PATH = {
    parameter.name: parameter
    for parameter in (
        Parameter("organizer", "The organizer's slug.", _SLUG, "path", ("bigevents",)),
        Parameter("event", "The event's slug.", _SLUG, "path", ("sampleconf",)),
        Parameter("id", "The `id` field of what is asked for.", {"type": "integer"}, "path", (1,)),
        Parameter(
            "code", "The order's code.", {"type": "string", "minLength": 1}, "path", ("ABC12",)
        ),
    )
}
"""By the name that routes give them."""

PAGES = (
    Parameter(
        "page",
        "The page's number, counted from 1, or `last`.",
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
                {"type": "string", "enum": ["last", ""]},
            ],
            "default": 1,
        },
    ),
    Parameter(
        "page_size",
        f"How many a page has. Anything but a number from 1 to {PAGE_SIZE} means {PAGE_SIZE}. A "
        "page that would have more than 8 MiB has fewer; `next` leads to what follows it.",
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": PAGE_SIZE},
                {"type": "string"},
            ],
            "default": PAGE_SIZE,
        },
    ),
)

_DATE = {"type": "string"}
CONDITIONS = (
    Parameter(
        "If-Modified-Since",
        "304 unless something was written after this date. No date: ignored.",
        _DATE,
        "header",
        ("Sun, 22 Nov 2026 10:00:00 GMT",),
    ),
    Parameter(
        "If-Unmodified-Since",
        "412 when something was written after this date. No date: ignored.",
        _DATE,
        "header",
        ("Sun, 22 Nov 2026 10:00:00 GMT",),
    ),
)

IDEMPOTENCY_KEY = Parameter(
    "X-Idempotency-Key",
    "Makes it safe to repeat the request: the first answer for this token and key is kept for 24 "
    "hours, and given again.",
    {"type": "string"},
    "header",
    ("8c7d3d6c-6f0b-4e5c-9d57-2f6d7bd0b3a1",),
)
