"""`python -m loadtest.bounds`: what each attack costs each service, and what others notice."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from loadtest import machine
from loadtest.bounds.attacks import ATTACKS
from loadtest.checkout import Checkout
from loadtest.errors import LoadtestError
from loadtest.filling import link
from loadtest.growth.connections import allow_files
from loadtest.memory import resident
from loadtest.process import ROOT, clean_environment, exit_on_signals
from loadtest.report import aligned
from loadtest.waymark import Server, Waymark

SERVICES = ("redirector", "api")
HEADER = (
    "attack", "sent MB", "open", "MiB before", "most", "after", "p99 ms before", "meanwhile",
    "failed",
)  # fmt: skip

_PATIENCE_SECONDS = 5.0
_SAMPLE_SECONDS = 0.02
# Behind an attack, until its connections are gone and what they held is free.
_AFTER_SECONDS = 1.0


@dataclass(slots=True)
class Visits:
    """Another visitor's requests, each on a connection of its own."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def p99(self) -> float:
        """In milliseconds."""
        times = self.seconds if len(self.seconds) > 1 else [0.0, 0.0]
        return 1000 * quantiles(times, n=100, method="inclusive")[98]


@dataclass(slots=True)
class Outcome:
    """What an attack cost: the memory of the process, in bytes, and what another visitor saw.

    Attributes:
        sent: by the stranger, in bytes.
        open: his connections that were not closed at the end.
    """

    sent: int
    open: int
    before: int
    most: int
    after: int
    calm: Visits
    meanwhile: Visits


def main(arguments: Sequence[str] | None = None) -> int:
    """Attacks each service in each way.

    Returns:
        The exit status: 0; 1 when something could not be measured.
    """
    options = _parse(arguments)
    exit_on_signals()
    allow_files(max(count for count, _ in ATTACKS.values()))
    try:
        checkouts = [("", Checkout.here())]
        if options.beside is not None:
            checkouts.append((" of the other checkout", Checkout.at(options.beside)))
        print(machine.summary(machine.describe()))
        for service in SERVICES:
            for suffix, checkout in checkouts:
                rows = [_row(name, outcome) for name, outcome in _all(service, checkout, options)]
                print(f"\nThe {service}{suffix}\n")
                print("\n".join(aligned([HEADER, *rows])), flush=True)
    except (LoadtestError, OSError) as error:
        print(f"bench-bounds: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench-bounds",
        description="Measure what strangers' connections cost, and what another visitor notices.",
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each attack (3)")
    parser.add_argument("--percent", type=float, default=100.0, help="of each attack's size (100)")
    parser.add_argument(
        "--attack", action="append", choices=list(ATTACKS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--beside", type=Path, metavar="DIRECTORY", help="another checkout, which is attacked too"
    )
    return parser.parse_args(arguments)


def _all(
    service: str, checkout: Checkout, options: argparse.Namespace
) -> Iterator[tuple[str, Outcome]]:
    for name in options.attack or ATTACKS:
        with _serving(service, checkout) as server:
            yield name, asyncio.run(_measure(service, server, name, options))


@contextmanager
def _serving(service: str, checkout: Checkout) -> Iterator[Server]:
    """The service with an empty directory of its own, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        directory = Path(name)
        checkout.fill_links(directory, {"bounds": 1})
        waymark = Waymark(directory, checkout=checkout)
        if service == "api":
            # Its health page does not mind that nobody flushes.
            with waymark.api() as server:
                yield server
        else:
            with waymark.redis(), waymark.flusher(), waymark.redirector() as server:
                yield server


async def _measure(service: str, server: Server, name: str, options: argparse.Namespace) -> Outcome:
    path = link("bounds", 0) if service == "redirector" else "/api/v1/docs"
    calm, meanwhile = Visits(), Visits()
    await _visit(server.url, path, options.seconds / 2, calm)
    before = resident([server.pid])
    stranger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.bounds.attacks"),
        *(name, server.url, str(options.seconds), str(options.percent)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(Path.cwd()),
    )
    sizes = [before]
    sampling = asyncio.create_task(_sample(server.pid, sizes))
    visiting = asyncio.create_task(_visit(server.url, path, options.seconds + 1, meanwhile))
    output, _ = await stranger.communicate()
    await visiting
    if stranger.returncode:
        raise LoadtestError(f"the attack {name!r} ended with status {stranger.returncode}")
    await asyncio.sleep(_AFTER_SECONDS)
    sampling.cancel()
    told = json.loads(output)
    return Outcome(
        told["sent"], told["open"], before, max(sizes), resident([server.pid]), calm, meanwhile
    )


async def _sample(pid: int, sizes: list[int]) -> None:
    while True:
        sizes.append(resident([pid]))
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _visit(url: str, path: str, seconds: float, visits: Visits) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answered = await _ask(url, path)
        except (OSError, TimeoutError):
            answered = False
        if answered:
            visits.seconds.append(time.perf_counter() - start)
        else:
            visits.failed += 1
        await asyncio.sleep(0.002)


async def _ask(url: str, path: str) -> bool:
    """Whether it is answered, with a page or a redirect."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        received = await reader.read()
    finally:
        writer.close()
    return received.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    return (
        name,
        f"{outcome.sent / 1e6:.1f}",
        str(outcome.open),
        *(f"{size / (1 << 20):.1f}" for size in (outcome.before, outcome.most, outcome.after)),
        f"{outcome.calm.p99:.1f}",
        f"{outcome.meanwhile.p99:.1f}",
        str(outcome.meanwhile.failed),
    )


if __name__ == "__main__":
    sys.exit(main())
