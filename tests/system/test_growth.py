"""`python -m loadtest.growth`, as `make bench-growth` runs it, and the pieces of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.cores import Cores
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.memory import resident
from loadtest.process import ROOT, clean_environment, service
from loadtest.rows import Reckoning
from loadtest.visitors import Visits, click_for, come_and_go, stay, walk
from tests.system.test_bench import alternating
from tests.system.test_loadtest import assert_nothing_left

_SECONDS = 300
_MISSING = (
    "bench-growth: wrk, which sends the load, is not installed (on Debian: apt install wrk)\n"
)
_TITLES = [
    "Campaigns in the database, 10 of them clicked",
    "Links in the cache, which holds 1,000",
    "1,000 counters flushed at once, while an API client reads and writes",
    "Connections",
    "Workers, 10 links",
]
_RECKONED = [
    *("1 campaigns", "10 campaigns", "1,000 campaigns", "10,000 campaigns"),
    *("links in the cache", "counters flushed", "new connections", "held connections"),
    *("1 worker", "2 workers"),
]


def growth(directory: Path, *arguments: str, path: str) -> tuple[int, str, str]:
    """Runs it, in a temporary directory in this one: its status, output and errors."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.growth", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory), "PATH": path},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.benchmark
@pytest.mark.timeout(_SECONDS + 20)
def test_a_hundredth_of_it(short_dir: Path) -> None:
    """Each way to grow has its table, every click is counted, nothing is left behind."""
    status, output, errors = growth(
        short_dir,
        *("--percent", "1", "--seconds", "1", "--rounds", "1"),
        path=os.environ["PATH"],
    )
    assert_nothing_left(short_dir)
    if shutil.which("wrk") is None:
        assert (status, output, errors) == (2, "", _MISSING)
        return
    assert status == 0
    _, *sections = output.split("\n\n")
    assert sections[::2] == _TITLES
    reckoned = re.findall(r"^(.+): answered ([\d,]+), counted ([\d,]+) ", output, re.MULTILINE)
    assert [name for name, _, _ in reckoned] == _RECKONED
    assert not [name for name, answered, _ in reckoned if answered == "0"]
    assert "the API client's errors: 0\n" in output
    sizes = re.findall(r"^([\d,]+) +\d+\.\d\d +\d+\.\d ", sections[1], re.MULTILINE)
    assert sizes == ["1", "10", "1,000", "10,000"]
    assert re.search(r"^new ones, 10 a second +10 +10 +0 ", output, re.MULTILINE)
    assert re.search(r"^held, their first clicks +50 +50 +0 ", output, re.MULTILINE)


def test_without_wrk(short_dir: Path) -> None:
    """It says in one line what to install, before it does anything."""
    assert growth(short_dir, path="/nonexistent") == (2, "", _MISSING)
    assert_nothing_left(short_dir)


@pytest.mark.parametrize(
    ("factor", "sizes", "idle"),
    [(1, (1, 1000, 100_000, 1_000_000), 5000), (0.01, (1, 10, 1000, 10_000), 50)],
)
def test_the_scale(tmp_path: Path, factor: float, sizes: tuple[int, ...], idle: int) -> None:
    """Amounts are scaled, and nothing becomes none."""
    scale = Scale(tmp_path, Cores.divided({0})).times(factor)
    assert (scale.sizes, scale.idle) == (sizes, idle)


def test_a_section() -> None:
    """Title, table, notes and reckonings; what was wrong in one list."""
    section = Section(
        "Title",
        ("what", "many"),
        [("thing", "1")],
        notes=["a note"],
        reckonings=[Reckoning("thing", answered=2, possible=0, counted=1)],
        failures=["a failure"],
    )
    assert str(section) == (
        "Title\n\nwhat   many\nthing     1\na note\n"
        "thing: answered 2, counted 1 (up to 0 were under way when a run ended)"
    )
    assert section.complaints() == ["a failure", "thing: 1 clicks were lost"]


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (256, 1000, 800, 1000),
        (256, 300, 100, 300),
        (256, 4096, 2000, 2200),
        (3000, 4096, 2000, 3000),
    ],
    ids=["to the hard limit", "hardly any", "as needed", "not at all"],
)
def test_open_files(soft: int, hard: int, allowed: int, raised: int) -> None:
    """The limit is raised as far as it may and need be; that says how many connections fit."""
    script = (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from loadtest.growth.connections import allow_files\n"
        "print(allow_files(2000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"{allowed} {raised}\n"


def test_resident_memory(tmp_path: Path) -> None:
    """What a process has written to is in it, and what its children have."""
    script = (
        "import os, subprocess, sys, time\n"
        "if len(sys.argv) == 1: subprocess.Popen([sys.executable, __file__, 'child'])\n"
        "kept = bytearray(b'1') * 30_000_000\n"
        "print('done', flush=True)\n"
        "parent = os.getppid()\n"
        "while os.getppid() == parent: time.sleep(0.1)\n"
    )
    file, log = tmp_path / "big.py", tmp_path / "big.log"
    file.write_text(script)
    with service([sys.executable, str(file)], clean_environment(tmp_path), log=log) as process:
        while log.read_text() != "done\ndone\n":
            assert process.poll() is None, log.read_text()
        assert 60_000_000 < resident([process.pid]) < 120_000_000
        os.kill(process.pid, 0)


async def test_each_path_is_walked_once() -> None:
    """By several visitors together; what is no redirect is a failure."""
    with alternating() as (url, asked):
        visits = await walk(url, ["/302", "/404", "/302/", "/302//"], 2)
    assert sorted(path for path, _ in asked) == ["/302", "/302/", "/302//", "/404"]
    assert (visits.answered, visits.failures) == (3, 1)
    assert "User-Agent" in asked[0][1]


async def test_visitors_come_and_go() -> None:
    """As many as the rate says, each on a connection of its own, whether it is answered or not."""
    with alternating() as (url, asked):
        visits = await come_and_go(url, ["/302", "/404"], 20, 1)
    assert len(asked) == 20
    assert (visits.answered, visits.failures) == (10, 10)
    visits = await come_and_go(url, ["/302"], 5, 1)
    assert (visits.answered, visits.failures) == (0, 5)


async def test_visitors_stay() -> None:
    """Their connections are open until the server closes them; others click meanwhile."""
    visits = Visits()
    with alternating() as (url, _):
        connections = await stay(url, "/302", 7, visits)
        assert len(connections) == visits.answered == 7
        assert all(connection.is_open for connection in connections)
        await click_for(url, "/302", 0.1, visits)
        assert visits.answered > 7
        for connection in connections:
            connection.close()
    assert visits.failures == 0


@pytest.mark.parametrize(
    ("times", "median"),
    [([], 0), ([0.5], 500), ([0.1, 0.2, 0.3], 200)],
    ids=["none", "one", "more"],
)
def test_percentiles(times: list[float], median: float) -> None:
    """In milliseconds, of however few."""
    assert Visits(times).percentile(50) == pytest.approx(median)
