"""Everyone who takes part in the benchmark, running side by side on the same core.

They take turns; those whose turn it is not only ask now and then whether something has changed.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import redis

from loadtest.checkout import Checkout
from loadtest.cores import Cores
from loadtest.counts import read_counts
from loadtest.errors import MissingError
from loadtest.filling import fill_links, link
from loadtest.loopback import HOST, free_ports
from loadtest.nginx import Nginx
from loadtest.popularity import Ranks
from loadtest.process import clean_environment, service
from loadtest.rows import WARM_UP_SECONDS, Row
from loadtest.waymark import Server, Waymark, running, wait_until_well
from redirector.embedded.binary import find_binary
from tracking.settings import Settings

LINKS = 1000
# What a row's name says where the heads are as they come from a proxy: each is another.
_BEHIND_PROXY = ", every head different"
# What a newsletter's links carry along.
_QUERY = "?utm_source=newsletter&utm_medium=email&utm_campaign=autumn&recipient="
# A run draws more clicks than can be answered, so that none is repeated before its time.
_DRAWN_PER_SECOND = 100_000
_MOST_DRAWN = 1_000_000
# A cache that is not full yet is filled by so many a second, or faster.
_FILLED_PER_SECOND = 5_000


@dataclass(slots=True)
class Contest:
    """Who takes part, and who does not, and why.

    Attributes:
        seconds: of one run.
        campaigns: in the large database.
        beside: another checkout, which takes part as well.
    """

    directory: Path
    cores: Cores
    seconds: int
    campaigns: int
    beside: Checkout | None = None
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """In the block everyone runs; behind it every click is counted."""
        with ExitStack() as stack:
            self._add_waymark(stack)
            self._add_many(stack)
            if self.beside is not None:
                self._add_beside(stack, self.beside)
            self._add_bare(stack)
            self._add_nginx(stack)
            yield

    def _add_waymark(self, stack: ExitStack) -> None:
        directory = self._subdirectory("waymark")
        sizes = {"many": LINKS, "behind": LINKS, "hot": 1, "query": LINKS, "lane": LINKS}
        asyncio.run(fill_links(directory, sizes))
        parts = stack.enter_context(running(Waymark(directory, self.cores.server)))
        starlette = stack.enter_context(parts.waymark.redirector("loadtest.starlette_lane"))
        count = _Counts(directory)
        for name, server, slug, query in (
            (f"express lane, {LINKS:,} links{_BEHIND_PROXY}", parts.redirector, "behind", ""),
            (f"express lane, {LINKS:,} links", parts.redirector, "many", ""),
            ("express lane, one hot link", parts.redirector, "hot", ""),
            ("express lane, query strings", parts.redirector, "query", _QUERY),
            (f"Starlette lane, {LINKS:,} links", starlette, "lane", ""),
        ):
            links = [
                link(slug, number) + (query and f"{query}{number}") for number in range(sizes[slug])
            ]
            self.rows.append(
                Row(
                    name,
                    server,
                    partial(list, links),
                    new_fields=name.endswith(_BEHIND_PROXY),
                    redis=[parts.redis],
                    flusher=[parts.flusher],
                    count=partial(count.of, slug),
                )
            )

    def _add_many(self, stack: ExitStack) -> None:
        """The large database: most links are clicked hardly ever, and not all fit in the cache."""
        directory = self._subdirectory("large")
        print(f"a database of {self.campaigns:,} campaigns", file=sys.stderr)
        asyncio.run(fill_links(directory, {"zipf": self.campaigns}))
        parts = stack.enter_context(running(Waymark(directory, self.cores.server)))
        ranks = Ranks(self.campaigns)
        cached = min(self.campaigns, Settings.model_fields["link_cache_size"].default)

        def first() -> list[str]:
            # The most popular last: what was used last is kept.
            return [link("zipf", number) for number in reversed(ranks.numbers[:cached])]

        def drawn() -> list[str]:
            amount = min(self.seconds * _DRAWN_PER_SECOND, _MOST_DRAWN)
            return [link("zipf", number) for number in ranks.draw(amount)]

        row = Row(
            f"express lane, {self.campaigns:,} links, Zipf",
            parts.redirector,
            drawn,
            first_paths=first,
            first_seconds=WARM_UP_SECONDS + cached // _FILLED_PER_SECOND,
            redis=[parts.redis],
            flusher=[parts.flusher],
            count=partial(_Counts(directory).of, "zipf"),
        )
        self.rows.insert(4, row)

    def _add_beside(self, stack: ExitStack, checkout: Checkout) -> None:
        directory = self._subdirectory("beside")
        sizes = {"many": LINKS, "behind": LINKS, "hot": 1}
        checkout.fill_links(directory, sizes)
        waymark = Waymark(directory, self.cores.server, checkout=checkout)
        parts = stack.enter_context(running(waymark))
        count = _Counts(directory)
        for name, slug in (
            (f"beside, {LINKS:,} links{_BEHIND_PROXY}", "behind"),
            (f"beside, {LINKS:,} links", "many"),
            ("beside, one hot link", "hot"),
        ):
            self.rows.append(
                Row(
                    name,
                    parts.redirector,
                    partial(list, [link(slug, number) for number in range(sizes[slug])]),
                    new_fields=name.endswith(_BEHIND_PROXY),
                    redis=[parts.redis],
                    flusher=[parts.flusher],
                    count=partial(count.of, slug),
                )
            )

    def _add_bare(self, stack: ExitStack) -> None:
        directory = self._subdirectory("bare")
        [port] = free_ports(1)
        process = stack.enter_context(
            service(
                [sys.executable, "-m", "loadtest.bare", str(port)],
                clean_environment(directory),
                log=directory / "bare.log",
                cores=self.cores.server,
            )
        )
        server = Server(f"http://{HOST}:{port}", process.pid)
        wait_until_well(server)
        self.rows.append(Row("uvicorn, constant 302", server, partial(_peers_paths, "many")))

    def _add_nginx(self, stack: ExitStack) -> None:
        try:
            nginx = Nginx.find(self._subdirectory("nginx"), self.cores.server)
        except MissingError as error:
            self.left_out.append(f"left out: {error}")
            return
        self.versions["nginx"] = nginx.version.removeprefix("nginx/")
        plain = stack.enter_context(nginx.plain())
        self._add_peers("nginx, return 302", plain)
        try:
            self._add_counting(stack, nginx)
        except MissingError as error:
            self.left_out.append(f"left out: {error}")

    def _add_counting(self, stack: ExitStack, nginx: Nginx) -> None:
        directory = self._subdirectory("redis")
        socket = directory / "redis.sock"
        # Redis's own defaults, but for where it listens: snapshots now and then, no log.
        command = [
            *(str(find_binary().path), "--port", "0", "--unixsocket", str(socket)),
            *("--dir", str(directory)),
        ]
        process = stack.enter_context(
            service(
                command,
                clean_environment(directory),
                log=directory / "redis.log",
                cores=self.cores.server,
            )
        )
        counted: dict[str, int] = {}
        # Left in the opposite order: nginx is stopped, Redis is read, Redis is stopped.
        stack.callback(lambda: counted.update(_clicks_in(socket)))
        server = stack.enter_context(nginx.counting(socket))
        self._add_peers("nginx + Lua + Redis", server, redis=[process.pid], counted=counted)

    def _add_peers(
        self,
        name: str,
        server: Server,
        *,
        redis: Sequence[int] = (),
        counted: Mapping[str, int] | None = None,
    ) -> None:
        """A peer's rows.

        Args:
            counted: its clicks by event, when everything has stopped; None: it counts nothing.
        """
        for what, slug in ((_BEHIND_PROXY, "behind"), ("", "many")):
            self.rows.append(
                Row(
                    name + what,
                    server,
                    partial(_peers_paths, slug),
                    new_fields=what == _BEHIND_PROXY,
                    redis=redis,
                    count=None if counted is None else partial(counted.__getitem__, slug),
                )
            )

    def _subdirectory(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir()
        return directory


class _Counts:
    """The counts of a database, read once when they are asked for first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._counts: dict[str, int] | None = None

    def of(self, slug: str) -> int:
        if self._counts is None:
            self._counts = read_counts(self._directory)
        return self._counts[slug]


def _clicks_in(socket: Path) -> Counter[str]:
    """What nginx has counted, by event."""
    clicks: Counter[str] = Counter()
    with redis.Redis(unix_socket_path=str(socket), decode_responses=True) as client:
        for path, count in client.hgetall("clicks").items():
            clicks[path.split("/")[2]] += int(count)
    return clicks


def _peers_paths(slug: str) -> list[str]:
    return [link(slug, number) for number in range(LINKS)]
