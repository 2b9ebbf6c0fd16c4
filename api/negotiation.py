"""Which formats a client takes: JSON, and what a few paths have besides."""

from collections.abc import Callable
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request

from api.errors import ApiError

JSON = "application/json"

_SPACES = " \t"  # RFC 9110, section 5.6.3; Python strips more

_more: dict[Callable[..., object], tuple[str, ...]] = {}

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def answers(*media_types: str) -> Callable[[Endpoint], Endpoint]:
    """Declares what an endpoint answers with besides JSON."""

    def declared(endpoint: Endpoint) -> Endpoint:
        _more[endpoint] = media_types
        return endpoint

    return declared


def require_acceptable(request: Request) -> None:
    """Checks that something the endpoint has satisfies the Accept header; without one, anything
    goes. A `format` in the query is a choice of its own.

    Raises:
        ApiError: 406.
    """
    endpoint = request.scope.get("endpoint")
    more = _more.get(endpoint, ()) if endpoint is not None else ()
    if more and "format" in request.query_params:
        return
    if not any(accepts(request.headers, each) for each in (JSON, *more)):
        raise ApiError.not_acceptable()


def accepts(headers: Headers, media_type: str) -> bool:
    """Whether a media type satisfies the Accept header (RFC 9110, section 12.5.1).

    Parameters of a range but its weight don't matter: `application/json; indent=4` is JSON.
    """
    ranges = [part for value in headers.getlist("accept") for part in value.split(",")]
    if not any(part.strip(_SPACES) for part in ranges):
        return True
    specificities = {"*/*": 0, f"{media_type.partition('/')[0]}/*": 1, media_type: 2}
    best, accepted = -1, False
    for part in ranges:
        media_range, *parameters = (word.strip(_SPACES).lower() for word in part.split(";"))
        specificity = specificities.get(media_range, -1)
        if specificity > best:
            best, accepted = specificity, not any(map(_is_zero_weight, parameters))
    return accepted


def _is_zero_weight(parameter: str) -> bool:
    """Whether it says `q=0`: not acceptable (RFC 9110, section 12.4.2)."""
    name, weight = (part.strip(_SPACES) for part in f"{parameter}=".split("=")[:2])
    return name == "q" and weight in {"0", "0.", "0.0", "0.00", "0.000"}
