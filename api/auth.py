"""Who asks, and what they may do: the token in the request, and the event in its path."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.errors import ApiError
from api.idempotency import Replay, claim_key
from api.negotiation import require_json_accepted
from api.state import database_of, token_uses_of
from tracking import organizers, tokens
from tracking.organizers import Event
from tracking.tokens import Token

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """A request that is allowed: with this token, to this event."""

    token: Token
    event: Event


async def authorize_token(request: Request) -> Token:
    """Checks the token, and that it may use the method, on a path that no organizer owns.

    Raises:
        ApiError: 401, 403, or 406.
    """
    secret = _read_secret(request)
    async with database_of(request).read() as connection:
        token = _known(await tokens.find(connection, secret))
    await _allow(request, token, covered=True)
    return token


async def authorize_organizer(request: Request, organizer: str) -> Token:
    """Checks the token, and that it belongs to the organizer and may use the method.

    Args:
        organizer: the slug in the path.

    Raises:
        ApiError: 401, 403, or 406.
    """
    secret = _read_secret(request)
    async with database_of(request).read() as connection:
        token = _known(await tokens.find(connection, secret))
    await _allow(request, token, covered=token.organizer == organizer)
    return token


async def authorize(request: Request, organizer: str, event: str) -> Access:
    """Checks the token, and that it covers the event and the method.

    Runs before anything else of a request is looked at, so that nobody learns by errors what
    exists (the contract, "Authentication").

    Args:
        organizer: the organizer's slug in the path.
        event: the event's slug in the path.

    Raises:
        ApiError: 401, 403, or 406.
    """
    secret = _read_secret(request)
    async with database_of(request).read() as connection:
        token = _known(await tokens.find(connection, secret))
        found = await organizers.find_event(connection, organizer, event)
    await _allow(request, token, covered=found is not None and token.covers(found))
    assert found is not None
    return Access(token, found)


Identified = Annotated[Token, Depends(authorize_token)]
OfOrganizer = Annotated[Token, Depends(authorize_organizer)]
Authorized = Annotated[Access, Depends(authorize)]

Guard = Callable[[Request], Awaitable[object]]
"""Authorizes a request by its path's parameters."""


async def guard_event(request: Request) -> None:
    """For paths of an event."""
    await authorize(request, request.path_params["organizer"], request.path_params["event"])


async def guard_organizer(request: Request) -> None:
    """For paths of an organizer."""
    await authorize_organizer(request, request.path_params["organizer"])


def _known(token: Token | None) -> Token:
    if token is None:
        raise ApiError.not_authenticated("Invalid token.")
    return token


async def _allow(request: Request, token: Token, *, covered: bool) -> None:
    token_uses_of(request).note(token)
    # A refusal is an answer to be kept as well; but what was kept is for those who may ask.
    kept = await claim_key(request, token)
    if not covered or (token.read_only and request.method not in SAFE_METHODS):
        raise ApiError.forbidden()
    if kept is not None:
        raise Replay(kept)
    require_json_accepted(request.headers)


def _read_secret(request: Request) -> str:
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
