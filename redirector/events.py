"""The names of events that have no ticket shop, for the page that stands in for it."""

from redirector.expiring_cache import ExpiringCache
from tracking.database import Database
from tracking.languages import DEFAULT_LOCALE
from tracking.links import own_link
from tracking.organizers import Event, find_event

# Their links lead every visitor to the page: each answer of SQL's is good for this many seconds,
# and this many are kept at most.
_SECONDS = 10.0
_MAX_KEPT = 10_000


class ShoplessEvents:
    """Events whose links lead to this server itself, for want of a shop.

    Args:
        public_origin: what links of this server begin with: a shop that is one is none.
    """

    def __init__(self, database: Database, public_origin: str) -> None:
        self._database = database
        self._public_origin = public_origin
        self._names = ExpiringCache[tuple[str, str], str | None](_SECONDS, _MAX_KEPT)

    async def name_of(self, organizer: str, slug: str) -> str | None:
        """An event's name; None when there is no such event, or it has a shop.

        Raises:
            DatabaseUnavailableError: SQL can't be asked.
        """
        if (organizer, slug) in self._names:
            return self._names[organizer, slug]
        async with self._database.read(self._database.patience) as connection:
            event = await find_event(connection, organizer, slug)
        name = None if event is None or self._has_shop(event) else _name(event)
        self._names[organizer, slug] = name
        return name

    def _has_shop(self, event: Event) -> bool:
        return event.shop_url != "" and own_link(event.shop_url, self._public_origin) is None


def _name(event: Event) -> str:
    """In English, or in whatever language it has one."""
    names = [event.name.get(DEFAULT_LOCALE), *event.name.values(), event.slug]
    return next(name for name in names if name)
