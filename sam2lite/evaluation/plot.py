"""The chart of J over the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.evaluation.charts import new_chart
from sam2lite.evaluation.object_score import ObjectScore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 1000, 520  # px


def mean_j_by_frame(scores: Sequence[ObjectScore]) -> dict[int, float]:
    """Return the mean J over the objects that are scored on each frame, 0..1, frame 0 included."""
    values: dict[int, list[float]] = {0: [score.first_frame_j for score in scores]}
    for score in scores:
        for frame, j in zip(score.frames.tolist(), score.j_t.tolist(), strict=True):
            values.setdefault(frame, []).append(j)
    return {frame: float(np.mean(values[frame])) for frame in sorted(values)}


def plot_j(curves: Mapping[str, Sequence[ObjectScore]], title: str) -> Figure:
    """Draw one line per entry: the mean J of its objects over the frames, 0..100.

    Args:
        curves: scores by the name in the legend; the first is drawn thick.
        title: above the chart.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    figure, axes = new_chart(_WIDTH, _HEIGHT, title)
    from matplotlib.ticker import MaxNLocator

    for index, (name, scores) in enumerate(curves.items()):
        line = mean_j_by_frame(scores)
        percent = [100 * j for j in line.values()]
        width = 1 if index else 3
        above = len(curves) - index  # the first over all others
        axes.plot(list(line), percent, "o-", lw=width, ms=width + 3, zorder=2 + above, label=name)
    axes.set_ylim(0, 100)
    axes.set_xlabel("frame")
    axes.set_ylabel("J")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.4)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
