"""What a machine lacks that some tests want: they are left out, and named. In CI they fail."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.errors import MissingError
from loadtest.nginx import Nginx
from tests.browsing import EXECUTABLE


def _has_chromium() -> bool:
    return shutil.which(EXECUTABLE) is not None


def _has_nginx() -> bool:
    try:
        Nginx.find(Path())
    except MissingError:
        return False
    return True


PROGRAMS: dict[str, Callable[[], bool]] = {"chromium": _has_chromium, "nginx": _has_nginx}
"""Whether each is there. A test wants one by the fixture or the mark of its name."""


def missing_programs() -> list[str]:
    """Those that are not there, and whose tests are left out for that."""
    if "CI" in os.environ:
        return []
    return [name for name, is_there in PROGRAMS.items() if not is_there()]


def wants(item: pytest.Item, name: str) -> bool:
    """Whether a test can't do without the program."""
    fixtures: tuple[str, ...] = getattr(item, "fixturenames", ())
    return name in fixtures or item.get_closest_marker(name) is not None
