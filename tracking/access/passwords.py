"""Passwords: which may be chosen, and how they are kept."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tracking.errors import WaymarkError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 1000
"""Characters. Length is what counts (NIST SP 800-63B, 5.1.1.2): there is no rule about kinds of
them; the upper limit bounds what hashing reads."""

# RFC 9106's second recommendation: 64 MiB, three passes.
_hasher = PasswordHasher()
# Each takes 64 MiB and a core: no more than two at once.
_threads = ThreadPoolExecutor(2, thread_name_prefix="passwords")
# Of no password: who signs in as nobody waits as long as who signs in wrongly.
_NOBODYS: Final = _hasher.hash("nobody has this password")


class InvalidPasswordError(WaymarkError):
    """A password that can't be chosen; the text says why."""


def check(password: str) -> None:
    """Whether a password may be chosen.

    Raises:
        InvalidPasswordError: it is too short, or longer than anybody types.
    """
    if len(password) < MIN_LENGTH:
        raise InvalidPasswordError(f"A password has {MIN_LENGTH} characters at least.")
    if len(password) > MAX_LENGTH:
        raise InvalidPasswordError(f"A password has {MAX_LENGTH:,} characters at most.")


async def hash_of(password: str) -> str:
    """What is stored of a password: Argon2id, salted, in its encoded form."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def is_right(password: str, hash: str | None) -> bool:
    """Whether it is the password of this hash; it takes as long for None, which has none."""
    if len(password) > MAX_LENGTH:
        password = ""
    loop = asyncio.get_running_loop()
    verified = await loop.run_in_executor(_threads, _verify, password, hash or _NOBODYS)
    return verified and hash is not None


def is_outdated(hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(hash)


def _verify(password: str, hash: str) -> bool:
    try:
        return _hasher.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False
