"""The application: every address of the dashboard and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard.access.door import Address, SignInRequiredError, find_visit, to_sign_in
from dashboard.access.throttle import Throttle
from dashboard.assets import Assets
from dashboard.errors import PageError
from dashboard.headers import SecurityHeaders, security_headers
from dashboard.live import stream
from dashboard.live.hub import Hub
from dashboard.rendering import Renderer
from dashboard.screens import (
    account,
    campaign,
    campaign_form,
    event,
    events,
    exporting,
    many,
    qr_code,
    sharing,
    signing_in,
)
from dashboard.screens.settings import api_tokens, event_settings, overview, people
from dashboard.state import State, renderer_of, settings_of
from serving.health import Health, health
from tracking.background import cancel, start_vital
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.settings import Settings

# Of whoever is signed in: the table that tests try every role on.
PAGES: tuple[Address, ...] = (
    *events.PAGES,
    *sharing.PAGES,
    *many.PAGES,
    *exporting.PAGES,
    *qr_code.PAGES,
    *stream.PAGES,
    *account.PAGES,
    *overview.PAGES,
    *people.PAGES,
    *api_tokens.PAGES,
    *event_settings.PAGES,
    *signing_in.PAGES,
    # What an organizer's slug begins comes last: the words above are reserved.
    *event.PAGES,
    *campaign_form.PAGES,
    *campaign.PAGES,
)

_MIN_COMPRESSED = 500  # bytes


def create_app(settings: Settings) -> Starlette:
    """The dashboard as an ASGI app; it starts even while SQL is away."""
    assets = Assets()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        database = Database.of(settings)
        own_health = Health(database)
        work = (database.migrate_when_possible(), own_health.follow())
        tasks = [start_vital(part) for part in work]
        hub = Hub(database)
        yield {
            "database": database,
            "settings": settings,
            "renderer": Renderer(assets),
            "throttle": Throttle(),
            "hub": hub,
            "health": own_health,
        }
        await hub.close()
        await cancel(*tasks)
        await database.close()

    app = Starlette(
        routes=_routes(assets),
        lifespan=lifespan,
        middleware=[
            Middleware(SecurityHeaders, settings=settings),
            Middleware(GZipMiddleware, minimum_size=_MIN_COMPRESSED),
        ],
        exception_handlers={
            PageError: _page_error,
            SignInRequiredError: _sign_in_required,
            HTTPException: _http_error,
            DatabaseUnavailableError: _unavailable,
            Exception: _unforeseen,
        },
    )
    app.router.redirect_slashes = False
    return app


def _routes(assets: Assets) -> list[BaseRoute]:
    return [
        Route("/healthz", health),
        Route("/static/{digest}/{name}", assets.answer),
        *signing_in.OPEN_ROUTES,
        *sharing.OPEN_ROUTES,
        *(page.route() for page in PAGES),
    ]


async def _page_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PageError)
    response = renderer_of(request).page(
        "error.html", error.status, visit=error.visit, title=error.title, text=error.text
    )
    response.headers.update(error.headers)
    return response


async def _sign_in_required(request: Request, _: Exception) -> Response:
    return to_sign_in(request)


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such address, or no such method of one."""
    assert isinstance(error, HTTPException)
    try:
        visit = await find_visit(request)
    except DatabaseUnavailableError as away:
        return await _unavailable(request, away)
    if visit is None:
        return to_sign_in(request)
    path = request.url.path
    if request.method == "GET" and not path.endswith("/"):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{path.strip('/')}/{query}", 301)
    return await _page_error(request, PageError.not_found(visit))


async def _unforeseen(request: Request, _: Exception) -> Response:
    """Starlette answers so outside of all middleware; the error is in the log."""
    response = await _page_error(request, PageError.unforeseen())
    response.headers.update(security_headers(settings_of(request)))
    return response


async def _unavailable(request: Request, _: Exception) -> Response:
    return await _page_error(request, PageError.unavailable())
