"""The embedded Redis as a service, and what is done to its memory."""

from collections.abc import Mapping
from pathlib import Path

from redis import Redis

from tests.system.service import Service
from tracking.settings import Settings

# A server that is frozen answers nobody.
_PATIENCE_SECONDS = 2.0


class RedisService(Service):
    """The server process.

    Attributes:
        socket: that it listens on.
        snapshot: the file that it begins with, when there is one.
    """

    def __init__(self, name: str, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(name, "redirector.embedded", environment)
        self.socket = settings.redis_socket
        self.snapshot: Path = settings.redis_dir / "dump.rdb"

    def client(self) -> Redis:
        """A blocking client."""
        return Redis(unix_socket_path=str(self.socket), socket_timeout=_PATIENCE_SECONDS)

    def copy(self) -> bytes:
        """What it has in memory now.

        Raises:
            RedisError: it does not answer.
        """
        with self.client() as client:
            client.save()
        copied = self.snapshot.read_bytes()
        self.snapshot.unlink()
        return copied
