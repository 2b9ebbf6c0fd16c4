"""The audit: whether every count in the database is the number of what it counts."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import campaigns, clicks, orders, tallies
from tracking.clicks import Ledger


@dataclass(frozen=True, slots=True)
class Audit:
    """What was recounted.

    Attributes:
        campaigns: how many there are.
        differences: a line for each count that is wrong, but for the ledger's.
    """

    campaigns: int
    ledger: Ledger
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every count is right."""
        return not self.differences and self.ledger.clicks == self.ledger.hourly_sum

    @property
    def lines(self) -> list[str]:
        """It in words."""
        ledger = self.ledger
        rows = "as many" if ledger.clicks == ledger.hourly_sum else str(ledger.hourly_sum)
        moved = (
            f"{ledger.clicks} clicks were moved into SQL by {ledger.writers} entries of the "
            f"ledger; the hourly rows hold {rows}"
        )
        lines = [*self.differences, moved]
        if not self.differences:
            lines.append(f"the counts of all {self.campaigns} campaigns agree")
        return lines


async def recount(connection: AsyncConnection) -> Audit:
    """Recounts everything, in one read transaction."""
    clicked = [
        f"{found.code}: click_count is {found.click_count}, "
        f"its hourly rows add up to {found.hourly_sum}"
        for found in await clicks.audit(connection)
    ]
    ordered = [
        f"{found.code}: order_count is {found.order_count}, it has {found.orders} orders"
        for found in await orders.audit(connection)
    ]
    tallied = [
        f"{found.organizer}/{found.event}: its tally of the kind {found.kind} is {found.tally}, "
        f"it has {found.items}"
        for found in await tallies.audit(connection)
    ]
    summed = [
        f"{found.event}: {found.hours} of its hours are not the sums of its campaigns' rows"
        for found in await clicks.audit_hours(connection)
    ]
    total = await campaigns.count_all(connection)
    ledger = await clicks.ledger(connection)
    return Audit(total, ledger, (*clicked, *summed, *ordered, *tallied))
