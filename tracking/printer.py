"""What several processes print, line by line, on one output."""

import asyncio
from collections.abc import Callable, Sequence

from tracking.output import Output

# A longer line is cut, so that a process that never ends one takes no memory.
_MAX_LINE = 64 * 1024
# ANSI's cyan, yellow, green, magenta, red, blue (ECMA-48, "Select graphic rendition").
_COLOURS = (36, 33, 32, 35, 31, 34)


class Printer:
    """Puts a name before each line, in a colour of the name's on a terminal."""

    def __init__(self, output: Output, names: Sequence[str], *, coloured: bool) -> None:
        self._output = output
        self._width = max(map(len, ["system", *names]))
        self._colours = dict(zip(names, _COLOURS * len(names), strict=False)) if coloured else {}

    def say(self, name: str, line: str) -> None:
        """Prints one line."""
        prefix = f"{name:{self._width}} | "
        colour = self._colours.get(name)
        if colour is not None:
            prefix = f"\033[{colour}m{prefix}\033[0m"
        self._output.write(f"{prefix}{line}\n")


class LineReader(asyncio.Protocol):
    """Reads a pipe line by line; the last one needs no end. What is no text is escaped.

    Attributes:
        closed: set when nobody is left who could write.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.closed = asyncio.Event()
        self._say = say
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._print(line)
        while len(rest) > _MAX_LINE:
            self._print(rest[:_MAX_LINE])
            rest = rest[_MAX_LINE:]
        self._rest = rest

    def connection_lost(self, _: Exception | None) -> None:
        if self._rest:
            self._print(self._rest)
        self.closed.set()

    def _print(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), _MAX_LINE):
            part = line[start : start + _MAX_LINE]
            self._say(part.decode(errors="backslashreplace").removesuffix("\r"))
