"""The Starlette app: the links, and `/healthz`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from redirector.adoption import Adopter
from redirector.audience import audience_of
from redirector.background import cancel, start_vital
from redirector.channel import Channel
from redirector.express import STATE_KEY, Express
from redirector.links import Links
from redirector.recorder import Recorder
from redirector.redirect import (
    READING_METHODS,
    LinkRequest,
    Postponement,
    Redirect,
    Refusal,
    Rules,
    decide,
)
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.links import parse_path
from tracking.settings import Settings

# How long a stopping process waits for the last clicks to be in Redis or on disk.
_CLOSE_SECONDS = 1.5

_NO_STORE = {"Cache-Control": "no-store"}
_REFUSALS = {
    Refusal.NOT_FOUND: ("There is no such link.\n", {}),
    Refusal.METHOD_NOT_ALLOWED: ("This can only be read.\n", {"Allow": ", ".join(READING_METHODS)}),
}


@dataclass(frozen=True, slots=True)
class Service:
    """What lives as long as the process."""

    links: Links
    recorder: Recorder
    rules: Rules


def create_app(settings: Settings) -> Starlette:
    """The redirector as an ASGI app; it starts even while SQL and Redis are away."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Express]]:
        database = Database.of(settings)
        links = Links(database, settings.link_cache_size)
        recorder = Recorder(
            Channel.of(settings), database, settings.spool_dir, settings.commit_timeout
        )
        adopter = Adopter(Channel.of(settings), database, settings.spool_dir)
        rules = Rules(settings.shop_url, settings.forward_query, settings.public_origin)
        app.state.service = Service(links, recorder, rules)
        await recorder.start()
        feed = start_vital(links.follow_changes())
        adoption = start_vital(adopter.run())
        yield {STATE_KEY: Express(links, recorder, rules)}
        await cancel(feed)
        await cancel(adoption)
        await adopter.close()
        await recorder.close(_CLOSE_SECONDS)
        await database.close()

    return Starlette(
        routes=[
            Route("/healthz", _AnyMethod(health)),
            Route("/{path:path}", _AnyMethod(follow_link)),
        ],
        lifespan=lifespan,
    )


class _AnyMethod:
    """A handler of all methods. Starlette limits a function's route to methods that it chooses."""

    def __init__(self, handler: Callable[[Request], Awaitable[Response]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handler(Request(scope))
        await response(scope, receive, send)


async def follow_link(request: Request) -> Response:
    """Resolve, decide, count, lead on."""
    service: Service = request.app.state.service
    path = parse_path(request.scope["raw_path"])
    if path is None:
        return _refuse(Refusal.NOT_FOUND)
    if request.method not in READING_METHODS:
        return _refuse(Refusal.METHOD_NOT_ALLOWED)
    try:
        link = await service.links.find(path.code)
    except DatabaseUnavailableError:
        return PlainTextResponse(
            "Links can't be looked up now.\n", 503, {"Retry-After": "1", **_NO_STORE}
        )
    asked = LinkRequest(
        request.method, path, request.scope["query_string"], audience_of(request.headers.items())
    )
    decision = decide(asked, link, service.rules)
    if isinstance(decision, Refusal):
        return _refuse(decision)
    if decision.click is not None:
        await service.recorder.count(decision.click.campaign_id, decision.click.audience)
    return _postpone() if isinstance(decision, Postponement) else _redirect(decision)


async def health(request: Request) -> Response:
    """Whether the process can do its job.

    200 while links can be looked up, even when Redis is away: redirects go on then, and clicks are
    kept on disk. 503 when SQL is away, since links that are not in the cache can't be answered.
    """
    if request.method not in READING_METHODS:
        return _refuse(Refusal.METHOD_NOT_ALLOWED)
    service: Service = request.app.state.service
    sql, redis = service.links.presence, service.recorder.presence
    able = sql.known and not sql.away
    report = {
        "status": "down" if not able else "degraded" if redis.away else "ok",
        "sql": str(sql),
        "redis": str(redis),
        "durability": service.recorder.durability,
        "spooled_clicks": service.recorder.spooled_clicks,
        "unconfirmed_clicks": service.recorder.unconfirmed_clicks,
    }
    headers = _NO_STORE if able else {"Retry-After": "1", **_NO_STORE}
    return JSONResponse(report, 200 if able else 503, headers)


def _redirect(redirect: Redirect) -> Response:
    return Response(status_code=302, headers={"Location": redirect.location, **_NO_STORE})


def _postpone() -> Response:
    return Response(status_code=503, headers=_NO_STORE)


def _refuse(refusal: Refusal) -> Response:
    text, headers = _REFUSALS[refusal]
    return PlainTextResponse(text, refusal.value, {**headers, **_NO_STORE})
