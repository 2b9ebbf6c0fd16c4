"""A line as small as a word: how a campaign's clicks went."""

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _EDGE = 96, 24, 2


def sparkline(values: Sequence[int]) -> Markup:
    """An SVG that says nothing to who can't see it: the numbers stand beside it."""
    highest = max(values, default=0)
    step = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    room = _HEIGHT - 2 * _EDGE
    points = " ".join(
        f"{_EDGE + number * step:.1f},{_HEIGHT - _EDGE - room * value / max(highest, 1):.1f}"
        for number, value in enumerate(values)
    )
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<polyline points="{}"/></svg>'
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, points)
