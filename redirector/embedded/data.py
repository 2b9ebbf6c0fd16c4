"""The log that versions before journals left in an embedded server's directory.

The server reads it once, and the flusher moves its counters into SQL (redirector/upgrade). A server
that does not see what another has left starts empty, and the clicks in it are lost. Redis
before 7.0 keeps one file, `appendonly.aof`; Redis since then, and Valkey, a directory of files that
a manifest lists, and take over the file when there is no manifest yet. The snapshot that the first
of them begins with says its format: `REDIS0011`, `VALKEY080`.
"""

import re
from pathlib import Path
from shutil import rmtree

from redirector.embedded.binary import RedisBinary
from tracking.errors import WaymarkError

# Held by the process that is the server, and by who must be alone with its data.
LOCK = "lock"
FILE = "appendonly.aof"
DIRECTORY = "appendonlydir"
MANIFEST = f"{DIRECTORY}/{FILE}.manifest"

_FORMAT = re.compile(rb"(REDIS|VALKEY)(\d{3,4})")
_LONGEST = 9
_BASE = re.compile(r"^file (\S+) seq \d+ type b\b", re.MULTILINE)

_DIRECTORY_SINCE = (7, 0)
# The format that a version of Redis was the first to write, and since which version of Valkey that
# reads it. Redis 7.4 and later have a licence, and formats, that Valkey has no part in; a format of
# a version that is not known here is left to the server, which ends when it can't read it.
_REDIS_FORMATS = {10: (7, 0), 11: (7, 2), 12: (7, 4)}
_LAST_COMMON_FORMAT = 11
_VALKEY_FORMATS_SINCE = (9, 0)


class UnreadableDataError(WaymarkError):
    """A directory holds what the server can't read, or would not see."""


def has_log(directory: Path) -> bool:
    """Whether a version before journals left a log of its counters there.

    Raises:
        OSError: the directory can't be read.
    """
    return (directory / FILE).exists() or (directory / DIRECTORY).exists()


def remove_log(directory: Path) -> None:
    """Removes it: its counters are in SQL, and no server writes to it any more.

    Raises:
        OSError: it can't be removed.
    """
    (directory / FILE).unlink(missing_ok=True)
    if (directory / DIRECTORY).exists():
        rmtree(directory / DIRECTORY)


def check(directory: Path, server: RedisBinary) -> None:
    """Makes sure that the server will read all that is there.

    Raises:
        UnreadableDataError: it can't; the text says what to do.
        OSError: the directory can't be read.
    """
    manifest, file = directory / MANIFEST, directory / FILE
    if not manifest.exists():
        if file.exists():
            _check_format(file, server)
        return
    if server.product == "Redis" and server.version[:2] < _DIRECTORY_SINCE:
        raise _unreadable(manifest.parent, "Redis 7.0 or later, or Valkey", server)
    base = _BASE.search(manifest.read_text())
    if base is None:
        return
    first = manifest.with_name(base[1])
    if file.exists():
        # The server was stopped while it took the file over, and will go on with that.
        if base[1] == FILE and not first.exists():
            first = file
        else:
            raise UnreadableDataError(
                f"{directory} holds the data of two servers, {FILE} and {DIRECTORY}, of which one "
                "would not be read: put one of them elsewhere, start and stop Waymark so that its "
                "clicks are counted, then do the same with the other"
            )
    if first.exists():
        _check_format(first, server)


def _check_format(file: Path, server: RedisBinary) -> None:
    with file.open("rb") as opened:
        found = _FORMAT.match(opened.read(_LONGEST))
    if found is None:
        return  # it begins with commands, which are the same everywhere
    number = int(found[2])
    if found[1] == b"VALKEY":
        if server.product == "Redis" or server.version[:2] < _VALKEY_FORMATS_SINCE:
            raise _unreadable(file, "Valkey 9.0 or later", server)
        return
    if server.product == "Valkey":
        if number > _LAST_COMMON_FORMAT:
            raise _unreadable(file, "Redis 7.4 or later", server)
        return
    since = _REDIS_FORMATS.get(number)
    if since is not None and server.version[:2] < since:
        raise _unreadable(file, f"Redis {since[0]}.{since[1]} or later", server)


def _unreadable(path: Path, written_by: str, server: RedisBinary) -> UnreadableDataError:
    return UnreadableDataError(
        f"{path} was written by {written_by}, which {server} ({server.path}) can't read: name a "
        "server that can in the setting REDIS_SERVER"
    )
