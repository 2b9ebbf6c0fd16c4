"""`python -m loadtest.bench_dashboard`: an event's screens with 100 links, and with 10,000."""

import asyncio
import gzip
import http.client
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import func, insert, select

from loadtest.errors import LoadtestError
from loadtest.loopback import HOST, free_ports
from loadtest.process import child, clean_environment, exit_on_signals
from loadtest.report import aligned
from tracking import campaigns
from tracking.access import sessions, users
from tracking.access.users import Role
from tracking.campaigns import NewCampaign
from tracking.clicks import Audience, hour_of
from tracking.database import Database, insert_many
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.tables import campaigns as campaigns_table
from tracking.tables import click_hours, event_hours

SIZES = (100, 10_000)
HOURLY_ROWS = 1_000_000
"""Of each event, with ten clicks each on average."""
_DAYS = 91
_ROUNDS = 15
_AT_ONCE = 10_000
_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
_HEADER = ("screen", "links", "p50 ms", "max ms", "ratio of p50", "KB", "KB gzipped")
_ORGANIZER = "bench"


@dataclass(frozen=True, slots=True)
class Screen:
    """What is asked for, of an event of some size."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How long its first byte took, in seconds, and how large it was.

    Attributes:
        taken: of each round but the first.
        size, compressed: bytes.
    """

    taken: Sequence[float]
    size: int
    compressed: int


def main() -> int:
    """Fills, starts, measures, prints.

    Returns:
        The exit status: 0, or 1 when something could not be done.
    """
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        directory = Path(name)
        try:
            secret = asyncio.run(fill(directory))
            with _running(directory) as port:
                seen = {
                    (screen.name, size): _measure(port, secret, screen)
                    for size in SIZES
                    for screen in _screens(size)
                }
        except (LoadtestError, OSError, http.client.HTTPException) as error:
            print(f"bench-dashboard: {error}", file=sys.stderr)
            return 1
    print(table(seen))
    return 0


async def fill(directory: Path) -> str:
    """Makes an event of each size; the secret of a session that sees them."""
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    async with database.write(at_most=None) as connection:
        user = await users.create(connection, "bench@example.org")
        for size in SIZES:
            event = await ensure_event(connection, _ORGANIZER, f"of-{size}")
            await users.set_role(connection, user.id, event.organizer_id, Role.ADMIN)
            made = [NewCampaign(f"Link number {number}") for number in range(size)]
            first, last = await campaigns.create_many(connection, event.id, made)
            rows = _hours(range(first, last + 1))
            for offset in range(0, len(rows), _AT_ONCE):
                await insert_many(connection, click_hours, rows[offset : offset + _AT_ONCE])
            sums = (
                select(
                    campaigns_table.c.event_id,
                    click_hours.c.hour,
                    click_hours.c.audience,
                    func.sum(click_hours.c.clicks),
                )
                .join_from(click_hours, campaigns_table)
                .where(campaigns_table.c.event_id == event.id)
                .group_by(click_hours.c.hour, click_hours.c.audience)
            )
            columns = ["event_id", "hour", "audience", "clicks"]
            await connection.execute(insert(event_hours).from_select(columns, sums))
        secret = await sessions.open_(connection, user.id, "bench")
    await database.close()
    return secret


def _hours(ids: Sequence[int]) -> list[tuple[int, int, str, int]]:
    """Hourly rows, the same number of each campaign: in which hours is drawn."""
    draw = random.Random(11)
    now = hour_of(time.time())
    each = min(HOURLY_ROWS // len(ids), _DAYS * 24)
    return [
        (id, now - ago, Audience.HUMAN.value, draw.randrange(1, 20))
        for id in ids
        for ago in sorted(draw.sample(range(_DAYS * 24), each), reverse=True)
    ]


def _screens(size: int) -> list[Screen]:
    event = f"/{_ORGANIZER}/of-{size}/"
    return [
        Screen("event, 28 days", event),
        Screen("event, today", f"{event}?period=day"),
        Screen("event, 91 days", f"{event}?period=91d"),
        Screen("event, all", f"{event}?period=all"),
        Screen("event, by name", f"{event}?sort=name"),
        Screen("event, searched", f"{event}?q=number%2042"),
    ]


@contextmanager
def _running(directory: Path) -> Iterator[int]:
    """The dashboard runs in the block; its port."""
    [port] = free_ports(1)
    environment = {
        **clean_environment(directory),
        "HOST": HOST,
        "DASHBOARD_PORT": str(port),
        "DATA_DIR": str(directory),
    }
    log = directory / "dashboard.log"
    with (
        log.open("wb") as output,
        child("dashboard", [], environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        deadline = time.monotonic() + _READY_SECONDS
        while not _is_up(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LoadtestError(f"it did not start: {log.read_text(errors='replace')}")
            time.sleep(0.05)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _is_up(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _measure(port: int, secret: str, screen: Screen) -> Seen:
    """Asks for a screen several times, on one connection.

    Raises:
        LoadtestError: it is not shown.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    headers = {"Cookie": f"waymark-session={secret}"}
    taken = []
    content = b""
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        connection.request("GET", screen.path, headers=headers)
        response = connection.getresponse()
        content = response.read(1)
        taken.append(time.perf_counter() - start)
        content += response.read()
        if response.status != 200:
            raise LoadtestError(f"{screen.path}: status {response.status}")
    return Seen(taken[1:], len(content), len(gzip.compress(content)))


def table(seen: dict[tuple[str, int], Seen]) -> str:
    """One line a screen and size; the ratio is that of its time to the one at the first size."""
    rows = [_HEADER]
    for (name, size), each in seen.items():
        base = median(seen[name, SIZES[0]].taken)
        rows.append(
            (
                name,
                f"{size:,}",
                f"{median(each.taken) * 1000:.1f}",
                f"{max(each.taken) * 1000:.1f}",
                f"{median(each.taken) / base:.2f}",
                f"{each.size / 1000:.1f}",
                f"{each.compressed / 1000:.1f}",
            )
        )
    return "\n".join(aligned(rows))


if __name__ == "__main__":
    sys.exit(main())
