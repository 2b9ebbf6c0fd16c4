"""What figures were measured on, which they mean nothing without."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from redirector.embedded.binary import find_binary
from tracking.errors import WaymarkError

Description = dict[str, str | int]


def describe() -> Description:
    """The date, the machine and what runs on it, by their names in JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(Path("/proc/cpuinfo").read_text()),
        "cores": os.cpu_count() or 1,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "uvicorn": uvicorn.__version__,
        "redis": _redis(),
    }


def summary(description: Description) -> str:
    """The same in one line."""
    return (
        "{date}, {cpu}, {cores} cores, {kernel}, Python {python}, uvicorn {uvicorn}, {redis}"
    ).format(**description)


def _cpu(text: str) -> str:
    """The model as /proc/cpuinfo names it; on ARM it does not."""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _redis() -> str:
    try:
        return str(find_binary())
    except WaymarkError:
        return "no Redis"
