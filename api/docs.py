"""The API's description for clients and people: the OpenAPI document, and Swagger UI to read it.

Neither needs a token. All of it comes from this server: it works without the internet.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from serving.security import content_security_policy

DOCUMENT = "/api/v1/openapi.json"
PAGE = "/api/v1/docs"

# Swagger UI's own files.
_BUNDLE, _STYLE, _ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"
_MEDIA_TYPES = {_BUNDLE: "text/javascript", _STYLE: "text/css", _ICON: "image/png"}
_START = "start.js"

# Swagger UI's style sheet has its icons in itself. Nothing may be written into the page to be run
# or to style it, or be loaded from anywhere else, whatever a part of it tries.
_POLICY = content_security_policy(
    script_src="'self'", style_src="'self'", img_src="'self' data:", connect_src="'self'"
)
_DAY = 24 * 60 * 60

_HTML = f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<link rel="stylesheet" href="{PAGE}/{_STYLE}">
<link rel="icon" href="{PAGE}/{_ICON}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{PAGE}/{_BUNDLE}"></script>
<script src="{PAGE}/{_START}"></script>
</body>
</html>
"""
_OPTIONS = {
    "url": DOCUMENT,
    "dom_id": "#swagger-ui",
    "deepLinking": True,
    # Without this, Swagger UI sends the document to a service of its makers.
    "validatorUrl": None,
}


def routes(title: str, document: Mapping[str, Any]) -> list[Route]:
    """The paths of the document, the page and the page's files."""
    page = HTMLResponse(
        _HTML.format(title=escape(title)), headers={"Content-Security-Policy": _POLICY}
    )
    start = _file(f"SwaggerUIBundle({json.dumps(_OPTIONS)});\n".encode(), "text/javascript")
    answers = {DOCUMENT: JSONResponse(document), PAGE: page, f"{PAGE}/{_START}": start}
    for name, media_type in _MEDIA_TYPES.items():
        content = (files("fastapi_swagger.resources") / name).read_bytes()
        answers[f"{PAGE}/{name}"] = _file(content, media_type)
    return [Route(path, _answering(response)) for path, response in answers.items()]


def _answering(response: Response) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return response

    return endpoint


def _file(content: bytes, media_type: str) -> Response:
    headers = {"Cache-Control": f"max-age={_DAY}"}
    return Response(content, media_type=media_type, headers=headers)
