"""`python -m loadtest`: a stack of its own, locust, the reckoning, one table."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import httpx

from loadtest import stack, swarm
from loadtest.api import Access, Api
from loadtest.errors import LoadtestError
from loadtest.process import exit_on_signals, ignore_signals
from loadtest.reconcile import drain
from loadtest.report import table
from loadtest.stack import Stack
from loadtest.swarm import Swarm

ORGANIZER = "loadtest"
EVENT = "onsale"
_CAMPAIGNS = 100

# The API client is one of them; the others click.
_MIN_USERS = 2
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_LOG_LINES = 25


def main() -> int:
    """Runs the load test.

    Returns:
        The exit status: 0 when every request was answered and every click counted once, else 1.
    """
    plan = _parse()
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        directory = Path(name)
        try:
            with Stack(directory).running() as running:
                complaints = _test(running, plan, directory)
        except (LoadtestError, httpx.HTTPError) as error:
            complaints = [str(error)]
        ignore_signals()
        if complaints:
            _complain(complaints, directory)
    return 1 if complaints else 0


def _test(running: Stack, plan: Swarm, directory: Path) -> list[str]:
    """Does it all on a stack that runs; what was wrong."""
    running.waymark("event", "create", ORGANIZER, EVENT)
    token = running.waymark("token", "create", ORGANIZER, "--event", EVENT)
    access = Access(running.api, ORGANIZER, EVENT, token)
    with Api(access) as api:
        for number in range(1, _CAMPAIGNS + 1):
            api.create(f"Number {number}", f"https://tickets.example/?number={number}")
        print(f"{plan.users} users, {plan.seconds} s, {running.redirector}", file=sys.stderr)
        tally = plan.attack(running.redirector, access, directory)
        reckoning = drain(tally, api, running.redirector)
    complaints = reckoning.complaints()
    passed = True
    try:
        running.waymark("audit")
    except LoadtestError as error:
        passed = False
        complaints.append(str(error))
    print(table(tally, reckoning, audit_passed=passed))
    failures = sum(route.failures for route in tally.routes)
    if failures:
        complaints.append(f"{failures} requests failed")
    if tally.exceptions:
        complaints.append(f"{tally.exceptions} tasks of locust's users raised exceptions")
    return complaints


def _complain(complaints: list[str], directory: Path) -> None:
    """Says what was wrong, and how the logs ended, which are about to go."""
    for line in complaints:
        print(f"loadtest: {line}", file=sys.stderr)
    for log in (directory / stack.LOG, directory / swarm.LOG):
        if log.exists():
            print(f"\nThe end of {log.name}:", file=sys.stderr)
            lines = log.read_text(errors="replace").splitlines()
            print("\n".join(lines[-_LOG_LINES:]), file=sys.stderr)


def _parse() -> Swarm:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest",
        description="Start a stack, load it, and check that every click is counted once.",
    )
    parser.add_argument("--users", type=_users, default=200, metavar="N")
    parser.add_argument("--time", type=_seconds, default=60, metavar="TIME", help="like 90s or 2m")
    options = parser.parse_args()
    return Swarm(options.users, options.time)


def _users(text: str) -> int:
    if not text.isdecimal() or int(text) < _MIN_USERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {_MIN_USERS} on")
    return int(text)


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]*)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 90s, 2m or 1h")
    return int(match[1]) * _SECONDS[match[2]]


if __name__ == "__main__":
    sys.exit(main())
