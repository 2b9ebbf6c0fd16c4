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
        connections: that are kept open, with one request at a time on each.
        campaigns: in the large database.
        beside: another checkout's directory.
        json: the file that keeps all figures.
    """

    seconds: int
    rounds: int
    connections: int
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
    wrk = Wrk.find(directory, plan.connections, cores.load)
    beside = Checkout.at(plan.beside) if plan.beside is not None else None
    contest = Contest(directory, cores, plan.seconds, plan.campaigns, beside)
    description = machine.describe()
    with contest.running():
        for row in contest.rows:
            row.warm_up(wrk)
        for number in range(plan.rounds):
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
            for row in contest.rows:
                row.measure(wrk, plan.seconds)
    description |= contest.versions
    reckonings = [each for row in contest.rows if (each := Reckoning.of(row))]
    print(_report(plan, contest, machine.summary(description), reckonings))
    if plan.json is not None:
        plan.json.write_text(_json(plan, contest, description, reckonings))
    return [line for each in reckonings for line in each.complaints()]


def _report(plan: Plan, contest: Contest, summary: str, reckonings: Sequence[Reckoning]) -> str:
    how = (
        f"{plan.rounds} rounds of {plan.seconds} s, {plan.connections} connections, "
        f"{contest.cores}; medians"
    )
    lines = [summary, how, "", table(contest.rows), "", *map(str, reckonings), *contest.left_out]
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
        "rows": [_row(row, reckoned.get(row.name)) for row in contest.rows],
        "left_out": contest.left_out,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _row(row: Row, reckoned: dict[str, str | int] | None) -> dict[str, object]:
    spreads = {name: asdict(spread) for name, spread in figures(row.measurements).items()}
    runs = [asdict(run) for run in row.measurements]
    return {"name": row.name, **spreads, "runs": runs, "reckoning": reckoned}


def _parse(arguments: Sequence[str] | None) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench",
        description="Measure what a counted redirect costs, beside its peers.",
    )
    number = positive
    parser.add_argument("--seconds", type=number, default=4, metavar="N", help="of one run")
    parser.add_argument("--rounds", type=number, default=5, metavar="N")
    parser.add_argument("--connections", type=number, default=64, metavar="N")
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
