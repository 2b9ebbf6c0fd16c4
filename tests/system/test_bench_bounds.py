"""`python -m loadtest.bounds`, as `make bench-bounds` runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.process import ROOT
from tests.system.test_loadtest import assert_nothing_left

_SECONDS = 300
# Those of which each is another kind; every attack needs a server of its own, twice.
_CHOSEN = ["silent connections", "bodies after a refusal", "slow readers"]
_ROW = re.compile(r"^(\w[\w ]+?)  +([\d.]+)  +(\d+) ((?: +[\d.]+){5})  +(\d+)$", re.MULTILINE)


@pytest.mark.benchmark
@pytest.mark.timeout(_SECONDS + 20)
def test_a_fiftieth_of_some(short_dir: Path) -> None:
    """Each attack has its row for each service, nobody else fails, nothing is left behind."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "loadtest.bounds", "--percent", "2", "--seconds", "1"),
            *(argument for name in _CHOSEN for argument in ("--attack", name)),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_dir)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert (done.returncode, done.stderr) == (0, "")
    assert_nothing_left(short_dir)
    _, redirector, api = re.split(r"\nThe (?:redirector|api)\n", done.stdout)
    for table in (redirector, api):
        rows = _ROW.findall(table)
        assert [name for name, *_ in rows] == _CHOSEN
        assert {failed for *_, failed in rows} == {"0"}
        assert all(float(size) > 1 for row in rows for size in row[3].split()[:3])


def test_another_checkout_that_is_none(tmp_path: Path) -> None:
    """It says so in one line, before it does anything."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.bounds", "--beside", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bench-bounds: {tmp_path} is no checkout after `make install`\n"
