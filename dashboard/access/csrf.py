"""That a form was ours: a token in it, and where the browser says it comes from.

A token is made with a secret that only the browser's cookie holds, and looks different in each
page: one that is compressed and holds the same secret each time gives it away bit by bit (BREACH).
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request

FIELD = "csrf"
"""The name of the form's field."""


def token(key: str) -> str:
    """A token for a form.

    Args:
        key: the secret of the browser's cookie.
    """
    mask = secrets.token_bytes(sha256().digest_size)
    return urlsafe_b64encode(mask + _xor(mask, _digest(key))).decode()


def is_valid(key: str, token: str) -> bool:
    """Whether a token was made with this key."""
    try:
        joined = urlsafe_b64decode(token)
    except ValueError:
        return False
    half = len(joined) // 2
    return hmac.compare_digest(_xor(joined[:half], joined[half:]), _digest(key))


def is_from_here(request: Request, origin: str) -> bool:
    """Whether the browser says that a page of this server sends the request.

    Args:
        origin: what the dashboard's addresses begin with. A page under the host that was asked
            counts too: where nobody set `DASHBOARD_URL`, people come by whatever name works.
    """
    said = request.headers.getlist("origin")
    if len(said) != 1:
        return False
    try:
        netloc = urlsplit(said[0]).netloc
    except ValueError:
        return False
    return said[0] == origin or (netloc != "" and netloc == request.headers.get("host"))


def _digest(key: str) -> bytes:
    return hmac.digest(key.encode(), b"a form of the dashboard", "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
