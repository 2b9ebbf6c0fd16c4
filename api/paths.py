"""What every path of the API does alike: its methods, its last slash, its headers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Guard, guard_event
from api.body import MEDIA_TYPES
from api.errors import ApiError
from api.idempotency import replay_kept
from api.negotiation import JSON
from api.parameters import Parameter

# The contract, "Slash": other methods are not redirected, as a client may drop their body.
_REDIRECTED_METHODS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path: who handles it, and what it takes and gives, for the API's description.

    Attributes:
        id: a name of its own, which generated clients have for it.
        status: of success.
        reads: what clients read, a type; None = no body.
        writes: what they write; None = no body.
        parameters: of the query, but those that every list has.
        other_statuses: of success as well, with the same body.
        conditional: whether a list has a date of its last change (api/conditional.py).
        media_types: what it answers with besides JSON (api/negotiation.py).
        checks_query: whether a parameter of the query that can't be meant is an error.
    """

    id: str
    endpoint: Callable[..., Awaitable[Response]]
    status: int = 200
    reads: Any = None
    writes: type[BaseModel] | None = None
    parameters: tuple[Parameter, ...] = ()
    other_statuses: tuple[int, ...] = ()
    conditional: bool = True
    media_types: tuple[str, ...] = ()
    checks_query: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredPath:
    """A path as it was added.

    Attributes:
        path: as the route spells it.
        name: for people.
    """

    path: str
    name: str
    operations: Mapping[str, Operation]


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of the API.

    Attributes:
        allow: the value of `Allow` by path, as the route spells it.
        declared: all of them, for the API's description.
    """

    app: FastAPI
    allow: dict[str, str] = field(default_factory=dict)
    declared: list[DeclaredPath] = field(default_factory=list)

    def add(
        self, path: str, name: str, guard: Guard = guard_event, **operations: Operation
    ) -> None:
        """Adds a path.

        Args:
            name: for people.
            guard: authorizes requests with methods that have no handler, as handlers do theirs.
            operations: by method. HEAD comes with GET, and OPTIONS and 405 with every path.
        """
        for method, operation in operations.items():
            self._route(path, method, operation)
        methods = list(operations)
        if "GET" in operations:
            methods.append("HEAD")
            self._route(path, "HEAD", operations["GET"])
        self.app.router.routes.append(Route(path, OtherMethods(path, name, guard)))
        self.allow[path] = ", ".join([*methods, "OPTIONS"])
        self.declared.append(DeclaredPath(path, name, operations))

    def _route(self, path: str, method: str, operation: Operation) -> None:
        # `api/description.py` describes them.
        self.app.add_api_route(path, operation.endpoint, methods=[method], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class OtherMethods:
    """Answers the methods of a path that have no handler: OPTIONS with a description, others 405.

    Authorizes first, as every handler does.
    """

    path: str
    name: str
    guard: Guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as an ASGI application."""
        scope["route"] = self  # FastAPI notes its own routes only
        request = Request(scope, receive, send)
        token = await self.guard(request)
        if request.method != "OPTIONS":
            await replay_kept(request, token)
            raise ApiError.method_not_allowed(request.method)
        response = JSONResponse(
            {"name": self.name, "description": "", "renders": [JSON], "parses": MEDIA_TYPES}
        )
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class RoutedHeaders:
    """Adds `Allow` and `Vary` to every answer of a path that has a route, errors too.

    Attributes:
        allow: the value of `Allow` by path, as the route spells it.
    """

    app: ASGIApp
    allow: Mapping[str, str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def send_with_headers(message: Message) -> None:
            allow = self.allow.get(getattr(scope.get("route"), "path", ""))
            if message["type"] == "http.response.start" and allow is not None:
                headers = MutableHeaders(scope=message)
                headers["Allow"] = allow
                headers["Vary"] = "Accept"
            await send(message)

        await self.app(scope, receive, send_with_headers)


@dataclass(frozen=True, slots=True)
class Unrouted:
    """Answers paths without a route: 301 when only the last slash is missing, 404 otherwise.

    Methods that may have a body get a 404 for the slash as well, which names it.
    """

    router: Router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as an ASGI application."""
        path = f"{scope['path']}/"
        if not self._is_routed({**scope, "path": path}):
            raise ApiError.not_found()
        if scope["method"] not in _REDIRECTED_METHODS:
            raise ApiError.not_found("Not found. The path must end with a slash.")
        query = scope["query_string"].decode("latin-1")
        location = quote(path) + (f"?{query}" if query else "")
        await Response(status_code=301, headers={"Location": location})(scope, receive, send)

    def _is_routed(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self.router.routes)
