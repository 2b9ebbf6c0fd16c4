"""`python -m loadtest.growth`: a table for each way in which Waymark may grow."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from loadtest import machine
from loadtest.bench import EXIT_MISSING, positive
from loadtest.cores import Cores, available
from loadtest.errors import LoadtestError, MissingError
from loadtest.growth import cache, connections, flush, sizes, workers
from loadtest.growth.scale import Scale
from loadtest.process import exit_on_signals
from loadtest.wrk import Wrk

_SECTIONS = (sizes, cache, flush, connections, workers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures one thing after the other.

    Returns:
        The exit status: 0; 1 when a click was lost or counted twice, or something failed; 2 when
        there is no wrk.
    """
    options = _parse(arguments)
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        scale = Scale(
            Path(name), Cores.divided(available()), seconds=options.seconds, rounds=options.rounds
        )
        try:
            complaints = _grow(scale.times(options.percent / 100))
        except MissingError as error:
            print(f"bench-growth: {error}", file=sys.stderr)
            return EXIT_MISSING
        except (LoadtestError, OSError, httpx.HTTPError) as error:
            complaints = [str(error)]
    for line in complaints:
        print(f"bench-growth: {line}", file=sys.stderr)
    return 1 if complaints else 0


def _grow(scale: Scale) -> list[str]:
    """Everything, printed as it comes; what was wrong."""
    # Before minutes have gone by.
    Wrk.find(scale.directory, scale.connections)
    print(machine.summary(machine.describe()))
    complaints = []
    for section in _SECTIONS:
        report = section.measure(scale)
        print(f"\n{report}", flush=True)
        complaints += report.complaints()
    return complaints


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.growth",
        description="Measure what becomes of Waymark as it grows.",
    )
    parser.add_argument("--seconds", type=positive, default=4, metavar="N", help="of one run")
    parser.add_argument("--rounds", type=positive, default=5, metavar="N")
    parser.add_argument("--percent", type=positive, default=100, metavar="N", help="of all amounts")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
