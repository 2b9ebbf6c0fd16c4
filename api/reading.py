"""What clients read and never write, for the API's description."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.numbers import MAX_INTEGER

ReadOnlyCount = Annotated[int, Field(ge=0, le=MAX_INTEGER, json_schema_extra={"readOnly": True})]


class ReadModel(BaseModel):
    """Fields of an answer: each of them is always there."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Identified(ReadModel):
    """A thing with an id."""

    id: Annotated[int, Field(ge=1, le=MAX_INTEGER, json_schema_extra={"readOnly": True})] = Field(
        description="Given by the server, and never again to another.", examples=[1]
    )
