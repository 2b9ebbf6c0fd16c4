"""Clicks over time: this period a line over a tint, the one before dashed, a few dates and lines.

It is drawn twice, for wide screens and for phones, where it is taller and has fewer dates; the
style sheet shows one. Whatever it says stands in a table beside it, so that it is hidden from who
hears the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.scale import axis


@dataclass(frozen=True, slots=True)
class Point:
    """An interval of a chart.

    Attributes:
        label: its date, as short as fits below the axis.
        name: the same in full.
        clicks: None = it lies ahead.
        before, before_name: of the period before; None = there is none.
    """

    label: str
    name: str
    clicks: int | None
    before: int | None = None
    before_name: str = ""

    @property
    def sentence(self) -> str:
        """What who points at it reads below its name."""
        if self.before is None:
            return ""
        return f"{self.before:,} on {self.before_name}"


@dataclass(frozen=True, slots=True)
class _Geometry:
    css_class: str
    width: int
    height: int
    labels: int
    left: int = 46
    right: int = 10
    top: int = 10
    bottom: int = 26

    def x(self, number: int, points: int) -> float:
        room = self.width - self.left - self.right
        return self.left + (room / 2 if points == 1 else room * number / (points - 1))

    def y(self, value: float, highest: int) -> float:
        room = self.height - self.top - self.bottom
        return self.top + room * (1 - value / highest)


_WIDE = _Geometry("chart wide", width=1160, height=232, labels=8)
_NARROW = _Geometry("chart narrow", width=340, height=200, labels=4, left=38)


def line_chart(points: Sequence[Point]) -> Markup:
    """Both SVGs; `static/chart.js` adds the crosshair."""
    return Markup("").join(_draw(points, geometry) for geometry in (_WIDE, _NARROW))


def _draw(points: Sequence[Point], geometry: _Geometry) -> Markup:
    values = [each.clicks for each in points if each.clicks is not None]
    before = [each.before for each in points if each.before is not None]
    ticks = axis(max([*values, *before], default=0))
    highest = ticks[-1]
    parts = [
        _grid(ticks, geometry),
        _dates(points, geometry),
        _area(values, highest, geometry, len(points)),
        _line("before", before, highest, geometry, len(points)),
        _line("now", values, highest, geometry, len(points)),
        _marks(points, highest, geometry),
    ]
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" aria-hidden="true" focusable="false"'
        ' data-highest="{}" data-top="{}" data-bottom="{}">{}</svg>'
    ).format(
        geometry.css_class,
        geometry.width,
        geometry.height,
        highest,
        geometry.top,
        geometry.height - geometry.bottom,
        Markup("").join(parts),
    )


def _grid(ticks: Sequence[int], geometry: _Geometry) -> Markup:
    return Markup("").join(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(
            geometry.left,
            geometry.width - geometry.right,
            geometry.left - 8,
            geometry.y(tick, ticks[-1]) + 4,
            _short(tick),
            y=geometry.y(tick, ticks[-1]),
        )
        for tick in ticks
    )


def _dates(points: Sequence[Point], geometry: _Geometry) -> Markup:
    """Some dates, evenly spaced from the first on; none so near the edge that it would be cut."""
    step = max(1, -(-len(points) // geometry.labels))
    return Markup("").join(
        Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            min(geometry.x(number, len(points)), geometry.width - 20),
            geometry.height - 6,
            points[number].label,
        )
        for number in range(0, len(points), step)
    )


def _coordinates(
    values: Sequence[int], highest: int, geometry: _Geometry, points: int
) -> list[str]:
    return [
        f"{geometry.x(number, points):.1f} {geometry.y(value, highest):.1f}"
        for number, value in enumerate(values)
    ]


def _line(
    css_class: str, values: Sequence[int], highest: int, geometry: _Geometry, points: int
) -> Markup:
    if not values:
        return Markup("")
    path = "M" + "L".join(_coordinates(values, highest, geometry, points))
    return Markup('<path class="{}" d="{}"/>').format(css_class, path)


def _area(values: Sequence[int], highest: int, geometry: _Geometry, points: int) -> Markup:
    if not values:
        return Markup("")
    ground = geometry.height - geometry.bottom
    first, last = geometry.x(0, points), geometry.x(len(values) - 1, points)
    path = "L".join(_coordinates(values, highest, geometry, points))
    return Markup('<path class="area" d="M{:.1f} {}L{}L{:.1f} {}Z"/>').format(
        first, ground, path, last, ground
    )


def _marks(points: Sequence[Point], highest: int, geometry: _Geometry) -> Markup:
    """A point an interval: one that is alone is seen, the others by who points at them."""
    alone = sum(point.clicks is not None for point in points) == 1
    return Markup("").join(
        Markup(
            '<circle class="point{}" cx="{:.1f}" cy="{:.1f}" r="4" data-clicks="{}"'
            ' data-name="{}" data-more="{}"/>'
        ).format(
            " alone" if alone else "",
            geometry.x(number, len(points)),
            geometry.y(point.clicks, highest),
            point.clicks,
            point.name,
            point.sentence,
        )
        for number, point in enumerate(points)
        if point.clicks is not None
    )


def _short(value: int) -> str:
    """A number that fits beside the axis."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= 10 * unit or (value >= unit and value % (unit // 10) == 0 and unit > 1_000):
            return f"{value / unit:g}{letter}"
    return f"{value:,}"
