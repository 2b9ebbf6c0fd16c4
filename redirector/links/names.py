"""Names of organizers and events, for the pages of who is not led on."""

from dataclasses import dataclass

from redirector.links.expiring_cache import ExpiringCache
from tracking import organizers
from tracking.database import Database, Transaction
from tracking.errors import DatabaseUnavailableError
from tracking.links import own_link
from tracking.organizers import Event

# Links of an event without a shop lead every visitor to its page: each answer of SQL's is good for
# this many seconds, and this many are kept at most.
_SECONDS = 10.0
_MAX_KEPT = 10_000
# Whoever makes up addresses must not keep SQL from looking up links.
_MAX_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class EventNames:
    """What the slugs in an address stand for.

    Attributes:
        organizer: None = there is no such organizer.
        event: None = it has no such event.
        has_shop: whether the event has a ticket shop of its own, which is no link of this server.
    """

    organizer: str | None = None
    event: str | None = None
    has_shop: bool = False


class Names:
    """The names that one process knows.

    Args:
        public_origin: what links of this server begin with: a shop that is one is none.
    """

    def __init__(self, database: Database, public_origin: str) -> None:
        self._database = database
        self._public_origin = public_origin
        self._known = ExpiringCache[tuple[str, str], EventNames](_SECONDS, _MAX_KEPT)
        self._asking = 0

    async def find(self, organizer: str, event: str) -> EventNames:
        """The names of an organizer and its event, by their slugs.

        Raises:
            DatabaseUnavailableError: SQL can't be asked.
        """
        if (organizer, event) not in self._known:
            async with self._database.read(self._database.patience) as connection:
                self._known[organizer, event] = await self._read(connection, organizer, event)
        return self._known[organizer, event]

    async def find_if_idle(self, organizer: str, event: str) -> EventNames:
        """The same for a page that can do without; none while SQL is away, or busy with others."""
        if (organizer, event) not in self._known and self._asking >= _MAX_AT_ONCE:
            return EventNames()
        self._asking += 1
        try:
            return await self.find(organizer, event)
        except DatabaseUnavailableError:
            return EventNames()
        finally:
            self._asking -= 1

    async def _read(self, connection: Transaction, organizer: str, slug: str) -> EventNames:
        id = await organizers.find_organizer(connection, organizer)
        if id is None:
            return EventNames()
        name = (await organizers.get_organizer(connection, id)).name
        event = await organizers.find_event(connection, organizer, slug)
        if event is None:
            return EventNames(name)
        return EventNames(name, event.display_name, self._has_shop(event))

    def _has_shop(self, event: Event) -> bool:
        return event.shop_url != "" and own_link(event.shop_url, self._public_origin) is None
