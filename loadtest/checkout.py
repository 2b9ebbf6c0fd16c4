"""A checkout of Waymark: this one, or another that is measured beside it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loadtest.errors import LoadtestError
from loadtest.filling import fill_links
from loadtest.process import ROOT, clean_environment

# The other's own code: its schema may be another.
_FILL = """
import asyncio, json, sys
from pathlib import Path
from loadtest.filling import fill_links
asyncio.run(fill_links(Path(sys.argv[1]), json.loads(sys.argv[2])))
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the code is, and the Python that runs it."""

    directory: Path
    python: Path

    @classmethod
    def here(cls) -> Self:
        """This one."""
        return cls(ROOT, Path(sys.executable))

    @classmethod
    def at(cls, directory: Path) -> Self:
        """Another, with a virtual environment of its own.

        Raises:
            LoadtestError: there is none.
        """
        python = directory.absolute() / ".venv" / "bin" / "python"
        if not (directory / "redirector").is_dir() or not python.exists():
            raise LoadtestError(f"{directory} is no checkout after `make install`")
        return cls(directory.absolute(), python)

    def fill_links(self, directory: Path, sizes: Mapping[str, int]) -> None:
        """Makes a database there, with events of so many campaigns, by their slugs.

        Raises:
            LoadtestError: it could not be made.
        """
        if self == Checkout.here():
            asyncio.run(fill_links(directory, sizes))
            return
        filled = subprocess.run(  # noqa: S603 - our own arguments
            [self.python, "-c", _FILL, str(directory), json.dumps(dict(sizes))],
            cwd=self.directory,
            env=clean_environment(directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if filled.returncode:
            last = filled.stderr.strip().splitlines()[-1:]
            raise LoadtestError(f"{self.directory} can't make a database: {' '.join(last)}")
