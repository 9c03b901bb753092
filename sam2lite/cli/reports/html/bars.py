"""Horizontal bars with their names and values: HTML alone, so that text keeps its size."""

from collections.abc import Sequence
from typing import NamedTuple

from sam2lite.cli.reports.html.markup import Html, tag


class Part(NamedTuple):
    """A piece of a bar: its value, its colour (1 to 7, of the style's) and what it is."""

    value: float
    colour: int = 1
    name: str | None = None


class Bar(NamedTuple):
    """A bar.

    Attributes:
        name: in front of it.
        text: the value in words, behind it.
        parts: one after the other.
    """

    name: str
    text: str
    parts: Sequence[Part]


def draw_bars(bars: Sequence[Bar], longest: float | None = None) -> Html:
    """Return bars under one another.

    Args:
        bars: from top to bottom; values are 0 or more.
        longest: the value that fills the width; the greatest sum if not given.
    """
    full = longest or max((_sum(bar) for bar in bars), default=0.0) or 1.0
    rows = (
        tag(
            "div",
            tag("span", bar.name, class_="name"),
            tag("span", *(_piece(part, full) for part in bar.parts), class_="track"),
            tag("span", bar.text, class_="value"),
            role="listitem",
        )
        for bar in bars
    )
    return tag("div", *rows, class_="bars", role="list")


def legend(parts: Sequence[Part]) -> Html:
    """Return what the colours of parts stand for."""
    keys = (tag("span", tag("i", class_=f"key c{part.colour}"), part.name) for part in parts)
    return tag("div", *keys, class_="legend")


def _piece(part: Part, full: float) -> Html:
    share = 100.0 * min(1.0, max(0.0, part.value / full))
    return tag("i", class_=f"c{part.colour}", style=f"width:{share:.2f}%", title=part.name)


def _sum(bar: Bar) -> float:
    return sum(max(0.0, part.value) for part in bar.parts)
