"""What no schema can tell schemathesis."""

import secrets
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode
from schemathesis.hooks import HookContext

_KEY = "X-Idempotency-Key"


@schemathesis.hook
def before_call(context: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
    """Makes unique what must be: keys, which would get another request's answer, and codes."""
    if case.headers and _KEY in case.headers:
        case.headers[_KEY] = secrets.token_hex()
    if _is_valid_campaign(case) and isinstance(case.body, dict) and "code" in case.body:
        case.body["code"] = f"{case.body['code']}"[:32] + secrets.token_hex(8)


def _is_valid_campaign(case: "Case[Any]") -> bool:
    is_order = "/orders/" in case.operation.path
    return (
        not is_order
        and case.meta is not None
        and case.meta.generation.mode is GenerationMode.POSITIVE
    )
