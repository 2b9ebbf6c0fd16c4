"""The Procfile: which processes `waymark run` starts."""

import re
from pathlib import Path

from tracking.errors import WaymarkError


def read_procfile(path: Path) -> dict[str, str]:
    """Each process's command by its name; lines that begin with `#` say nothing.

    Raises:
        WaymarkError: it can't be read, or a line is not `name: command`.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WaymarkError(
            f"can't read {path.absolute()}: {reason} (a Procfile elsewhere is named by --procfile)"
        ) from None
    commands: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9_-]+):\s*(\S.*)", line)
        if match is None or match[1] in commands:
            raise WaymarkError(f"{path}, line {number}: must be a new name, a colon and a command")
        commands[match[1]] = match[2]
    return commands
