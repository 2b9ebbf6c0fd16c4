"""Which campaign is clicked next: a few are clicked often, most hardly ever."""

import random
from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from loadtest.api import Campaign

# Zipf's law: the campaign of rank r is clicked in proportion to 1 / r^s. What people ask the web
# for has an s between 0.6 and 1.1; with 1, the first of 100 campaigns has a fifth of all clicks.
EXPONENT: Final = 1.0


@dataclass(slots=True)
class Popularity:
    """Campaigns by rank, the most popular first."""

    campaigns: list[Campaign] = field(default_factory=list)
    _cumulative: list[float] = field(default_factory=list)

    def add(self, campaign: Campaign) -> None:
        """Adds a campaign, as the least popular so far."""
        self.campaigns.append(campaign)
        below = self._cumulative[-1] if self._cumulative else 0.0
        self._cumulative.append(below + len(self.campaigns) ** -EXPONENT)

    def pick(self) -> Campaign:
        """Draws a campaign; there must be one."""
        drawn = random.random() * self._cumulative[-1]
        # Rounding may put the product at the very end, behind the last.
        return self.campaigns[min(bisect(self._cumulative, drawn), len(self.campaigns) - 1)]


class Ranks:
    """The same for campaigns that are known by their numbers alone.

    Args:
        count: of the campaigns.
    """

    def __init__(self, count: int) -> None:
        # Which number has which rank must not follow the order in which the database keeps them.
        self.numbers = random.sample(range(count), count)
        self._cumulative = list(accumulate(rank**-EXPONENT for rank in range(1, count + 1)))

    def draw(self, amount: int) -> list[int]:
        """Numbers of campaigns, from 0, one for each click."""
        return random.choices(self.numbers, cum_weights=self._cumulative, k=amount)
