"""`python -m loadtest.bench`: what a counted redirect costs, beside its peers, in one table."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx

from loadtest import machine
from loadtest.checkout import Checkout
from loadtest.contest import Contest
from loadtest.cores import Cores, available
from loadtest.errors import LoadtestError, MissingError
from loadtest.figures import figures, table
from loadtest.process import exit_on_signals
from loadtest.rows import Reckoning, Row
from loadtest.wrk import Wrk

EXIT_MISSING: Final = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often.

    Attributes:
        seconds: that a run takes.
        rounds: in each of which every row has one run.
        connections: that are kept open, with one request at a time on each: so many in a round's
            first half, so many in the next.
        campaigns: in the large database.
        beside: another checkout's directory.
        json: the file that keeps all figures.
    """

    seconds: int
    rounds: int
    connections: list[int]
    campaigns: int
    beside: Path | None
    json: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Starts everyone, measures, prints.

    Returns:
        The exit status: 0; 1 when a click was lost or counted twice, or something failed; 2 when
        there is no wrk.
    """
    plan = _parse(arguments)
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        try:
            complaints = _bench(plan, Path(name))
        except MissingError as error:
            print(f"bench: {error}", file=sys.stderr)
            return EXIT_MISSING
        except (LoadtestError, OSError, httpx.HTTPError) as error:
            complaints = [str(error)]
    for line in complaints:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if complaints else 0


def _bench(plan: Plan, directory: Path) -> list[str]:
    """Does it all; what was wrong."""
    cores = Cores.divided(available())
    loads = [Wrk.find(directory, each, cores.load) for each in plan.connections]
    beside = Checkout.at(plan.beside) if plan.beside is not None else None
    contest = Contest(directory, cores, plan.seconds, plan.campaigns, beside)
    description = machine.describe()
    with contest.running():
        for row in contest.rows:
            row.warm_up(loads[0])
        for number in range(plan.rounds):
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
            for wrk in loads:
                for row in contest.rows:
                    row.measure(wrk, plan.seconds)
    description |= contest.versions
    reckonings = [each for row in contest.rows if (each := Reckoning.of(row))]
    print(_report(plan, contest, machine.summary(description), reckonings))
    if plan.json is not None:
        plan.json.write_text(_json(plan, contest, description, reckonings))
    return [line for each in reckonings for line in each.complaints()]


def _report(plan: Plan, contest: Contest, summary: str, reckonings: Sequence[Reckoning]) -> str:
    how = f"{plan.rounds} rounds of {plan.seconds} s, {contest.cores}; medians"
    tables = (f"\n{table(contest.rows, each)}" for each in plan.connections)
    lines = [summary, how, *tables, "", *map(str, reckonings), *contest.left_out]
    return "\n".join(lines)


def _json(
    plan: Plan,
    contest: Contest,
    description: machine.Description,
    reckonings: Sequence[Reckoning],
) -> str:
    reckoned = {each.row: asdict(each) for each in reckonings}
    document = {
        "machine": description,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "connections": plan.connections,
        "cores": str(contest.cores),
        "rows": [_row(row, plan.connections, reckoned.get(row.name)) for row in contest.rows],
        "left_out": contest.left_out,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _row(
    row: Row, connections: Sequence[int], reckoned: dict[str, str | int] | None
) -> dict[str, object]:
    by_connections = {}
    for each in connections:
        found = figures(row.with_connections(each))
        by_connections[each] = {name: asdict(spread) for name, spread in found.items()}
    runs = [asdict(run) for run in row.measurements]
    return {
        "name": row.name,
        "by_connections": by_connections,
        "runs": runs,
        "reckoning": reckoned,
    }


def _parse(arguments: Sequence[str] | None) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench",
        description="Measure what a counted redirect costs, beside its peers.",
    )
    number = positive
    parser.add_argument("--seconds", type=number, default=4, metavar="N", help="of one run")
    parser.add_argument("--rounds", type=number, default=5, metavar="N")
    parser.add_argument("--connections", type=number, nargs="+", default=[64, 256], metavar="N")
    parser.add_argument("--campaigns", type=number, default=1_000_000, metavar="N")
    parser.add_argument(
        "--beside", type=Path, metavar="DIRECTORY", help="another checkout, which takes part"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keeps all figures")
    return Plan(**vars(parser.parse_args(arguments)))


def positive(text: str) -> int:
    """A whole number from 1 on, as an argument."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
