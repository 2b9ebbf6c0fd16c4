"""The OpenAPI document: what the paths declare, and what all of them have in common."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from starlette.routing import compile_path

from api.body import FORM, MAX_BYTES, MULTIPART
from api.errors import NON_FIELD_ERRORS
from api.negotiation import JSON
from api.pagination import Page
from api.parameters import CONDITIONS, IDEMPOTENCY_KEY, PAGES, PATH, Parameter
from api.paths import DeclaredPath, Operation
from api.spellings import as_form

Json = dict[str, Any]

TITLE = "Waymark"
API_VERSION = "1"
"""As paths have it. The program's own is for those who have a token."""

_SECURITY = "token"
_ABOUT = """\
Tracking links for events, and how often each was clicked. Compatible with pretix's REST API.

Every path answers `HEAD` where it answers `GET`, and `OPTIONS`. `GET`, `HEAD`, `DELETE` and
`OPTIONS` without a path's last slash are sent to it with 301; other methods get a 404 that says so.
Unknown fields in a body are ignored. A request is checked in this order: the path's last slash, a
NUL in the query (400), `Accept` (406), token (401), permission (403), method (405), existence
(404), body.\
"""
_DETAIL: Json = {"$ref": "#/components/schemas/Detail"}
_FIELD_ERRORS: Json = {"$ref": "#/components/schemas/FieldErrors"}
_SCHEMAS: Json = {
    "Detail": {
        "type": "object",
        "description": "What went wrong.",
        "required": ["detail"],
        "properties": {"detail": {"type": "string"}},
    },
    "FieldErrors": {
        "type": "object",
        "description": "Messages by field, all wrong fields together; those that belong to none "
        f"are under `{NON_FIELD_ERRORS}`.",
        "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    },
}


class _Schemas(GenerateJsonSchema):
    """Schemas without the titles that only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def describe(paths: Iterable[DeclaredPath]) -> Json:
    """The document."""
    declared = list(paths)
    writer = _Writer(declared)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": API_VERSION, "description": _ABOUT},
        "paths": {path.path: writer.path(path) for path in declared},
        "components": {
            "schemas": {**writer.definitions, **_SCHEMAS},
            "securitySchemes": {
                _SECURITY: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Token`, a space, and the token that `waymark token create` "
                    "printed.",
                }
            },
        },
        "security": [{_SECURITY: []}],
    }


class _Writer:
    """Writes operations, once all types' schemas are known.

    Attributes:
        definitions: the schemas that others refer to, by name.
    """

    def __init__(self, paths: Iterable[DeclaredPath]) -> None:
        self._paths = list(paths)
        operations = [each for path in self._paths for each in path.operations.values()]
        wanted: dict[tuple[Any, JsonSchemaMode], TypeAdapter[Any]] = {}
        for operation in operations:
            if operation.reads is not None:
                wanted[operation.reads, "serialization"] = TypeAdapter(operation.reads)
            if operation.writes is not None:
                wanted[operation.writes, "validation"] = TypeAdapter(operation.writes)
        self._schemas, document = TypeAdapter.json_schemas(
            [(*key, adapter) for key, adapter in wanted.items()],
            ref_template="#/components/schemas/{model}",
            schema_generator=_Schemas,
        )
        self.definitions: Json = document.get("$defs", {})

    def path(self, path: DeclaredPath) -> Json:
        return {
            method.lower(): self._operation(path, method, operation)
            for method, operation in path.operations.items()
        }

    def _operation(self, path: DeclaredPath, method: str, operation: Operation) -> Json:
        return {
            "operationId": operation.id,
            "summary": f"{path.name}: {method}",
            "tags": [path.name.removesuffix(" List").removesuffix(" Instance")],
            "parameters": [each.described() for each in _parameters(path.path, method, operation)],
            **self._body(operation),
            "responses": dict(sorted(self._responses(path.path, method, operation))),
        }

    def _body(self, operation: Operation) -> Json:
        if operation.writes is None:
            return {}
        reference = self._schemas[operation.writes, "validation"]
        schema = self._resolve(reference)
        example = _example(schema)
        form = {"schema": as_form(schema)}
        content = {
            JSON: {"schema": reference, "example": example},
            FORM: form,
            MULTIPART: form,
        }
        return {"requestBody": {"required": bool(schema.get("required")), "content": content}}

    def _responses(
        self, path: str, method: str, operation: Operation
    ) -> Iterator[tuple[str, Json]]:
        for status in (operation.status, *operation.other_statuses):
            yield str(status), self._success(status, path, operation)
        yield from _errors(path, method, operation)

    def _success(self, status: int, path: str, operation: Operation) -> Json:
        headers = _LIST_HEADERS if _is_conditional(operation) else _HEADERS
        response: Json = {"description": HTTPStatus(status).phrase, "headers": headers}
        if operation.reads is not None:
            reference = self._schemas[operation.reads, "serialization"]
            response["content"] = {
                JSON: {"schema": reference, "example": self._read_example(reference)}
            }
        for media_type in operation.media_types:
            response.setdefault("content", {})[media_type] = {"schema": _text(media_type)}
        if status == 201:
            response["links"] = dict(self._links(path))
        return response

    def _links(self, path: str) -> Iterator[tuple[str, Json]]:
        """What can be done with a thing that was made: the paths that begin with its list's."""
        outer = compile_path(path)[2]
        for other in self._paths:
            inner = compile_path(other.path)[2].keys() - outer.keys()
            if not other.path.startswith(path) or len(inner) != 1:
                continue
            parameters = {name: f"$request.path.{name}" for name in outer}
            parameters |= {name: f"$response.body#/{name}" for name in inner}
            for operation in other.operations.values():
                described = {"operationId": operation.id, "parameters": parameters}
                yield operation.id, described

    def _resolve(self, schema: Mapping[str, Any]) -> Json:
        name = schema.get("$ref", "").rpartition("/")[2]
        found: Json = self.definitions[name] if name else dict(schema)
        return found

    def _read_example(self, reference: Mapping[str, Any]) -> Any:
        schema = self._resolve(reference)
        results = schema["properties"].get("results")
        if results is None:
            return _example(schema)
        item = _example(self._resolve(results["items"]))
        page = {"count": 1, "next": None, "previous": None, "results": [item]}
        return {**_example(schema), **page}


def _text(media_type: str) -> Json:
    """What has no schema of its own: a text, or bytes."""
    if media_type.startswith("text/"):
        return {"type": "string"}
    return {"type": "string", "format": "binary"}


def _is_list(operation: Operation) -> bool:
    return isinstance(operation.reads, type) and issubclass(operation.reads, Page)


def _is_conditional(operation: Operation) -> bool:
    return _is_list(operation) and operation.conditional


def _parameters(path: str, method: str, operation: Operation) -> list[Parameter]:
    in_path = [PATH[name] for name in compile_path(path)[2]]
    if _is_list(operation):
        conditions = CONDITIONS if operation.conditional else ()
        named = {each.name: each for each in (*PAGES, *operation.parameters)}
        return [*in_path, *named.values(), *conditions]
    if method != "GET":
        return [*in_path, *operation.parameters, IDEMPOTENCY_KEY]
    return [*in_path, *operation.parameters]


def _example(schema: Mapping[str, Any]) -> Json:
    return {
        name: field["examples"][0]
        for name, field in schema["properties"].items()
        if field.get("examples")
    }


def _header(description: str, schema: Json, *, required: bool = True) -> Json:
    return {"description": description, "required": required, "schema": schema}


_HEADERS: Json = {
    "Allow": _header("The path's methods.", {"type": "string"}),
    "Vary": _header("What the answer depends on.", {"type": "string"}),
}
_LIST_HEADERS: Json = {
    **_HEADERS,
    "Last-Modified": _header(
        "When something was last written; not there before the first time, and while it would be "
        "later than the answer's own date.",
        {"type": "string"},
        required=False,
    ),
}


def _problem(description: str, *schemas: Json, headers: Mapping[str, Json] | None = None) -> Json:
    response: Json = {"description": description, "headers": {**_HEADERS, **(headers or {})}}
    if schemas:
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
        response["content"] = {JSON: {"schema": schema}}
    return response


_RETRY_AFTER = _header("Seconds after which to try again.", {"type": "integer"})
_UNAUTHENTICATED = _problem(
    "No token, or none that is known.",
    _DETAIL,
    headers={"WWW-Authenticate": _header("The scheme.", {"type": "string", "const": "Token"})},
)
_UNAVAILABLE = _problem(
    "The database can't be used right now.", _DETAIL, headers={"Retry-After": _RETRY_AFTER}
)
_RUNNING = _problem(
    "A request with this idempotency key is under way, or what is asked for clashes with what is "
    "there.",
    _DETAIL,
    headers={"Retry-After": {**_RETRY_AFTER, "required": False}},
)


def _errors(path: str, method: str, operation: Operation) -> Iterator[tuple[str, Json]]:
    yield "401", _UNAUTHENTICATED
    yield "403", _problem("Outside what the token allows, or not there.", _DETAIL)
    yield "406", _problem("The Accept header leaves out JSON.", _DETAIL)
    yield "503", _UNAVAILABLE
    if _is_conditional(operation):
        yield "304", _problem("Nothing was written since.")
        yield "412", _problem("Something was written since.")
    if _is_list(operation):
        yield "404", _problem("There is no such page, or nothing with this id here.", _DETAIL)
    elif "{id}" in path:
        yield "404", _problem("There is nothing with this id here.", _DETAIL)
    if operation.writes is None:
        too_long = any("maxLength" in each.schema for each in operation.parameters)
        if too_long or operation.checks_query:
            told = "The query holds a NUL, or what can't be meant."
            yield "400", _problem(told, _FIELD_ERRORS, _DETAIL)
        else:
            yield "400", _problem("The query holds a NUL.", _DETAIL)
    else:
        yield "400", _problem("The body can't be read, or its fields.", _FIELD_ERRORS, _DETAIL)
        yield "413", _problem(f"The body has more than {MAX_BYTES} bytes.", _DETAIL)
        yield "415", _problem("The body's media type is none of these.", _DETAIL)
    if method != "GET":
        yield "409", _RUNNING
