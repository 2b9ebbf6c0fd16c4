"""wrk, which asks for paths over connections that it keeps, as fast as it is answered."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from loadtest.errors import LoadtestError, MissingError
from loadtest.loopback import require_loopback
from loadtest.process import clean_environment, program

_SCRIPT = Path(__file__).with_name("wrk.lua")
# An answer that takes longer is an error.
_TIMEOUT_SECONDS = 10
# To start, and to wait for the last answers.
_SPARE_SECONDS = 30
_REPORT = re.compile(r"^waymark (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a run.

    Attributes:
        responses: of any status. Requests that were under way at the end are not among them.
        others: responses that were no 302; in a run that does not check, from status 400 on.
        broken: connections that failed, and answers that took too long.
        microseconds: that the run took.
        p50: microseconds until an answer, likewise p99.
    """

    responses: int
    others: int
    broken: int
    microseconds: int
    p50: int
    p99: int

    @property
    def answered(self) -> int:
        """Redirects that arrived."""
        return self.responses - self.others

    @property
    def per_second(self) -> float:
        """Redirects a second."""
        return self.answered / (self.microseconds / 1e6)


_parse = TypeAdapter(Load).validate_json


def parse(output: str) -> Load:
    """Reads what wrk printed.

    Raises:
        LoadtestError: our script did not come to its end.
    """
    report = _REPORT.search(output)
    if report is None:
        lines = output.strip().splitlines()
        raise LoadtestError(f"wrk failed: {lines[-1] if lines else 'it said nothing'}")
    return _parse(report[1])


@dataclass(frozen=True, slots=True)
class Wrk:
    """The program.

    Attributes:
        directory: for the file of paths.
        connections: that it keeps, with one request at a time on each.
        cores: that it stays on; None: on any.
    """

    program: str
    directory: Path
    connections: int
    cores: AbstractSet[int] | None = None

    @classmethod
    def find(
        cls, directory: Path, connections: int, cores: AbstractSet[int] | None = None
    ) -> "Wrk":
        """wrk on the PATH.

        Raises:
            MissingError: it is not there.
        """
        found = shutil.which("wrk")
        if found is None:
            raise MissingError(
                "wrk, which sends the load, is not installed (on Debian: apt install wrk)"
            )
        return cls(found, directory, connections, cores)

    def run(
        self,
        url: str,
        paths: Sequence[str],
        seconds: int,
        *,
        check: bool = False,
        new_fields: bool = False,
    ) -> Load:
        """Asks for the paths in turn, for so many seconds.

        Args:
            url: of the server, without a path.
            check: whether every status is looked at, which slows wrk down.
            new_fields: whether every head is another, as behind a proxy.

        Raises:
            LoadtestError: it failed, or the server is not on this machine.
        """
        file = self.directory / "paths"
        file.write_text("".join(f"{path}\n" for path in paths))
        command = [
            *(self.program, "--threads", "1", "--connections", str(self.connections)),
            *("--duration", f"{seconds}s", "--timeout", f"{_TIMEOUT_SECONDS}s"),
            *("--script", str(_SCRIPT), require_loopback(url), "--", str(file)),
            *(["check"] if check else []),
            *(["new-fields"] if new_fields else []),
        ]
        with program(
            command,
            clean_environment(self.directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cores=self.cores,
        ) as process:
            try:
                output, _ = process.communicate(timeout=seconds + _SPARE_SECONDS)
            except subprocess.TimeoutExpired:
                raise LoadtestError("wrk did not end when its time was over") from None
        return parse(output.decode(errors="replace"))
