"""The benchmark of the API: what it fills, and what it makes of what it measures."""

import re
import subprocess
import sys
from pathlib import Path

from loadtest.bench_api import SIZES, Request, Times, measure, table
from loadtest.filling import fill
from tracking import campaigns, categories
from tracking.database import Database
from tracking.organizers import find_event
from tracking.settings import Settings


async def test_events_are_filled_to_their_size(settings: Settings) -> None:
    """As many campaigns and categories as asked for, and counts that say so."""
    filled = await fill(settings.data_dir, (3, 60))
    database = Database.of(settings)
    async with database.read() as connection:
        for size, path in filled.paths.items():
            event = await find_event(connection, "bench", path.split("/")[-2])
            assert event is not None
            assert await campaigns.count(connection, event.id) == size
            assert await categories.count(connection, event.id) == size
            add_ons = await categories.count(connection, event.id, is_addon=True)
            assert add_ons == (size + 1) // 2
    async with database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT count(*) FROM campaigns")
        assert rows.scalar_one() == 63
        rows = await connection.exec_driver_sql("SELECT count(*) FROM categories WHERE is_addon")
        assert rows.scalar_one() == 2 + 30
    await database.close()


def test_requests_take_turns_between_sizes() -> None:
    """The same request at each size, before the next one; the first round does not count."""
    asked: list[str] = []

    def ask(request: Request) -> bytes:
        asked.append(request.path)
        return b""

    events = [
        (size, [Request(name, "GET", f"/{size}/{name}", 200) for name in "ab"]) for size in SIZES
    ]
    measured = measure(ask, events)
    order = list(dict.fromkeys(asked))
    assert order == ["/100/a", "/100000/a", "/100/b", "/100000/b"]
    counted = sum(len(times.taken) for times in measured.values())
    assert 0 < counted < len(asked)
    assert set(measured) == {(name, size) for name in "ab" for size in SIZES}


def test_the_table_compares_with_the_first_size() -> None:
    """The ratio is of the median times."""
    measured = {
        ("campaigns, page 1", SIZES[0]): Times([0.002] * 10),
        ("campaigns, page 1", SIZES[1]): Times([0.004] * 10),
    }
    assert table(measured) == (
        "request            objects  requests/s  p50 ms  p99 ms  ratio of p50\n"
        "campaigns, page 1      100         500    2.00    2.00          1.00\n"
        "campaigns, page 1  100,000         250    4.00    4.00          2.00"
    )


def test_the_api_is_measured_as_it_is_started() -> None:
    """A run with small events serves them from a real process, and ends by itself."""
    script = (
        "from loadtest import bench_api\n"
        "bench_api.SIZES = (3, 60)\n"
        "bench_api._ROUNDS = 1\n"
        "bench_api._REQUESTS_A_ROUND = 2\n"
        "raise SystemExit(bench_api.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = re.findall(r"^(\w+, [\w ]+?)  +60 ", done.stdout, re.MULTILINE)
    assert names == [
        f"{kind}, {request}"
        for kind in ("campaigns", "categories")
        for request in ("page 1", "last page", "one", "new")
    ] + [f"campaigns, {request}" for request in ("most clicked", "by two columns", "searched")]
