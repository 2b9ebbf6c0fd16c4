"""Errors as the contract words them: the only place that knows their HTTP statuses."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from serving.health import RETRY_AFTER
from tracking.errors import (
    DatabaseUnavailableError,
    DuplicateCodeError,
    KeyClaimedError,
    OrderTakenError,
    QueryTimeoutError,
)

FieldErrors = dict[str, list[str]]
"""Messages by field, all wrong fields of a body together."""

NON_FIELD_ERRORS = "non_field_errors"
NULL_CHARACTERS = "Null characters are not allowed."
CODE_TAKEN: FieldErrors = {"code": ["campaign with this code already exists."]}

_AWAY = "The database can't be used right now. Please try again."
_TOO_SLOW = "It took too long to read. Please ask for less."


class ApiError(Exception):
    """An answer that is an error.

    Args:
        body: `{"detail": …}`, or messages by field.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers

    @classmethod
    def invalid(cls, fields: FieldErrors) -> Self:
        """The body's fields are wrong."""
        return cls(400, fields)

    @classmethod
    def malformed(cls, detail: str) -> Self:
        """The body can't be read at all."""
        return cls(400, {"detail": detail})

    @classmethod
    def not_authenticated(cls, detail: str) -> Self:
        """No token, or none that is known."""
        return cls(401, {"detail": detail}, {"WWW-Authenticate": "Token"})

    @classmethod
    def forbidden(cls) -> Self:
        """Outside what the token allows; the same for what does not exist there."""
        return cls(403, {"detail": "You do not have permission to perform this action."})

    @classmethod
    def not_found(cls, detail: str = "Not found.") -> Self:
        """No such path, page or object."""
        return cls(404, {"detail": detail})

    @classmethod
    def method_not_allowed(cls, method: str) -> Self:
        """The path has no such method; its `Allow` is added where every routed answer gets one."""
        return cls(405, {"detail": f'Method "{method}" not allowed.'})

    @classmethod
    def not_acceptable(cls) -> Self:
        """The client takes everything but JSON."""
        return cls(406, {"detail": "Could not satisfy the request Accept header."})

    @classmethod
    def too_large(cls, limit: int) -> Self:
        """The body is over the limit."""
        return cls(413, {"detail": f"The body is larger than {limit} bytes."})

    @classmethod
    def unsupported_media_type(cls, content_type: str) -> Self:
        """A body in a format that nobody here reads."""
        return cls(415, {"detail": f'Unsupported media type "{content_type}" in request.'})

    @classmethod
    def unavailable(cls, detail: str) -> Self:
        """It can't be answered now, but may be later."""
        return cls(503, {"detail": detail}, {"Retry-After": str(RETRY_AFTER)})


def answer(error: Exception) -> Response:
    """The response to an error; what was not foreseen is a 500 that tells nothing."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody is there to read it
    worded = _worded(error)
    return JSONResponse(worded.body, worded.status, worded.headers)


def _worded(error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case DuplicateCodeError():
            return ApiError.invalid(CODE_TAKEN)
        case OrderTakenError():
            return ApiError(409, {"detail": str(error)})
        case KeyClaimedError():
            detail = "Concurrent request with idempotency key."
            return ApiError(409, {"detail": detail}, {"Retry-After": str(RETRY_AFTER)})
        case DatabaseUnavailableError():
            slow = isinstance(error, QueryTimeoutError)
            return ApiError.unavailable(_TOO_SLOW if slow else _AWAY)
        case _:
            return ApiError(500, {"detail": "An internal error happened; it was logged."})


async def _respond(request: Request, error: Exception) -> Response:
    return answer(error)


async def _respond_to_framework(request: Request, error: HTTPException) -> Response:
    """Rewords the framework's own errors, like a method that a path does not have."""
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return answer(ApiError.not_found())
        case 405:
            # The framework joins a set, in any order.
            allow = ", ".join(sorted(headers.get("Allow", "").split(", ")))
            wrong_method = ApiError.method_not_allowed(request.method)
            return JSONResponse(wrong_method.body, wrong_method.status, {"Allow": allow})
        case status:
            return JSONResponse({"detail": error.detail}, status, headers)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _respond_to_framework,
    ApiError: _respond,
    DuplicateCodeError: _respond,
    OrderTakenError: _respond,
    KeyClaimedError: _respond,
    DatabaseUnavailableError: _respond,
    ClientDisconnect: _respond,
    # Starlette answers with this one, then raises the error again, and uvicorn logs it.
    Exception: _respond,
}
