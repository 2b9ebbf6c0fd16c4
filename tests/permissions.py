"""File permissions that bind root too, who is elsewhere above them."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# linux/capability.h: to write, and to read and search, what one's permissions do not allow.
_DAC = (1 << 1) | (1 << 2)
_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def permissions_bind() -> Iterator[None]:
    """Meanwhile they bind this thread, and for good those that it starts."""
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    # For each half of the capabilities: effective, permitted, inheritable.
    data = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, data))
    effective = data[0]
    data[0] = effective & ~_DAC
    _check(_libc.capset(header, data))
    try:
        yield
    finally:
        data[0] = effective
        _check(_libc.capset(header, data))


def allow(path: Path, mode: int) -> None:
    """Changes a path's permissions."""
    path.chmod(mode)


def bound() -> tuple[str, ...]:
    """What a command begins with so that they bind its process."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "setpriv is part of util-linux"
    return setpriv, "--bounding-set", "-dac_override,-dac_read_search"


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
