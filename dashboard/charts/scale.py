"""Round numbers for an axis."""

from itertools import count

_STEPS = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5)
GRID_LINES = 4


def axis(highest: int) -> list[int]:
    """Whole, round and evenly spaced: 0 first, the last not below `highest`; five of them.

    Below four they are fewer, since clicks are whole.
    """
    if highest < GRID_LINES:
        return list(range(max(highest, 1) + 1))
    for power in count():
        for step in _STEPS:
            width = step * 10**power
            if width == int(width) and width * GRID_LINES >= highest:
                return [int(width) * line for line in range(GRID_LINES + 1)]
    raise AssertionError  # there is always a larger one
