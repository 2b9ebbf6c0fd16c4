"""Which formats a client takes: JSON is the only one there is."""

from starlette.datastructures import Headers

from api.errors import ApiError

JSON = "application/json"

_SPACES = " \t"  # RFC 9110, section 5.6.3; Python strips more

# Media ranges that JSON satisfies, by how specific they are (RFC 9110, section 12.5.1).
_SPECIFICITY = {"*/*": 0, "application/*": 1, JSON: 2}


def require_json_accepted(headers: Headers) -> None:
    """Checks that JSON satisfies the Accept header; without one, anything goes.

    Parameters of a range but its weight don't matter: `application/json; indent=4` is JSON.

    Raises:
        ApiError: 406.
    """
    ranges = [part for value in headers.getlist("accept") for part in value.split(",")]
    if not any(part.strip(_SPACES) for part in ranges):
        return
    best, accepted = -1, False
    for part in ranges:
        media_range, *parameters = (word.strip(_SPACES).lower() for word in part.split(";"))
        specificity = _SPECIFICITY.get(media_range, -1)
        if specificity > best:
            best, accepted = specificity, not any(map(_is_zero_weight, parameters))
    if not accepted:
        raise ApiError.not_acceptable()


def _is_zero_weight(parameter: str) -> bool:
    """Whether it says `q=0`: not acceptable (RFC 9110, section 12.4.2)."""
    name, weight = (part.strip(_SPACES) for part in f"{parameter}=".split("=")[:2])
    return name == "q" and weight in {"0", "0.", "0.0", "0.00", "0.000"}
