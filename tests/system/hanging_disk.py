"""A disk that hangs: a file system of its own, on which every write waits until it is let go on."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = 256 * 1024 * 1024
# What no longer hangs then, whatever became of who wanted it.
_LONGEST_SECONDS = 30
_COMMAND_SECONDS = 60


class NoFileSystemError(Exception):
    """This machine, or this user, can't mount one; the text says why."""


class HangingDisk:
    """A file system on a file, mounted.

    Attributes:
        directory: where.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    @contextmanager
    def mounted(cls, directory: Path, image: Path) -> Iterator["HangingDisk"]:
        """It is there in the block.

        Raises:
            NoFileSystemError: it can't be made.
        """
        with image.open("wb") as file:
            os.truncate(file.fileno(), _SIZE)
        _run("mkfs.ext4", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(directory))
        try:
            # Not what mkfs leaves there.
            _run("rmdir", str(directory / "lost+found"))
            yield cls(directory)
        finally:
            _run("umount", str(directory))

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Nothing can be written to it in the block; writes that came meanwhile go on behind it."""
        # It lets go by itself, should this process end before.
        script = 'fsfreeze -f "$0" && echo hangs && read -t "$1" line; fsfreeze -u "$0"'
        with subprocess.Popen(
            ["bash", "-c", script, str(self.directory), str(_LONGEST_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == "hangs\n"
                yield
            finally:
                process.stdin.close()
                process.wait(_COMMAND_SECONDS)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise NoFileSystemError(f"there is no {command[0]}") from None
    except subprocess.CalledProcessError as error:
        raise NoFileSystemError(f"{command[0]}: {error.stderr.strip()}") from None
