"""Shared addresses: they show an event or a campaign to whoever has one, and let nobody write."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog
from tracking.access import secret as secrets
from tracking.tables import campaigns, events, organizers, shares
from tracking.timestamps import format_timestamp


@dataclass(frozen=True, slots=True)
class Share:
    """A shared address.

    Attributes:
        organizer, event: slugs.
        campaign_id, campaign: the one it shows, and its description; None = the whole event.
        name: for whom it is, as who made it says.
        created_at: seconds since the epoch.
        expires_at: likewise; None = it has no end.
    """

    id: int
    organizer: str
    event: str
    campaign_id: int | None
    campaign: str | None
    name: str
    created_at: float
    expires_at: float | None

    @property
    def is_over(self) -> bool:
        """Whether it shows nothing any more."""
        return self.expires_at is not None and self.expires_at <= time.time()


_SHARES = (
    select(
        shares.c.id,
        organizers.c.slug.label("organizer"),
        events.c.slug.label("event"),
        shares.c.campaign_id,
        campaigns.c.description.label("campaign"),
        shares.c.name,
        shares.c.created_at,
        shares.c.expires_at,
    )
    .join_from(shares, events, events.c.id == shares.c.event_id)
    .join(organizers, organizers.c.id == events.c.organizer_id)
    .outerjoin(campaigns, campaigns.c.id == shares.c.campaign_id)
)


async def create(
    connection: AsyncConnection,
    event_id: int,
    campaign_id: int | None,
    *,
    name: str,
    expires_at: float | None = None,
) -> str:
    """Makes an address; its secret can't be read again later.

    Args:
        campaign_id: the one of the event's that it shows; None = all of the event.
        expires_at: seconds since the epoch; None = it has no end.
    """
    secret = secrets.draw()
    row = insert(shares).values(
        event_id=event_id,
        campaign_id=campaign_id,
        digest=secrets.digest(secret),
        name=name,
        created_at=time.time(),
        expires_at=expires_at,
    )
    id = (await connection.execute(row.returning(shares.c.id))).scalar_one()
    what = "all" if campaign_id is None else f"campaign {campaign_id}"
    end = "" if expires_at is None else f", until {format_timestamp(expires_at)}"
    changelog.note(connection, f"shared {what} of event {event_id} by address {id}{end}")
    return secret


async def find(connection: AsyncConnection, secret: str) -> Share | None:
    """The address with this secret, unless it is unknown, revoked or over."""
    query = _SHARES.where(shares.c.digest == secrets.digest(secret), *_living())
    row = (await connection.execute(query)).mappings().one_or_none()
    return _share(row) if row else None


async def list_(
    connection: AsyncConnection, event_id: int, campaign_id: int | None = None
) -> Sequence[Share]:
    """The addresses of an event, those that are over too, the newest first.

    Args:
        campaign_id: only those of this campaign; None = all.
    """
    query = _SHARES.where(shares.c.event_id == event_id)
    if campaign_id is not None:
        query = query.where(shares.c.campaign_id == campaign_id)
    rows = await connection.execute(query.order_by(shares.c.id.desc()))
    return [_share(row) for row in rows.mappings()]


async def revoke(connection: AsyncConnection, event_id: int, id: int) -> bool:
    """Ends an address of the event at once; False when there is none with this id."""
    statement = delete(shares).where(shares.c.id == id, shares.c.event_id == event_id)
    if (await connection.execute(statement)).rowcount == 0:
        return False
    changelog.note(connection, f"revoked shared address {id} of event {event_id}")
    return True


async def living(connection: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of these addresses that still show something."""
    query = select(shares.c.id).where(shares.c.id.in_(ids), *_living())
    return set((await connection.execute(query)).scalars())


def _living() -> list[ColumnElement[bool]]:
    return [or_(shares.c.expires_at.is_(None), shares.c.expires_at > time.time())]


def _share(row: RowMapping) -> Share:
    return Share(**row)
