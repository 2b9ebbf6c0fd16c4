"""Item categories over HTTP: their fields and what is particular to them."""

from pydantic import Field
from starlette.datastructures import QueryParams

from api.errors import ApiError
from api.fields import (
    Boolean,
    Integer,
    MultiLingual,
    OptionalLine,
    OptionalMultiLingual,
    WriteModel,
)
from api.filters import boolean_parameter, ordering_parameter, read_boolean, read_ordering
from api.reading import Identified
from api.resource import Filters, Resource
from tracking import categories

_COLUMNS = ("id", "position")
_PARAMETERS = (
    boolean_parameter("is_addon", "Only categories that are add-ons, or only others."),
    ordering_parameter(
        _COLUMNS,
        "Equal ones come newest first. Without any: by `position`, then `id`.",
        "-position,id",
    ),
)


class CategoryFields(WriteModel):
    """What clients write."""

    name: MultiLingual = Field(
        description="The category's name, as visitors see it.", examples=[{"en": "Tickets"}]
    )
    internal_name: OptionalLine = Field(
        None,
        description="A name for the organizer alone. White space around it is removed.",
        examples=[""],
    )
    description: OptionalMultiLingual = Field(
        default_factory=lambda: {"en": ""},
        description='A text for visitors, which may hold markdown. Not sent: `{"en": ""}`.',
        examples=[{"en": "Tickets are what you need to get in."}],
    )
    position: Integer = Field(0, description="Lists are ordered by it, then by `id`.", examples=[1])
    is_addon: Boolean = Field(
        False, description="Whether its items are only sold with others.", examples=[False]
    )


class CategoryRead(CategoryFields, Identified):
    """What clients read."""


def _selection(query: QueryParams) -> Filters:
    return {"is_addon": read_boolean(query, "is_addon")}


def _ordering(query: QueryParams) -> Filters:
    return {"ordering": read_ordering(query, _COLUMNS)}


CATEGORIES = Resource(
    name="categories",
    noun="category",
    title="Item Category",
    store=categories,
    read_model=CategoryRead,
    write_model=CategoryFields,
    missing=lambda: ApiError.not_found("No ItemCategory matches the given query."),
    selection=_selection,
    ordering=_ordering,
    parameters=_PARAMETERS,
    sizes=categories.sizes,
    delete_alias="category",
)
