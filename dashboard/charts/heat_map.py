"""Weekday by hour: when people click."""

from dataclasses import dataclass
from typing import Final

WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
LEVELS: Final = 6
"""Shades of a cell that has clicks."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A cell for each hour of the week.

    Attributes:
        clicks: by weekday, Monday first, and hour.
    """

    clicks: list[list[int]]

    @property
    def rows(self) -> list[tuple[str, list[tuple[int, int, int]]]]:
        """Each weekday's name, and its cells: hour, clicks, and shade from 0 to `LEVELS`."""
        most = max(map(max, self.clicks))
        return [
            (
                WEEKDAYS[day],
                [
                    (hour, clicks, -(-clicks * LEVELS // most) if most else 0)
                    for hour, clicks in enumerate(hours)
                ],
            )
            for day, hours in enumerate(self.clicks)
        ]

    @property
    def sentence(self) -> str:
        """When most clicks came, in words; "" = there were none."""
        most = max(map(max, self.clicks))
        if most == 0:
            return ""
        day, hour = next(
            (day, hour)
            for day, hours in enumerate(self.clicks)
            for hour, clicks in enumerate(hours)
            if clicks == most
        )
        clicks = "click" if most == 1 else "clicks"
        return f"Most on {WEEKDAYS[day]}s from {hour}:00 to {hour + 1}:00: {most:,} {clicks}."
