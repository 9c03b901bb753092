"""What all charts share: an empty one, and what is said where matplotlib is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from sam2lite.errors import DependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100


def require_matplotlib(purpose: str) -> None:
    """Say what is missing before the work whose result is to be drawn, not after.

    Args:
        purpose: what wants it, the first words of the message.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise DependencyError("matplotlib", "plots", purpose)


def new_chart(width_px: int, height_px: int, title: str) -> tuple[Figure, Axes]:
    """Return an empty chart; `Figure.savefig` writes it, and needs no display.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    require_matplotlib("a chart")
    from matplotlib.figure import Figure

    figure = Figure((width_px / DPI, height_px / DPI), DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_axisbelow(True)
    return figure, axes
