"""Charts of bars: as tall as there are bars, as long as their values."""

import io
import math

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sam2lite.errors import DependencyError
from sam2lite.evaluation.bars import Bar, plot_bars

PNG = b"\x89PNG\r\n\x1a\n"


def drawn(figure: Figure) -> list[Rectangle]:
    """Return the bars from the top down."""
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return sorted(bars, key=lambda bar: bar.get_y())


def test_bars_are_as_long_as_their_values() -> None:
    figure = plot_bars([Bar("a", 10.0, "x"), Bar("b", 20.0, "y"), Bar("c", 0.0, "x")], "T", "ms")
    assert [bar.get_width() for bar in drawn(figure)] == [10.0, 20.0, 0.0]
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("T", "ms")
    assert axes.yaxis.get_inverted()


def test_groups_have_colours_and_infinity_an_end() -> None:
    bars = [Bar("a", math.inf, "x"), Bar("b", 5.0, "y"), Bar("c", 5.0, "x")]
    figure = plot_bars(bars, "T", "dB")
    first, second, third = drawn(figure)
    assert first.get_facecolor() == third.get_facecolor() != second.get_facecolor()
    assert first.get_width() == figure.axes[0].get_xlim()[1] > second.get_width()


def test_a_chart_grows_with_its_bars_and_becomes_a_png() -> None:
    few, many = (plot_bars([Bar("a", 1.0, "x")] * count, "T", "ms") for count in (2, 60))
    assert many.get_figheight() > 2 * few.get_figheight()
    written = io.BytesIO()
    few.savefig(written, format="png")
    assert written.getvalue().startswith(PNG)


@pytest.mark.parametrize("value", [0.003, 1.0, 7e5])
def test_small_and_large_values_fill_the_chart(value: float) -> None:
    figure = plot_bars([Bar("a", value, "x")], "T", "ms")
    assert drawn(figure)[0].get_width() > 0.7 * figure.axes[0].get_xlim()[1]


def test_without_matplotlib_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam2lite.evaluation.charts.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install .*\[plots\]'"):
        plot_bars([Bar("a", 1.0, "x")], "T", "ms")
