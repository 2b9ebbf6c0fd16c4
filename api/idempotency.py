"""`X-Idempotency-Key` (the contract, "Idempotency"): a request that is repeated is done once.

A request that its token allows, and that has a handler, claims its key; a write keeps its answer
within its own transaction (api/writing.py); what nothing was written for is kept or given up here,
around all handlers. What was refused before that, by its head or its token alone, is refused again
whenever it is repeated: nothing need be kept for it, and nobody who may not write makes us write.
"""

from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, answer
from api.state import database_of
from tracking import idempotency
from tracking.database import Transaction
from tracking.errors import DatabaseUnavailableError, KeyClaimedError
from tracking.idempotency import Answer, Claim
from tracking.tokens import Token

HEADER = "X-Idempotency-Key"
MAX_LENGTH = 255
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# 409 and 429 tell the client to come again, as does every 5xx.
_NOT_KEPT = frozenset({409, 429})


class Replay(Exception):  # noqa: N818 - no error: the request was answered before
    """Ends a request whose key has its answer already."""

    def __init__(self, kept: Answer) -> None:
        super().__init__(kept.status)
        self.kept = kept


async def claim_key(request: Request, token: Token) -> None:
    """Claims the request's key, if it has one and its method is for keys.

    Raises:
        ApiError: 400, the key is too long.
        KeyClaimedError: the first request with this token and key is being worked on.
        Replay: the first was answered.
    """
    key = _key(request.method, request.headers)
    if not key:
        return
    if len(key) > MAX_LENGTH:
        detail = f"Ensure that {HEADER} has no more than {MAX_LENGTH} characters."
        raise ApiError.malformed(detail)
    async with database_of(request).write() as transaction:
        found = await idempotency.claim(transaction, token.id, key)
    if isinstance(found, Answer):
        raise Replay(found)
    request.state.claim = found


async def replay_kept(request: Request, token: Token) -> None:
    """Repeats what was answered to the first request with the key, for one without a handler.

    Raises:
        Replay: there was one, and it was answered.
    """
    key = _key(request.method, request.headers)
    if not key:
        return
    async with database_of(request).read() as transaction:
        found = await idempotency.find(transaction, token.id, key)
    if found is not None:
        raise Replay(found)


async def keep_written(request: Request, transaction: Transaction, response: Response) -> None:
    """Keeps the answer to a write, for the request's key, in the write's own transaction.

    Raises:
        KeyClaimedError: this request took so long that another one has its key now.
    """
    claim: Claim | None = getattr(request.state, "claim", None)
    if claim is not None:
        headers = _decoded(response.raw_headers)
        kept = Answer(response.status_code, headers, bytes(response.body))
        await idempotency.keep(transaction, claim, kept)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Repeats answers, and keeps those that no write has kept."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or not _key(scope["method"], Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        request, exchange = Request(scope), _Exchange(receive)
        try:
            await self.app(scope, exchange.receive, exchange.hold)
        except Replay as replay:
            await _response(replay.kept)(scope, receive, send)
            return
        except Exception:
            await _give_up(request)
            raise
        try:
            await _settle(request, exchange)
        except (DatabaseUnavailableError, KeyClaimedError) as error:
            # The client must not hear what a later request would not be answered.
            await answer(error)(scope, receive, send)
            return
        for message in exchange.held:
            await send(message)


@dataclass(slots=True)
class _Exchange:
    """A request and its answer, which is held back until it is kept.

    Attributes:
        broken: whether the client went away.
    """

    passed_on: Receive
    held: list[Message] = field(default_factory=list)
    broken: bool = False

    async def receive(self) -> Message:
        message = await self.passed_on()
        self.broken = self.broken or message["type"] == "http.disconnect"
        return message

    async def hold(self, message: Message) -> None:
        self.held.append(message)

    @property
    def answer(self) -> Answer:
        start, *parts = self.held
        body = b"".join(part.get("body", b"") for part in parts)
        return Answer(start["status"], _decoded(start["headers"]), body)


async def _settle(request: Request, exchange: _Exchange) -> None:
    """Keeps an answer that is for good. After a write it is kept already, and its claim over."""
    claim: Claim | None = getattr(request.state, "claim", None)
    if claim is None or exchange.answer.status < 400:
        return
    kept = exchange.answer.status < 500 and exchange.answer.status not in _NOT_KEPT
    # What half a body was answered says nothing about the whole.
    if not kept or exchange.broken:
        await _give_up(request)
        return
    async with database_of(request).write() as transaction:
        await idempotency.keep(transaction, claim, exchange.answer)


async def _give_up(request: Request) -> None:
    """Lets the next request with the key be the first; without SQL the claim ends by its age."""
    claim: Claim | None = getattr(request.state, "claim", None)
    if claim is None:
        return
    try:
        async with database_of(request).write() as transaction:
            await idempotency.release(transaction, claim)
    except DatabaseUnavailableError:
        return


def _key(method: str, headers: Headers) -> str:
    """The request's key; "" = none."""
    return headers.get(HEADER, "") if method in METHODS else ""


def _decoded(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _response(kept: Answer) -> Response:
    response = Response(kept.body, kept.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers
    ]
    return response
