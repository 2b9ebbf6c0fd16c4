"""How much of everything."""

from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.cores import Cores


@dataclass(frozen=True, slots=True)
class Scale:
    """What is measured, and how long.

    Attributes:
        seconds: of one run.
        rounds: of runs, where several things are compared.
        connections: that wrk keeps.
        sizes: of databases, in campaigns.
        hot: links that are clicked in each of them.
        cached: links that the cache holds.
        dirty: counters that are flushed at once.
        arriving: new connections a second.
        idle: connections that are held.
    """

    directory: Path
    cores: Cores
    seconds: int = 4
    rounds: int = 5
    connections: int = 64
    sizes: tuple[int, ...] = (1, 1000, 100_000, 1_000_000)
    hot: int = 1000
    cached: int = 100_000
    dirty: int = 100_000
    arriving: int = 1000
    idle: int = 5000

    def times(self, factor: float) -> "Scale":
        """The same with other amounts."""

        def scaled(amount: int) -> int:
            return max(1, round(amount * factor))

        return replace(
            self,
            sizes=tuple(scaled(size) for size in self.sizes),
            hot=scaled(self.hot),
            cached=scaled(self.cached),
            dirty=scaled(self.dirty),
            arriving=scaled(self.arriving),
            idle=scaled(self.idle),
        )

    def subdirectory(self, name: str) -> Path:
        """A new one."""
        directory = self.directory / name
        directory.mkdir()
        return directory
