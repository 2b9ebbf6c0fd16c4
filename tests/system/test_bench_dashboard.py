"""The benchmark of the dashboard, in small."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.bench_dashboard import SIZES, Seen, table


def test_the_table_compares_with_the_first_size() -> None:
    """The ratio is of the median times."""
    seen = {
        ("event, all", SIZES[0]): Seen([0.02] * 3, 20_000, 5_000),
        ("event, all", SIZES[1]): Seen([0.04] * 3, 30_000, 6_000),
    }
    assert table(seen) == (
        "screen       links  p50 ms  max ms  ratio of p50    KB  KB gzipped\n"
        "event, all     100    20.0    20.0          1.00  20.0         5.0\n"
        "event, all  10,000    40.0    40.0          2.00  30.0         6.0"
    )


@pytest.mark.benchmark
def test_the_dashboard_is_measured_as_it_is_started() -> None:
    """A run with small events serves them from a real process, and ends by itself."""
    script = (
        "from loadtest import bench_dashboard as bench\n"
        "bench.SIZES, bench.HOURLY_ROWS, bench._ROUNDS = (3, 60), 600, 2\n"
        "raise SystemExit(bench.main())\n"
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
    assert len(re.findall(r"^event, .+ +60 ", done.stdout, re.MULTILINE)) == 6
