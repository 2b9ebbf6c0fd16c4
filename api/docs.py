"""The API's description for clients and people: the OpenAPI document, and Swagger UI to read it.

Neither needs a token. All of it comes from this server: it works without the internet.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DOCUMENT = "/api/v1/openapi.json"
PAGE = "/api/v1/docs"

_SCRIPT, _STYLE, _ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"
_MEDIA_TYPES = {_SCRIPT: "text/javascript", _STYLE: "text/css", _ICON: "image/png"}
# The page starts Swagger UI by a script of its own, and Swagger UI styles elements and draws icons
# in place. Nothing else may be loaded from anywhere, whatever a part of it tries.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)
_DAY = 24 * 60 * 60


def routes(title: str, document: Mapping[str, Any]) -> list[Route]:
    """The paths of the document, the page and the page's files."""
    page = get_swagger_ui_html(
        openapi_url=DOCUMENT,
        title=title,
        swagger_js_url=f"{PAGE}/{_SCRIPT}",
        swagger_css_url=f"{PAGE}/{_STYLE}",
        swagger_favicon_url=f"{PAGE}/{_ICON}",
        # Without this, Swagger UI sends the document to a service of its makers.
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = _POLICY
    answers = {DOCUMENT: JSONResponse(document), PAGE: page}
    answers |= {f"{PAGE}/{name}": _file(name) for name in _MEDIA_TYPES}
    return [Route(path, _answering(response)) for path, response in answers.items()]


def _answering(response: Response) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return response

    return endpoint


def _file(name: str) -> Response:
    content = (files("fastapi_swagger.resources") / name).read_bytes()
    headers = {"Cache-Control": f"max-age={_DAY}"}
    return Response(content, media_type=_MEDIA_TYPES[name], headers=headers)
