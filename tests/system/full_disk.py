"""A disk that becomes full under running processes: a small one, or a limit of theirs."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SIZE = "8m"
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Disk:
    """A directory that can be filled.

    Attributes:
        fill: leaves no room; is told the processes that write there, and called again for others.
        free: takes that back; is told likewise.
    """

    directory: Path
    fill: Callable[[Sequence[int]], None]
    free: Callable[[Sequence[int]], None]


@contextmanager
def small_disk() -> Iterator[Disk]:
    """A file system in memory where that may be mounted; else a limit of each file's size."""
    directory = Path(tempfile.mkdtemp(prefix="waymark-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(directory)]
    try:
        mounted = shutil.which("mount") is not None and not (
            subprocess.run(mount, check=False, capture_output=True).returncode
        )
        if not mounted:
            yield _limited(directory)
            return
        try:
            yield _mounted(directory)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)
    finally:
        shutil.rmtree(directory)


def _mounted(directory: Path) -> Disk:
    ballast = directory / "ballast"

    def fill(_: Sequence[int]) -> None:
        with ballast.open("ab", buffering=0) as file:
            room = os.statvfs(directory).f_bavail * _BLOCK
            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(room, 1))

    return Disk(directory, fill, lambda _: ballast.unlink(missing_ok=True))


def _limited(directory: Path) -> Disk:
    def limit(pids: Sequence[int], size: int) -> None:
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    return Disk(
        directory,
        lambda pids: limit(pids, 1),
        lambda pids: limit(pids, resource.RLIM_INFINITY),
    )
