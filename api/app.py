"""The application: every path of the API and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from api import docs
from api.buffering import ResponseBuffers
from api.campaigns import CAMPAIGNS
from api.categories import CATEGORIES
from api.description import TITLE, describe
from api.discovery import mount_discovery
from api.errors import HANDLERS
from api.events import mount_events
from api.expensive_reads import ExpensiveReads
from api.idempotency import Idempotency
from api.orders import mount_orders
from api.paths import Paths, RoutedHeaders, Unrouted
from api.qr_codes import mount_qr_codes
from api.resource import mount
from api.state import State
from api.statistics import mount_statistics
from serving.health import Health, health
from serving.security import SECURITY_HEADERS, content_security_policy
from tracking.background import cancel, start_vital
from tracking.database import Database
from tracking.settings import Settings
from tracking.token_uses import TokenUses

# Nobody's browser is to guess what an answer is, to tell where it was read, or to show it within
# another page. What is answered is for who asked, as it was then: no cache keeps it.
_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": content_security_policy(),
    "Cache-Control": "no-store",
}


class Api(FastAPI):
    """FastAPI whose answers all have those headers, those to errors that nobody foresaw too.

    Its answers have a `Date` of their own, so that no other date in them is later (RFC 9110,
    section 8.8.2.1): a server that would add one, as uvicorn does, read the clock up to a second
    earlier.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Date", formatdate(usegmt=True))
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


def create_app(settings: Settings) -> FastAPI:
    """The API as an ASGI app; it starts even while SQL is away, and answers 503 till it is back."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        database = Database.of(settings)
        own_health = Health(database)
        token_uses = TokenUses(database)
        response_buffers = ResponseBuffers(settings.database_path.parent, settings.database_timeout)
        work = (database.migrate_when_possible(), own_health.follow())
        tasks = [start_vital(part) for part in work]
        yield {
            "database": database,
            "settings": settings,
            "token_uses": token_uses,
            "response_buffers": response_buffers,
            "expensive_reads": ExpensiveReads(database, settings.list_timeout),
            "health": own_health,
        }
        await token_uses.close()
        await cancel(*tasks)
        await database.close()

    app = Api(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    paths = Paths(app)
    mount_discovery(paths)
    mount_events(paths)
    mount(paths, CAMPAIGNS)
    mount_orders(paths)
    mount_statistics(paths)
    mount_qr_codes(paths)
    mount(paths, CATEGORIES)
    app.router.routes.extend(docs.routes(TITLE, describe(paths.declared)))
    app.router.routes.append(Route("/healthz", health))
    app.router.default = Unrouted(app.router)
    app.add_middleware(Idempotency)
    app.add_middleware(RoutedHeaders, allow=paths.allow)
    return app
