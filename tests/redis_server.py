"""A real Redis server for tests, with the configuration that the embedded one has."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from redirector.embedded.__main__ import server_arguments
from redirector.embedded.binary import find_binary
from tracking.settings import Settings

_START_SECONDS = 20
# `make test-redis` names another than the one that comes along.
_CHOSEN = Path(os.environ["REDIS_SERVER"]) if "REDIS_SERVER" in os.environ else None


class RedisServer:
    """A server process in a directory of its own.

    Args:
        directory: short, since a Unix socket's path is.
    """

    def __init__(self, directory: Path) -> None:
        self._settings = Settings(data_dir=directory, redis_url=None)
        self._settings.redis_dir.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = self._settings.redis_socket
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [str(find_binary(_CHOSEN).path), *server_arguments(self._settings)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(RedisError), self.client() as client:
                client.ping()
                return
            if time.monotonic() > deadline:
                raise TimeoutError("the Redis server did not start")
            time.sleep(0.01)

    def client(self) -> Redis:
        """A blocking client."""
        return Redis(unix_socket_path=str(self.socket))

    def kill(self) -> None:
        """Ends the server as `kill -9` does."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Ends the server in order."""
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            self._wait()

    def save(self) -> Path:
        """Copies what the stopped server has on disk; where to."""
        copy = self._settings.data_dir / "copy"
        shutil.copytree(self._settings.redis_dir, copy, ignore=shutil.ignore_patterns("*.sock"))
        return copy

    def restore(self, copy: Path) -> None:
        """Puts a copy in the place of what the stopped server has on disk."""
        shutil.rmtree(self._settings.redis_dir)
        shutil.copytree(copy, self._settings.redis_dir)

    def freeze(self) -> None:
        """Stops the server in the middle of whatever it does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        self._signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped in the block, and going on behind it whatever happens there."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(_START_SECONDS)
        self._process = None
