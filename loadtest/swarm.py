"""locust, as a process of its own: importing it would change how sockets work in this one."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadtest.api import Access
from loadtest.errors import LoadtestError
from loadtest.process import child, clean_environment
from loadtest.tally import Tally

LOG = "locust.log"
_LOCUSTFILE = Path(__file__).with_name("locustfile.py")

# locust advises against more new users a second.
_MAX_SPAWN_RATE = 100
# Requests under way have this long to be answered; longer than a user waits (locustfile.py).
_STOP_SECONDS = 15
# To start, to stop, and to write its files.
_SPARE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Swarm:
    """How many users for how long."""

    users: int
    seconds: int

    def attack(self, redirector: str, access: Access, directory: Path) -> Tally:
        """Runs locust to its end.

        Args:
            redirector: its URL.
            directory: where the log and the tally are written.

        Raises:
            LoadtestError: locust left no tally, or did not stop.
        """
        path = directory / "tally.json"
        arguments = [
            *("--headless", "--only-summary"),
            *("--locustfile", str(_LOCUSTFILE), "--host", redirector),
            *("--users", str(self.users), "--spawn-rate", str(min(self.users, _MAX_SPAWN_RATE))),
            *("--run-time", f"{self.seconds}s", "--stop-timeout", str(_STOP_SECONDS)),
        ]
        environment = {
            **clean_environment(directory),
            "LOADTEST_API": access.url,
            "LOADTEST_ORGANIZER": access.organizer,
            "LOADTEST_EVENT": access.event,
            "LOADTEST_TOKEN": access.token,
            "LOADTEST_TALLY": str(path),
        }
        with (
            (directory / LOG).open("wb") as log,
            child("locust", arguments, environment, stdout=log, stderr=subprocess.STDOUT) as locust,
        ):
            try:
                status = locust.wait(self.seconds + _STOP_SECONDS + _SPARE_SECONDS)
            except subprocess.TimeoutExpired:
                raise LoadtestError("locust did not stop when its time was over") from None
        if not path.exists():
            raise LoadtestError(f"locust ended with status {status} and left no tally")
        return Tally.read(path)
