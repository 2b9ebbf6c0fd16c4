"""`python -m loadtest.bench_api`: what the API does in an event of 100, and in one of 100,000."""

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from loadtest.errors import LoadtestError
from loadtest.filling import Filled, fill
from loadtest.loopback import HOST, free_ports
from loadtest.process import child, clean_environment, exit_on_signals
from loadtest.report import aligned

SIZES = (100, 100_000)
_KINDS = ("campaigns", "categories")

# Sizes and requests take turns, so that whatever else the machine does hits all of them alike.
_ROUNDS = 10
_REQUESTS_A_ROUND = 15
# Filling takes some 15 seconds more.
_MAX_SECONDS = 25.0
_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
_HEADER = ("request", "objects", "requests/s", "p50 ms", "p99 ms", "ratio of p50")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, of an event of some size."""

    name: str
    method: str
    path: str
    status: int
    body: bytes | None = None


@dataclass(slots=True)
class Times:
    """How long the answers took, in seconds."""

    taken: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Of one client that asks again at once."""
        return len(self.taken) / sum(self.taken)

    def percentile(self, number: int) -> float:
        """In milliseconds."""
        return quantiles(self.taken, n=100)[number - 1] * 1000


Measured = dict[tuple[str, int], Times]


class Client:
    """One connection to the API, kept open; the standard library's, which is quick enough."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=30)
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def ask(self, request: Request) -> bytes:
        """Sends the request and reads the whole answer.

        Raises:
            LoadtestError: the answer has another status.
        """
        self._connection.request(request.method, request.path, request.body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != request.status:
            raise LoadtestError(f"{request.name}: status {response.status}, {content[:200]!r}")
        return content

    def is_well(self) -> bool:
        """Whether the API is up."""
        try:
            self.ask(Request("health", "GET", "/healthz", 200))
        except (OSError, http.client.HTTPException, LoadtestError):
            self._connection.close()
            return False
        return True


def main() -> int:
    """Fills, starts, measures, prints.

    Returns:
        The exit status: 0, or 1 when something could not be done.
    """
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        directory = Path(name)
        try:
            filled = asyncio.run(fill(directory, SIZES))
            measured = _serve_and_measure(directory, filled)
        except (LoadtestError, OSError, http.client.HTTPException) as error:
            print(f"bench-api: {error}", file=sys.stderr)
            return 1
    print(table(measured))
    return 0


def _serve_and_measure(directory: Path, filled: Filled) -> Measured:
    [port] = free_ports(1)
    environment = {
        **clean_environment(directory),
        "HOST": HOST,
        "API_PORT": str(port),
        "DATA_DIR": str(directory),
    }
    log = directory / "api.log"
    with (
        log.open("wb") as output,
        child("api", [], environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        client = Client(port, filled.token)
        deadline = time.monotonic() + _READY_SECONDS
        while not client.is_well():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LoadtestError(f"the API did not start: {log.read_text(errors='replace')}")
            time.sleep(0.05)
        try:
            return measure(client.ask, [_requests(client, filled, size) for size in SIZES])
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _requests(client: Client, filled: Filled, size: int) -> tuple[int, list[Request]]:
    """What is asked in the event of this size."""
    requests = []
    for kind in _KINDS:
        path = filled.paths[size] + kind + "/"
        first = json.loads(client.ask(Request("first", "GET", path, 200)))
        if first["count"] != size:
            raise LoadtestError(f"{path} has {first['count']} of {size} {kind}")
        new = {"campaigns": {"description": "New"}, "categories": {"name": "New"}}[kind]
        body = json.dumps(new).encode()
        id = first["results"][-1]["id"]
        requests += [
            Request(f"{kind}, page 1", "GET", path, 200),
            Request(f"{kind}, last page", "GET", f"{path}?page=last", 200),
            Request(f"{kind}, one", "GET", f"{path}{id}/", 200),
            Request(f"{kind}, new", "POST", path, 201, body),
        ]
    path = filled.paths[size] + "campaigns/"
    requests += [
        Request("campaigns, most clicked", "GET", f"{path}?ordering=-click_count", 200),
        Request("campaigns, by two columns", "GET", f"{path}?ordering=order_count,-code", 200),
        Request("campaigns, searched", "GET", f"{path}?search=NUMBER%2042", 200),
    ]
    return size, requests


def measure(
    ask: Callable[[Request], bytes], events: Sequence[tuple[int, Sequence[Request]]]
) -> Measured:
    """Asks everything in turn, several times over, until the time is up at the latest."""
    deadline = time.monotonic() + _MAX_SECONDS
    measured: Measured = {}
    for number in range(_ROUNDS + 1):
        # The first round fills caches, and is not counted.
        if number > 1 and time.monotonic() > deadline:
            break
        for requests in zip(*(requests for _, requests in events), strict=True):
            for (size, _), request in zip(events, requests, strict=True):
                taken = [_time(ask, request) for _ in range(_REQUESTS_A_ROUND)]
                if number:
                    measured.setdefault((request.name, size), Times()).taken += taken
    return measured


def _time(ask: Callable[[Request], bytes], request: Request) -> float:
    start = time.perf_counter()
    ask(request)
    return time.perf_counter() - start


def table(measured: Measured) -> str:
    """One line a request and size; the ratio is that of its time to the one at the first size."""
    rows = [_HEADER]
    for (name, size), times in measured.items():
        base = measured[name, SIZES[0]].percentile(50)
        rows.append(
            (
                name,
                f"{size:,}",
                f"{times.per_second:,.0f}",
                f"{times.percentile(50):.2f}",
                f"{times.percentile(99):.2f}",
                f"{times.percentile(50) / base:.2f}",
            )
        )
    return "\n".join(aligned(rows))


if __name__ == "__main__":
    sys.exit(main())
