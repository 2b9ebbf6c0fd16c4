"""Secrets that stand in addresses and cookies. Only their digests are stored."""

import hashlib
import secrets

_BYTES = 32


def draw() -> str:
    """A new secret: 256 random bits, in 43 letters, digits, dashes and underscores."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """By which a secret is found: SHA-256, in hexadecimal digits.

    The time that a look-up takes may tell a guesser about digests in the index; they do not lead
    back to the secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
