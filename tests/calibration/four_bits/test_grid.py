import numpy as np
import pytest

from sam2lite.calibration.four_bits.grid import (
    LEVELS,
    Floats,
    Grid,
    rounded,
    searched_steps,
    steps_of,
)

SHAPES = [(5, 64), (7, 100), (3, 17), (4, 300)]


def weight(shape: tuple[int, int], seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def naive(weight_oi: Floats, group: int, symmetric: bool) -> Floats:
    """Round group by group, in plain loops."""
    result = np.empty_like(weight_oi)
    for row in range(len(weight_oi)):
        for begin in range(0, weight_oi.shape[1], group):
            part = weight_oi[row, begin : begin + group].astype(np.float64)
            low, high = min(part.min(), 0.0), max(part.max(), 0.0)
            if symmetric:
                scale, zero = max(-low / 8, high / 7), 8
            else:
                scale = (high - low) / 15
                zero = round(-low / float(np.float16(scale)))
            scale = float(np.float16(scale))  # as it is stored
            codes = np.clip(np.rint(part / scale) + zero, 0, 15)
            result[row, begin : begin + group] = (codes - zero) * scale
    return result


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("group", [16, 32, 64, 128])
@pytest.mark.parametrize("shape", SHAPES)
def test_rounding_is_what_loops_give(shape: tuple[int, int], group: int, symmetric: bool) -> None:
    values = weight(shape)
    grid = Grid(group, symmetric)
    packed = rounded(values, steps_of(values, grid))
    assert packed.codes_oi.max() < LEVELS
    assert packed.steps.scale_og.shape == (shape[0], -(-shape[1] // group))
    np.testing.assert_allclose(packed.weight(), naive(values, group, symmetric), atol=2e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_what_is_on_the_grid_stays(symmetric: bool) -> None:
    packed = rounded(weight((6, 96)), steps_of(weight((6, 96)), Grid(32, symmetric)))
    again = rounded(packed.weight(), packed.steps)
    np.testing.assert_array_equal(again.codes_oi, packed.codes_oi)


@pytest.mark.parametrize("symmetric", [True, False])
def test_nought_is_exact(symmetric: bool) -> None:
    values = np.abs(weight((4, 64))) + 1
    values[:, ::3] = 0.0
    packed = rounded(values, steps_of(values, Grid(32, symmetric)))
    assert (packed.weight()[:, ::3] == 0.0).all()


def test_a_group_of_noughts_has_a_scale() -> None:
    values = np.zeros((2, 64), np.float32)
    packed = rounded(values, steps_of(values, Grid(32)))
    assert (packed.weight() == 0.0).all()
    assert (packed.steps.scale_og > 0).all()


@pytest.mark.parametrize("group", [32, 64])
def test_a_search_of_the_span_loses_less_of_long_tails(group: int) -> None:
    values = np.random.default_rng(1).standard_t(4, (32, 200)).astype(np.float32)
    grid = Grid(group)
    plain = rounded(values, steps_of(values, grid)).weight() - values
    searched = rounded(values, searched_steps(values, grid)).weight() - values
    assert (np.abs(searched) ** 2.4).sum() < 0.95 * (np.abs(plain) ** 2.4).sum()
    per_group = (np.abs(searched) ** 2.4).sum(axis=1) <= (np.abs(plain) ** 2.4).sum(axis=1) + 1e-6
    assert per_group.all()
