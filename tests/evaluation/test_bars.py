"""Pictures of bars: as tall as there are bars, as long as their values."""

import math

import numpy as np

from sam2lite.evaluation.bars import Bar, plot_bars


def filled(image: np.ndarray, row: int) -> int:
    """Return how many coloured pixels a bar has on its middle line."""
    line = image[60 + 16 * row + 8].astype(int)
    return int((line.max(axis=1) - line.min(axis=1) > 60).sum())


def test_bars_are_as_long_as_their_values() -> None:
    image = plot_bars([Bar("a", 10.0, "x"), Bar("b", 20.0, "y"), Bar("c", 0.0, "x")], "T", "ms")
    assert image.dtype == np.uint8
    first, second, third = (filled(image, row) for row in range(3))
    assert abs(second - 2 * first) <= 4
    assert third <= 1


def test_groups_have_colours_and_infinity_an_end() -> None:
    bars = [Bar("a", math.inf, "x"), Bar("b", 5.0, "y"), Bar("c", 5.0, "x")]
    image = plot_bars(bars, "T", "dB")
    middle = [image[60 + 16 * row + 8, 450] for row in range(3)]
    assert (middle[0] == middle[2]).all()
    assert (middle[0] != middle[1]).any()
    assert filled(image, 0) > filled(image, 1)


def test_small_and_large_values_get_round_ticks() -> None:
    for value in (0.003, 1.0, 7e5):
        assert filled(plot_bars([Bar("a", value, "x")], "T", "ms"), 0) > 300
