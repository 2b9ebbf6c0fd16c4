"""Waymark's processes, each started by itself, so that what each of them takes can be read."""

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from loadtest.checkout import Checkout
from loadtest.errors import LoadtestError
from loadtest.loopback import HOST, free_ports
from loadtest.process import clean_environment, last_line, service

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Server:
    """A redirector, or what does something like it.

    Attributes:
        url: without a path.
        pid: of the process that answers, or of the one that started those.
    """

    url: str
    pid: int


Ready = Callable[[Server], None]
"""Returns when the server can be used, or raises a LoadtestError."""


class Waymark:
    """What the Procfile starts, on a database that is in the directory already.

    Each of its parts runs in a block of its own; the embedded Redis belongs around the others, and
    the flusher around what clicks come from: left in order, they take every click along.

    Args:
        directory: short, since a Unix socket's path is.
        cores: that all of it stays on; None: on any.
        settings: environment variables.
        checkout: whose code runs; None: this one's.
    """

    def __init__(
        self,
        directory: Path,
        cores: AbstractSet[int] | None = None,
        settings: Mapping[str, str] | None = None,
        checkout: Checkout | None = None,
    ) -> None:
        self.directory = directory
        self._checkout = checkout or Checkout.here()
        self._cores = cores
        self._environment = {
            **clean_environment(directory),
            "HOST": HOST,
            "DATA_DIR": str(directory),
            **(settings or {}),
        }

    @contextmanager
    def redis(self) -> Iterator[int]:
        """The embedded Redis; its process id."""
        with self._process("redirector.embedded") as pid:
            yield pid

    @contextmanager
    def flusher(self) -> Iterator[int]:
        """The flusher; its process id."""
        with self._process("redirector.flusher") as pid:
            yield pid

    @contextmanager
    def api(self) -> Iterator[Server]:
        """The API, when it is well."""
        with self._server("api", "API_PORT", wait_until_well) as server:
            yield server

    @contextmanager
    def redirector(
        self, module: str = "redirector", ready: Ready | None = None
    ) -> Iterator[Server]:
        """A redirector.

        Args:
            module: that is run for it.
            ready: waits until it can be used; None: until SQL and Redis are there for it.
        """
        with self._server(module, "REDIRECTOR_PORT", ready or wait_until_well) as server:
            yield server

    @contextmanager
    def _server(self, module: str, port_variable: str, ready: Ready) -> Iterator[Server]:
        [port] = free_ports(1)
        with self._process(module, {port_variable: str(port)}) as pid:
            server = Server(f"http://{HOST}:{port}", pid)
            try:
                ready(server)
            except LoadtestError as error:
                raise LoadtestError(f"{error}: {last_line(self._log(module))}") from None
            yield server

    @contextmanager
    def _process(self, module: str, settings: Mapping[str, str] | None = None) -> Iterator[int]:
        with service(
            [str(self._checkout.python), "-m", module],
            {**self._environment, **(settings or {})},
            log=self._log(module),
            cores=self._cores,
            directory=self._checkout.directory,
        ) as process:
            yield process.pid

    def _log(self, module: str) -> Path:
        return self.directory / f"{module}.log"


@dataclass(frozen=True, slots=True)
class Running:
    """All of it but the API, running."""

    waymark: Waymark
    redis: int
    flusher: int
    redirector: Server


@contextmanager
def running(waymark: Waymark) -> Iterator[Running]:
    """In the block it runs; behind it every click is in SQL."""
    with ExitStack() as stack:
        redis = stack.enter_context(waymark.redis())
        flusher = stack.enter_context(waymark.flusher())
        redirector = stack.enter_context(waymark.redirector())
        yield Running(waymark, redis, flusher, redirector)


def wait_until_well(server: Server, path: str = "/healthz") -> None:
    """Returns when it says that it is well.

    Raises:
        LoadtestError: it does not, or it ended.
    """
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        while not _is_well(client, path):
            if not _runs(server.pid) or time.monotonic() > deadline:
                raise LoadtestError(f"{server.url} did not start")
            time.sleep(_POLL_SECONDS)


def _is_well(client: httpx.Client, path: str) -> bool:
    try:
        response = client.get(path)
    except httpx.HTTPError:
        return False
    # A redirector without Redis answers 200 as well, and says "degraded".
    return response.is_redirect or (response.is_success and response.json()["status"] == "ok")


def _runs(pid: int) -> bool:
    """Whether a child of ours has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
