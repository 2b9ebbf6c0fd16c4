"""Shared addresses."""

import time

from tracking import campaigns
from tracking.access import shares
from tracking.database import Database
from tracking.organizers import ensure_event


async def test_an_address_shows_until_it_ends(database: Database) -> None:
    """What it shows is found by its secret, until it is revoked or over."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        campaign = await campaigns.create(connection, event.id, description="Poster")
        whole = await shares.create(connection, event.id, None, name="The board")
        one = await shares.create(connection, event.id, campaign.id, name="A partner")
        over = await shares.create(
            connection, event.id, None, name="Last year", expires_at=time.time() - 1
        )
        found = await shares.find(connection, one)
        assert found is not None
        assert (found.event, found.campaign, found.name) == ("fest", "Poster", "A partner")
        assert await shares.find(connection, over) is None
        assert await shares.find(connection, "unknown") is None
        listed = await shares.list_(connection, event.id)
        assert [(each.name, each.is_over) for each in listed] == [
            ("Last year", True),
            ("A partner", False),
            ("The board", False),
        ]
        assert await shares.living(connection, {each.id for each in listed}) == {
            listed[1].id,
            listed[2].id,
        }
        of_campaign = await shares.list_(connection, event.id, campaign.id)
        assert [each.name for each in of_campaign] == ["A partner"]
        assert not await shares.revoke(connection, event.id + 1, listed[2].id)
        assert await shares.revoke(connection, event.id, listed[2].id)
        assert await shares.find(connection, whole) is None


async def test_an_address_ends_with_its_campaign(database: Database) -> None:
    """What is deleted is not shown any more."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        campaign = await campaigns.create(connection, event.id, description="Poster")
        secret = await shares.create(connection, event.id, campaign.id, name="A partner")
        await campaigns.remove(connection, event.id, campaign.id)
        assert await shares.find(connection, secret) is None
