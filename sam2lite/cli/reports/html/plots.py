"""Charts over two axes: SVG that stretches with the page, and labels that keep their size.

The drawing is stretched to the width of the page, so nothing in it is text; ticks and legends are
HTML beside it. Lines keep their width by `vector-effect`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sam2lite.cli.reports.html.markup import Html, joined, tag
from sam2lite.cli.reports.html.scales import Axis

_WIDTH, _HEIGHT = 1000.0, 300.0  # of the drawing's own units
MOST_POINTS = 2000  # of a line; more are not told apart


@dataclass(frozen=True)
class Series:
    """What is drawn in one colour.

    Attributes:
        name: in the legend.
        points: x and y, by ascending x; y None is a gap.
        colour: 1 to 7, of the style's.
        stepped: whether a value holds until the next, rather than going there straight.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: int = 1
    stepped: bool = False


@dataclass(frozen=True)
class Band:
    """A stretch of the horizontal axis that is shaded, and what it is called in the legend."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Mark:
    """A value that is drawn as a line across, with words at it."""

    name: str
    value: float
    upright: bool = False


@dataclass(frozen=True)
class Plot:
    """A chart.

    Attributes:
        x: the horizontal axis.
        y: the vertical one.
        title: what a screen reader says of it.
        lines: drawn in this order.
        columns: left, right and height of bars, for histograms.
        bands: behind everything.
        marks: lines across.
        second: an axis for `on_second`, on the right.
        on_second: lines that belong to it.
    """

    x: Axis
    y: Axis
    title: str
    lines: Sequence[Series] = ()
    columns: Sequence[tuple[float, float, float]] = ()
    bands: Sequence[Band] = ()
    marks: Sequence[Mark] = ()
    second: Axis | None = None
    on_second: Sequence[Series] = field(default=())

    def draw(self) -> Html:
        """Return the chart as markup."""
        shapes = [
            *(self._band(band) for band in self.bands),
            *self._grid(),
            *(self._column(*column) for column in self.columns),
            *(shape for series in self.on_second for shape in self._line(series, self.second)),
            *(shape for series in self.lines for shape in self._line(series, self.y)),
            *(self._mark(mark) for mark in self.marks),
        ]
        svg = tag(
            "svg",
            *shapes,
            viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
            preserveAspectRatio="none",
            role="img",
            aria_label=self.title,
        )
        area = tag("div", svg, *self._ticks(), *self._mark_labels(), class_="area")
        kinds = "plot two" if self.second is not None else "plot"
        return tag("figure", self._legend(), tag("div", area, class_=kinds), class_="chart")

    def _ticks(self) -> list[Html]:
        upright = [
            tag("span", tick.text, class_="tick y", style=f"bottom:{100 * tick.share:.2f}%")
            for tick in self.y.ticks(5)
        ]
        level = [
            tag("span", tick.text, class_="tick x", style=f"left:{100 * tick.share:.2f}%")
            for tick in self.x.ticks(8)
        ]
        right = [
            tag("span", tick.text, class_="tick y2", style=f"bottom:{100 * tick.share:.2f}%")
            for tick in (self.second.ticks(5) if self.second else ())
        ]
        units = [
            tag("span", self.y.unit, class_="unit y"),
            tag("span", self.x.unit, class_="unit x"),
        ]
        if self.second is not None:
            units.append(tag("span", self.second.unit, class_="unit y2"))
        return upright + level + right + units

    def _grid(self) -> list[Html]:
        heights = (_HEIGHT * (1 - tick.share) for tick in self.y.ticks(5))
        return [_straight(0, y, _WIDTH, y, "grid") for y in heights]

    def _band(self, band: Band) -> Html:
        left, right = _WIDTH * self.x.share(band.begin), _WIDTH * self.x.share(band.end)
        wide = max(2.0, right - left)
        return tag("rect", x=f"{left:.1f}", y=0, width=f"{wide:.1f}", height=_HEIGHT, class_="band")

    def _column(self, left: float, right: float, value: float) -> Html:
        begin, end = _WIDTH * self.x.share(left), _WIDTH * self.x.share(right)
        height = _HEIGHT * self.y.share(value)
        return tag(
            "rect",
            x=f"{begin:.2f}",
            y=f"{_HEIGHT - height:.2f}",
            width=f"{max(0.5, end - begin - 1):.2f}",
            height=f"{height:.2f}",
            class_="column",
        )

    def _line(self, series: Series, axis: Axis | None) -> list[Html]:
        """Return a path for every stretch without a gap."""
        axis = axis or self.y
        paths, path = [], ""
        for x, y in _thinned(series.points):
            if y is None:
                paths.append(path)
                path = ""
                continue
            place = f"{_WIDTH * self.x.share(x):.1f}"
            height = _HEIGHT * (1 - axis.share(y))
            if not path:
                path = f"M{place} {height:.1f}h0"
            else:
                path += f"H{place}V{height:.1f}" if series.stepped else f"L{place} {height:.1f}"
        return [
            tag(
                "path",
                d=each,
                class_=f"line c{series.colour}",
                vector_effect="non-scaling-stroke",
            )
            for each in (*paths, path)
            if each
        ]

    def _mark(self, mark: Mark) -> Html:
        if mark.upright:
            x = _WIDTH * self.x.share(mark.value)
            return _straight(x, 0, x, _HEIGHT, "mark")
        y = _HEIGHT * (1 - self.y.share(mark.value))
        return _straight(0, y, _WIDTH, y, "mark")

    def _mark_labels(self) -> list[Html]:
        labels = []
        for row, mark in enumerate(self.marks):
            if mark.upright:
                share = self.x.share(mark.value)
                side = "left" if share < 0.7 else "right"
                place = share if side == "left" else 1 - share
                where = f"{side}:{100 * place:.2f}%;top:{1.25 * row:.2f}em"
            else:
                where = f"right:0;bottom:{100 * self.y.share(mark.value):.2f}%"
            labels.append(tag("span", mark.name, class_="label", style=where))
        return labels

    def _legend(self) -> Html:
        series = [*self.lines, *self.on_second]
        names = {band.name for band in self.bands}
        keys = [
            *(
                tag("span", tag("i", class_=f"key c{each.colour}"), each.name)
                for each in series
                if each.name
            ),
            *(tag("span", tag("i", class_="key band"), name) for name in sorted(names)),
        ]
        return tag("div", *keys, class_="legend") if keys else joined(())


def _straight(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return tag(
        "path",
        d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}",
        class_=kind,
        vector_effect="non-scaling-stroke",
    )


def _thinned(
    points: Sequence[tuple[float, float | None]],
) -> Sequence[tuple[float, float | None]]:
    """Return all points or, of very many, the highest of every few: what is late stays seen."""
    step = -(-len(points) // MOST_POINTS)
    if step <= 1:
        return points
    groups = (points[start : start + step] for start in range(0, len(points), step))
    return [
        max(group, key=lambda point: -1.0 if point[1] is None else point[1]) for group in groups
    ]
