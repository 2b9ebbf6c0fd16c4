"""Fields of a body: types that read what clients send, with the contract's messages.

Each reads a value as pretix does: numbers are taken as text, `"7"` as a number, `"yes"` as true.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial as partial_of
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from api import spellings
from api.errors import ApiError, FieldErrors
from api.numbers import MAX_INTEGER, MIN_INTEGER, whole_number
from tracking import campaign_rules, languages, links, orders, urls
from tracking.campaign_rules import InvalidFieldError
from tracking.languages import InvalidTextError

_REQUIRED = "This field is required."
_NULL = "This field may not be null."
_NOT_TEXT = "Not a valid string."
_NOT_INTEGER = "A valid integer is required."
_NOT_BOOLEAN = "Must be a valid boolean."

# Of pydantic's context, which hands a reader what is in no body.
_PUBLIC_ORIGIN = "public_origin"
_DECIMAL_ZEROS = re.compile(r"\.0*$")

Reader = Callable[[Any], Any]


def _text(value: object) -> str:
    """What is text, or a number, which stands for its digits."""
    _refuse_null(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _invalid(_NOT_TEXT)
    return str(value)


def _by_rule(read: Callable[[str], str]) -> Reader:
    """Reads a text by a rule of the domain."""

    def checked(value: object) -> str:
        try:
            return read(_text(value))
        except InvalidFieldError as error:
            raise _invalid(str(error)) from None

    return checked


def _line_or_blank(text: str) -> str:
    return campaign_rules.check_text(text.strip(), campaign_rules.MAX_DESCRIPTION, blank=True)


def _order_code(text: str) -> str:
    code = campaign_rules.check_text(text, campaign_rules.MAX_CODE)
    if not orders.CODE.fullmatch(code):
        raise InvalidFieldError("Only the letters A-Z, digits and dashes are allowed.")
    return code.upper()


def _read_target(value: object, info: ValidationInfo) -> str:
    public_origin = (info.context or {}).get(_PUBLIC_ORIGIN, "")
    read = partial_of(campaign_rules.read_target, public_origin=public_origin)
    target: str = _by_rule(read)(value)
    return target


def _read_integer(value: object) -> int:
    _refuse_null(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str):
        value = whole_number(_DECIMAL_ZEROS.sub("", value.strip()))
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(_NOT_INTEGER)
    if value < MIN_INTEGER:
        raise _invalid(f"Ensure this value is greater than or equal to {MIN_INTEGER}.")
    if value > MAX_INTEGER:
        raise _invalid(f"Ensure this value is less than or equal to {MAX_INTEGER}.")
    return value


def _read_boolean(value: object) -> bool:
    _refuse_null(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int):
        word = str(value).lower()
        if word in spellings.TRUE:
            return True
        if word in spellings.FALSE:
            return False
    raise _invalid(_NOT_BOOLEAN)


def _read_multi_lingual(value: object) -> languages.MultiLingual:
    _refuse_null(value)
    try:
        text = languages.parse_text(value)
    except InvalidTextError as error:
        raise _invalid(str(error)) from None
    for entry in text.values():
        _by_rule(_storable)(entry)
    return text


def _storable(text: str) -> str:
    campaign_rules.check_characters(text)
    return text


def _or_null(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _refuse_null(value: object) -> None:
    if value is None:
        raise _invalid(_NULL)


def _invalid(message: str) -> PydanticCustomError:
    return PydanticCustomError("invalid", "{message}", {"message": message})


def _reads(
    read: Reader | Callable[[Any, ValidationInfo], Any], spelling: spellings.Schema
) -> BeforeValidator:
    """Reads a value with `read`; the spelling describes to clients what that takes."""
    return BeforeValidator(read, json_schema_input_type=Annotated[Any, WithJsonSchema(spelling)])


# The constraints repeat what the readers check, and describe what clients get to read.
Line = Annotated[
    str,
    Field(min_length=1, max_length=255),
    _reads(_by_rule(campaign_rules.read_description), spellings.LINE),
]
OptionalLine = Annotated[
    Annotated[str, Field(max_length=255)] | None,
    _reads(_or_null(_by_rule(_line_or_blank)), spellings.OPTIONAL_LINE),
]
# Not sent: one is drawn. Null is as wrong as a blank, and never read.
OptionalCode = Annotated[
    str | None,
    _reads(_by_rule(campaign_rules.read_code), spellings.CODE),
    WithJsonSchema({"type": "string", "pattern": f"^{links.CODE.pattern}$"}, mode="serialization"),
]
OrderCode = Annotated[
    str,
    Field(pattern=r"^[A-Z0-9-]{1,64}$"),
    _reads(_by_rule(_order_code), spellings.ORDER_CODE),
]
Target = Annotated[str, Field(max_length=urls.MAX_LENGTH), _reads(_read_target, spellings.TARGET)]
Integer = Annotated[
    int,
    Field(ge=MIN_INTEGER, le=MAX_INTEGER),
    _reads(_read_integer, spellings.INTEGER),
]
Boolean = Annotated[bool, _reads(_read_boolean, spellings.BOOLEAN)]
MultiLingual = Annotated[
    languages.MultiLingual, _reads(_read_multi_lingual, spellings.MULTI_LINGUAL)
]
OptionalMultiLingual = Annotated[
    languages.MultiLingual | None,
    _reads(_or_null(_read_multi_lingual), spellings.OPTIONAL_MULTI_LINGUAL),
]


class WriteModel(BaseModel):
    """The fields that a client may write; others in a body are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Model = TypeVar("Model", bound=WriteModel)


def undefaulted(*, description: str | None, examples: list[Any] | None = None) -> Any:
    """A field that need not be sent, and whose default nobody could send."""
    return Field(
        None,
        description=description,
        examples=examples,
        json_schema_extra=lambda schema: schema.pop("default", None),
    )


def partial(model: type[WriteModel]) -> type[WriteModel]:
    """The same fields, none of them required: what PATCH reads."""
    fields: dict[str, Any] = {
        name: (
            Annotated[field.annotation, *field.metadata],
            undefaulted(description=field.description, examples=field.examples),
        )
        for name, field in model.model_fields.items()
    }
    return create_model(f"Patched{model.__name__}", __base__=WriteModel, **fields)


def validated(model: type[Model], body: Mapping[str, Any], *, public_origin: str = "") -> Model:
    """Reads a body into the model.

    Args:
        public_origin: what this server's links begin with; "" = no field is a target.

    Raises:
        ApiError: 400, with the messages of all wrong fields.
    """
    try:
        return model.model_validate(dict(body), context={_PUBLIC_ORIGIN: public_origin})
    except ValidationError as error:
        fields: FieldErrors = {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            message = _REQUIRED if problem["type"] == "missing" else problem["msg"]
            fields.setdefault(str(problem["loc"][0]), []).append(message)
        raise ApiError.invalid(fields) from None
