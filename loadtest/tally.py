"""What locust received, campaign by campaign and route by route, kept in a file."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from loadtest.errors import LoadtestError


@dataclass(frozen=True, slots=True)
class Clicks:
    """Requests for links, by campaign code.

    Attributes:
        answered: those that were answered with a 302.
        broken: those whose answer never came: they may have been counted or not.
    """

    answered: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Route:
    """How the requests of one route went; times in milliseconds.

    Attributes:
        per_second: requests that locust drove, which is no limit of the server's.
    """

    method: str
    name: str
    requests: int
    failures: int
    per_second: float
    p50: int
    p95: int
    p99: int


@dataclass(slots=True)
class Tally:
    """All of it. Only people's clicks are to be found in `click_count`.

    Attributes:
        exceptions: tasks that went wrong otherwise than by a failed request.
        saturated: whether locust had no processor time left, so that its times are longer than
            what the server took.
    """

    people: Clicks = field(default_factory=Clicks)
    bots: Clicks = field(default_factory=Clicks)
    routes: tuple[Route, ...] = ()
    exceptions: int = 0
    saturated: bool = False

    @classmethod
    def read(cls, path: Path) -> "Tally":
        """Reads what `write` wrote.

        Raises:
            LoadtestError: the file is missing, or holds something else.
        """
        try:
            return _ADAPTER.validate_json(path.read_bytes())
        except OSError as error:
            raise LoadtestError(f"can't read the tally {path}: {error.strerror}") from None
        except ValidationError as error:
            raise LoadtestError(f"{path} is no tally: {error.errors()[0]['msg']}") from None

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_bytes(_ADAPTER.dump_json(self, indent=1))


_ADAPTER = TypeAdapter(Tally)
