"""Who asks, and what they may do: the token in the request, and the event in its path."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.errors import NULL_CHARACTERS, ApiError
from api.idempotency import claim_key
from api.negotiation import require_acceptable
from api.state import database_of, token_uses_of
from tracking import organizers, tokens
from tracking.organizers import Event
from tracking.tokens import Token

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# As it is, where a server lets it through, or escaped.
_NUL = re.compile(rb"\0|%00")


@dataclass(frozen=True, slots=True)
class Access:
    """A request that is allowed: with this token, to this event."""

    token: Token
    event: Event


async def authorize_token(request: Request) -> Token:
    """Checks the token, and that it may use the method, on a path that no organizer owns.

    Raises:
        ApiError: 400, 406, 401 or 403, in this order.
    """
    token = await _token_of(request)
    _allow(request, token, covered=True)
    return token


async def authorize_organizer(request: Request, organizer: str) -> Token:
    """Checks the token, and that it belongs to the organizer and may use the method.

    Args:
        organizer: the slug in the path.

    Raises:
        ApiError: 400, 406, 401 or 403, in this order.
    """
    token = await _token_of(request)
    _allow(request, token, covered=token.organizer == organizer)
    return token


async def authorize(request: Request, organizer: str, event: str) -> Access:
    """Checks the token, and that it covers the event and the method.

    Runs before the path and the body are looked at, so that nobody learns by errors what exists
    (the contract, "Authentication").

    Args:
        organizer: the organizer's slug in the path.
        event: the event's slug in the path.

    Raises:
        ApiError: 400, 406, 401 or 403, in this order.
    """
    secret = _read_secret(request)
    async with database_of(request).read() as connection:
        token = _known(await tokens.find(connection, secret))
        found = await organizers.find_event(connection, organizer, event)
    _allow(request, token, covered=found is not None and token.covers(found))
    assert found is not None
    return Access(token, found)


async def admit(request: Request, organizer: str, event: str) -> Access:
    """Authorizes a request that has a handler, and claims its idempotency key.

    Raises:
        ApiError: as `authorize` does; 400 for a key that is too long.
        Replay: it was answered before.
        KeyClaimedError: the first request with its key is being worked on.
    """
    access = await authorize(request, organizer, event)
    await claim_key(request, access.token)
    return access


Identified = Annotated[Token, Depends(authorize_token)]
OfOrganizer = Annotated[Token, Depends(authorize_organizer)]
Authorized = Annotated[Access, Depends(admit)]

Guard = Callable[[Request], Awaitable[Token]]
"""Authorizes a request by its path's parameters."""


async def guard_event(request: Request) -> Token:
    """For paths of an event."""
    parameters = request.path_params
    return (await authorize(request, parameters["organizer"], parameters["event"])).token


async def guard_organizer(request: Request) -> Token:
    """For paths of an organizer."""
    return await authorize_organizer(request, request.path_params["organizer"])


async def _token_of(request: Request) -> Token:
    secret = _read_secret(request)
    async with database_of(request).read() as connection:
        return _known(await tokens.find(connection, secret))


def _known(token: Token | None) -> Token:
    if token is None:
        raise ApiError.not_authenticated("Invalid token.")
    return token


def _allow(request: Request, token: Token, *, covered: bool) -> None:
    token_uses_of(request).note(token)
    if not covered or (token.read_only and request.method not in SAFE_METHODS):
        raise ApiError.forbidden()


def _read_secret(request: Request) -> str:
    """The token's secret, when all that comes before it in the order of checks is well."""
    if _NUL.search(request.scope["query_string"]):
        raise ApiError.malformed(NULL_CHARACTERS)
    require_acceptable(request)
    words = request.headers.get("authorization", "").encode("latin-1").split()
    if not words or words[0].lower() != b"token":
        raise ApiError.not_authenticated("Authentication credentials were not provided.")
    if len(words) == 1:
        raise ApiError.not_authenticated("Invalid token header. No credentials provided.")
    if len(words) > 2:
        raise ApiError.not_authenticated(
            "Invalid token header. Token string should not contain spaces."
        )
    try:
        return words[1].decode()
    except UnicodeDecodeError:
        raise ApiError.not_authenticated(
            "Invalid token header. Token string should not contain invalid characters."
        ) from None
