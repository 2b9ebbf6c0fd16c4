"""How much memory processes take."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from loadtest.cpu import descendants

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pids: Collection[int]) -> int:
    """Bytes that these processes and their descendants have in memory (RSS); what several of them
    share counts for each."""
    total = 0
    for pid in descendants(pids):
        # It may end meanwhile.
        with suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return total
