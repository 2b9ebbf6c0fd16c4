"""What figures were measured on, which they mean nothing without."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from redirector.embedded import find_server
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
        "{date}, {cpu}, {cores} cores, {kernel}, Python {python}, uvicorn {uvicorn}, Redis {redis}"
    ).format(**description)


def _cpu(text: str) -> str:
    """The model as /proc/cpuinfo names it; on ARM it does not."""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _redis() -> str:
    try:
        server = find_server()
    except WaymarkError:
        return "none"
    said = subprocess.run(  # noqa: S603 - our own arguments
        [str(server), "--version"], capture_output=True, text=True, timeout=10, check=False
    ).stdout
    version = re.search(r"\bv=(\S+)", said)
    return version[1] if version else "unknown"
