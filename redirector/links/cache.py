"""Links by code: a bounded cache over SQL, kept fresh by the change feed."""

import asyncio
import logging
import time
from collections import OrderedDict

from redirector.links.destination import Rules
from redirector.links.expiring_cache import ExpiringCache
from redirector.links.known_link import KnownLink
from tracking.campaigns import changes_after, find_links, last_change
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence

logger = logging.getLogger(__name__)

# A scanner asks for many codes that don't exist: each is remembered for this many seconds, and this
# many of them at most. A code that is created later is forgotten through the change feed.
UNKNOWN_SECONDS = 10.0
_MAX_UNKNOWN = 10_000

_POLL_INTERVAL = 0.5
# So many are forgotten before redirects have their turn: about a millisecond.
CHANGES_PER_READ = 1000
# The flusher keeps the feed for a day (redirector/flusher). Who could not read it for this long
# starts with an empty cache.
_MAX_BLIND_SECONDS = 3600.0

_CODES_PER_QUERY = 500


class Links:
    """The links of one redirector process.

    Args:
        size: links kept at most; beyond that one that was not asked for lately is dropped.
        rules: that say where they lead.

    Attributes:
        by_request_line: the links in the cache, by that of a GET without a query.
    """

    def __init__(self, database: Database, size: int, rules: Rules) -> None:
        self.presence = Presence("SQL", "known links go on working", logger)
        self._database = database
        self._size = size
        self._rules = rules
        self._links: OrderedDict[str, KnownLink] = OrderedDict()
        self.by_request_line: dict[bytes, KnownLink] = {}
        self._unknown = ExpiringCache[str, None](UNKNOWN_SECONDS, _MAX_UNKNOWN)
        self._wanted: dict[str, asyncio.Future[KnownLink | None]] = {}
        self._loading: dict[str, asyncio.Future[KnownLink | None]] = {}
        self._loader: asyncio.Task[None] | None = None
        # How far the change feed was read, and when; None = not yet.
        self._position = 0
        self._read_at: float | None = None

    def cached(self, code: str) -> KnownLink | None:
        """The link, when it is known without asking SQL."""
        known = self._links.get(code)
        if known is not None:
            known.asked_for = True
        return known

    async def find(self, code: str) -> KnownLink | None:
        """The link with this code, or None when there is none.

        Raises:
            DatabaseUnavailableError: the link is not in the cache and SQL can't be asked, or does
                not answer in time.
        """
        link = self.cached(code)
        if link is not None or code in self._unknown:
            return link
        # Shielded: the future is shared, and one client's departure must not end it for the others.
        return await asyncio.shield(self._ask(code))

    def ask(self, code: str) -> asyncio.Future[KnownLink | None] | None:
        """Asks SQL for a link; with it, it is in the cache.

        Returns:
            None when what SQL says is known, or SQL is away.
        """
        if code in self._links or code in self._unknown or self.presence.away:
            return None
        return self._ask(code)

    def _ask(self, code: str) -> asyncio.Future[KnownLink | None]:
        """What SQL says of a code.

        However many ask for however many unknown codes, one query is under way at a time, and it
        asks for all that were wanted when it began.
        """
        waiting = self._loading.get(code) or self._wanted.get(code)
        if waiting is None:
            waiting = self._wanted[code] = asyncio.get_running_loop().create_future()
            if self._loader is None:
                self._loader = asyncio.create_task(self._load())
        return waiting

    def forget(self, code: str) -> None:
        """Drops what is known of a code, and what a query under way is about to say of it."""
        self._leave(self._links.pop(code, None))
        self._unknown.discard(code)
        self._loading.pop(code, None)

    async def follow_changes(self) -> None:
        """Reads the change feed twice a second, for ever."""
        while True:
            try:
                await self._poll()
            except DatabaseUnavailableError as error:
                self.presence.lost(error)
            else:
                self.presence.found()
            await asyncio.sleep(_POLL_INTERVAL)

    async def _load(self) -> None:
        """Asks SQL until nothing is wanted.

        However it ends, and however a query does, whoever waits gets an answer, and the next who
        asks begins afresh.
        """
        asked: dict[str, asyncio.Future[KnownLink | None]] = {}
        try:
            while self._wanted:
                codes = list(self._wanted)[:_CODES_PER_QUERY]
                asked = {code: self._wanted.pop(code) for code in codes}
                self._loading = dict(asked)
                await self._answer(asked)
        finally:
            left = [*asked.values(), *self._wanted.values()]
            self._loading, self._wanted, self._loader = {}, {}, None
            for future in left:
                _fail(future, DatabaseUnavailableError("nobody asks the database any more"))

    async def _answer(self, futures: dict[str, asyncio.Future[KnownLink | None]]) -> None:
        """Answers those who wait for these codes, by what one query says."""
        try:
            found = {
                link.code: KnownLink(link, self._rules)
                for link in await find_links(self._database, list(futures))
            }
            for code, future in futures.items():
                link = found.get(code)
                if self._loading.get(code) is future:
                    self._keep(code, link)
                future.set_result(link)
        except Exception as error:
            if not isinstance(error, DatabaseUnavailableError):
                logger.exception("links can't be looked up")
                error = DatabaseUnavailableError(str(error))
            self.presence.lost(error)
            for future in futures.values():
                _fail(future, error)

    def _keep(self, code: str, link: KnownLink | None) -> None:
        if link is None:
            self._unknown[code] = None
        else:
            self._leave(self._links.get(code))
            self._links[code] = self.by_request_line[link.request_line] = link
            if len(self._links) > self._size:
                self._drop_one()

    def _drop_one(self) -> None:
        """Drops the oldest link that was not asked for since it came or was last passed over.

        That is nearly the least recently used one, and costs a hit no more than setting a flag.
        """
        while True:
            code, known = self._links.popitem(last=False)
            if not known.asked_for:
                self._leave(known)
                return
            known.asked_for = False
            self._links[code] = known

    def _leave(self, known: KnownLink | None) -> None:
        if known is not None:
            del self.by_request_line[known.request_line]

    async def _poll(self) -> None:
        # Wall-clock time: it runs on in a sleeping machine, whose other clock stands still.
        now = time.time()
        patience = self._database.patience
        if self._read_at is None or now - self._read_at > _MAX_BLIND_SECONDS:
            async with self._database.read(patience) as connection:
                self._position = await last_change(connection)
            self._forget_all()
        more = True
        while more:
            async with self._database.read(patience) as connection:
                changes = await changes_after(connection, self._position, CHANGES_PER_READ)
            for change in changes:
                self.forget(change.code)
                self._position = change.id
            more = len(changes) == CHANGES_PER_READ
        self._read_at = now

    def _forget_all(self) -> None:
        self._links.clear()
        self.by_request_line.clear()
        self._unknown.clear()
        self._loading.clear()


def _fail(future: asyncio.Future[KnownLink | None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # it is no surprise when nobody waits any more
