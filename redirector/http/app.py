"""The Starlette app: the links, `/healthz`, and the pages for who is not led on."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from redirector.counters.client import CounterClient
from redirector.counters.connection import connection_pool
from redirector.http import health, pages
from redirector.http.audience import audience_of
from redirector.http.decision import (
    READING_METHODS,
    LinkRequest,
    PrefetchRefusal,
    Refusal,
    decide,
)
from redirector.http.express import STATE_KEY, Express
from redirector.links.cache import Links
from redirector.links.destination import Rules
from redirector.links.names import EventNames, Names
from redirector.recording import shipping
from redirector.recording.durability import Durability
from redirector.recording.recorder import Recorder
from redirector.recording.recovery import Recovery
from redirector.upgrade.spools import SpoolMove
from serving.security import SECURITY_HEADERS
from tracking.background import cancel, start_vital
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.heartbeat import FlusherWatch
from tracking.links import LinkPath, parse_path
from tracking.settings import DEFAULT_SHOP_URL, Settings
from tracking.urls import location_of

# How long a stopping process waits for the last clicks to be on disk and in Redis.
_CLOSE_SECONDS = 1.5

_NO_STORE = {"Cache-Control": "no-store"}
# What has a body. An answer that leads on has not: browsers would take its policy to the target.
_GUARDED = {**_NO_STORE, **SECURITY_HEADERS}
_ALLOW = {"Allow": ", ".join(READING_METHODS)}
# A media range that is not wanted (RFC 9110, 12.4.2).
_NO_WEIGHT = re.compile(r"q=0(\.0*)?")
_EVENT = re.compile(rb"/([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+)/?")


@dataclass(frozen=True, slots=True)
class Service:
    """What lives as long as the process.

    Attributes:
        not_found_url: where who asks for a link that does not exist is led; None = a page says so.
        shows_events: whether events without a shop of their own have a page here; else `SHOP_URL`
            names one.
    """

    links: Links
    recorder: Recorder
    recovery: Recovery
    flusher: FlusherWatch
    not_found_url: str | None
    names: Names
    shows_events: bool


def create_app(settings: Settings) -> Starlette:
    """The redirector as an ASGI app; it starts even while SQL and Redis are away."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Express]]:
        database = Database.of(settings)
        recorder = Recorder(
            CounterClient.of(settings),
            database,
            settings.journal_dir,
            settings.commit_timeout,
            durability=Durability(settings.durability),
            ship_interval=min(shipping.INTERVAL, settings.flush_interval / 10),
        )
        recovery = Recovery(CounterClient.of(settings), database, settings.journal_dir)
        redis = Redis(connection_pool=connection_pool(settings, client_name="waymark-upgrade"))
        spools = SpoolMove(redis, database, settings.spool_dir, settings.journal_dir)
        not_found_url = location_of(settings.not_found_url) if settings.not_found_url else None
        origin = settings.public_origin
        rules = Rules(settings.shop_url, settings.forward_query, origin)
        links = Links(database, settings.link_cache_size, rules)
        flusher = FlusherWatch()
        app.state.service = Service(
            links,
            recorder,
            recovery,
            flusher,
            not_found_url,
            names=Names(database, origin),
            shows_events=settings.shop_url == DEFAULT_SHOP_URL,
        )
        await recorder.start()
        work = (links.follow_changes(), recovery.run(), spools.run(), flusher.follow(database))
        tasks = [start_vital(part) for part in work]
        yield {STATE_KEY: Express(links, recorder)}
        await cancel(*tasks)
        await recovery.close()
        await redis.aclose()
        await recorder.close(_CLOSE_SECONDS)
        await database.close()

    routes = [Route("/healthz", _AnyMethod(show_health)), Route("/", _AnyMethod(home))]
    app = Starlette(routes=routes, lifespan=lifespan)
    # No route's pattern takes a path with line ends, and there are links with some behind them.
    app.router.default = _AnyMethod(follow_link)
    app.router.redirect_slashes = False
    return app


class _AnyMethod:
    """A handler of all methods. Starlette limits a function's route to methods that it chooses."""

    def __init__(self, handler: Callable[[Request], Awaitable[Response]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handler(Request(scope))
        await response(scope, receive, send)


async def home(request: Request) -> Response:
    """What stands at the server's root."""
    if request.method not in READING_METHODS:
        return _refuse_method()
    return _page(pages.home(), 200)


async def follow_link(request: Request) -> Response:
    """Resolve, decide, count, lead on."""
    service: Service = request.app.state.service
    path = parse_path(request.scope["raw_path"])
    if path is None:
        return await show_event(request)
    if request.method not in READING_METHODS:
        return _refuse_method()
    try:
        link = await service.links.find(path.code)
    except DatabaseUnavailableError:
        return _unavailable(request)
    asked = LinkRequest(
        request.method, path, request.scope["query_string"], audience_of(request.headers.items())
    )
    decision = decide(asked, link)
    if isinstance(decision, Refusal):
        return await _refuse(request, decision, path)
    if decision.click is not None:
        await service.recorder.count(decision.click.campaign_id, decision.click.audience)
    if isinstance(decision, PrefetchRefusal):
        return _refuse_prefetch()
    return _lead_to(decision.location)


async def show_event(request: Request) -> Response:
    """The page of an event without a shop, where its links lead; else 404."""
    service: Service = request.app.state.service
    path = _EVENT.fullmatch(request.scope["raw_path"])
    if not service.shows_events or path is None or request.method not in READING_METHODS:
        return _not_found(request, EventNames())
    try:
        names = await service.names.find(path[1].decode(), path[2].decode())
    except DatabaseUnavailableError:
        return _unavailable(request)
    if names.event is None or names.has_shop:
        return _not_found(request, names)
    return _page(pages.event_without_shop(names.event, names.organizer), 200)


async def show_health(request: Request) -> Response:
    """Whether the process can do its job: 200, else 503."""
    if request.method not in READING_METHODS:
        return _refuse_method()
    service: Service = request.app.state.service
    report = health.report(service.links, service.recorder, service.recovery, service.flusher)
    if report["status"] == "down":
        return JSONResponse(report, 503, {"Retry-After": "1", **_GUARDED})
    return JSONResponse(report, 200, _GUARDED)


def _lead_to(location: str) -> Response:
    return Response(status_code=302, headers={"Location": location, **_NO_STORE})


def _refuse_prefetch() -> Response:
    return Response(status_code=503, headers=_NO_STORE)


async def _refuse(request: Request, refusal: Refusal, path: LinkPath) -> Response:
    if refusal is Refusal.METHOD_NOT_ALLOWED:
        return _refuse_method()
    service: Service = request.app.state.service
    if service.not_found_url is not None:
        return _lead_to(service.not_found_url)
    names = EventNames()
    if _wants_page(request):
        names = await service.names.find_if_idle(path.organizer, path.event)
    return _not_found(request, names)


def _refuse_method() -> Response:
    return _line("This can only be read.\n", 405, **_ALLOW)


def _not_found(request: Request, names: EventNames) -> Response:
    if _wants_page(request):
        return _page(pages.not_found(names.organizer, names.event), 404)
    return _line("There is no such link.\n", 404)


def _unavailable(request: Request) -> Response:
    retry = {"Retry-After": "1"}
    if _wants_page(request):
        return _page(pages.unavailable(), 503, **retry)
    return _line("Links can't be looked up now.\n", 503, **retry)


def _page(html: str, status: int, **headers: str) -> Response:
    return HTMLResponse(html, status, {**headers, **pages.HEADERS})


def _line(text: str, status: int, **headers: str) -> Response:
    return PlainTextResponse(text, status, {**headers, **_GUARDED})


def _wants_page(request: Request) -> bool:
    """Whether `Accept` names HTML, as a browser's does; one that takes anything is a tool's."""
    for media_range in ",".join(request.headers.getlist("accept")).lower().split(","):
        media_type, *parameters = map(str.strip, media_range.split(";"))
        if media_type == "text/html" and not any(map(_NO_WEIGHT.fullmatch, parameters)):
            return True
    return False
