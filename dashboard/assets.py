"""Style sheet, scripts and the mark: files that a browser keeps for as long as they are the same.

Their addresses hold a digest of all of them, so that a new version has new addresses, and a script
finds what it imports beside itself.
"""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from mimetypes import guess_type

from starlette.requests import Request
from starlette.responses import Response

_FOR_EVER = "public, max-age=31536000, immutable"
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    content: bytes
    compressed: bytes


class Assets:
    """The files of `dashboard/static`, read once."""

    def __init__(self) -> None:
        found = sorted(
            (each for each in resources.files("dashboard").joinpath("static").iterdir()),
            key=lambda each: each.name,
        )
        digest = sha256()
        self._files: dict[str, _File] = {}
        for path in found:
            content = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + content)
            media_type = guess_type(path.name)[0] or "application/octet-stream"
            compressed = gzip.compress(content, mtime=0)
            self._files[path.name] = _File(media_type, content, compressed)
        self._digest = digest.hexdigest()[:_DIGITS]

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            KeyError: there is none with this name.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._digest}/{name}"

    async def answer(self, request: Request) -> Response:
        """Answers `/static/<digest>/<name>`; for an older digest what is there now, to no cache."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404)
        current = request.path_params["digest"] == self._digest
        headers = {
            "Cache-Control": _FOR_EVER if current else "no-store",
            "Vary": "Accept-Encoding",
        }
        content = file.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = file.compressed, "gzip"
        return Response(content, media_type=file.media_type, headers=headers)
