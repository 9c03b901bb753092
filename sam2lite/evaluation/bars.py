"""Charts of horizontal bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.evaluation.charts import new_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW, _WIDTH, _EDGES = 16, 1100, 90  # px
_ROOM = 1.08  # for the number behind the longest bar


class Bar(NamedTuple):
    """One bar: what it is, how long, and what it has in common with others of its colour."""

    label: str
    value: float
    group: str


def plot_bars(bars: Sequence[Bar], title: str, unit: str) -> Figure:
    """Draw bars from 0 on, in the order given from the top down, coloured by group.

    Args:
        bars: one or more; an infinite one reaches to the edge.
        title: above the chart.
        unit: of the values.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    figure, axes = new_chart(_WIDTH, _ROW * len(bars) + _EDGES, title)
    longest = max([bar.value for bar in bars if math.isfinite(bar.value)] + [1e-9])
    edge = _ROOM * longest
    groups = list(dict.fromkeys(bar.group for bar in bars))
    drawn = axes.barh(
        range(len(bars)),
        [min(max(bar.value, 0.0), edge) for bar in bars],
        color=[f"C{groups.index(bar.group)}" for bar in bars],
        height=0.7,
    )
    axes.bar_label(drawn, [f"{bar.value:.1f}" for bar in bars], padding=4, fontsize=8)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=8)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, edge)
    axes.set_xlabel(unit)
    axes.grid(axis="x", alpha=0.4)
    return figure
