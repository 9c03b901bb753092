import numpy as np
import pytest

from sam2lite.calibration.four_bits.gptq import GptqSettings, gptq, output_error
from sam2lite.calibration.four_bits.grid import Floats, Grid, rounded, searched_steps, steps_of

OUTPUTS, INPUTS = 48, 160


def weight(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((OUTPUTS, INPUTS)).astype(np.float32)


def hessian(correlated: bool, rows: int = 2000, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((rows, INPUTS))
    if correlated:  # as activations are: few directions carry most
        mixing = rng.standard_normal((INPUTS, INPUTS)) * np.geomspace(1, 0.01, INPUTS)[:, None]
        inputs = inputs @ mixing
    return (inputs.T @ inputs / rows).astype(np.float32)


def reference(weight_oi: Floats, hessian_ii: Floats, grid: Grid, damping: float) -> Floats:
    """GPTQ as its equations stand, column by column with the inverse shrunk each time."""
    steps = steps_of(weight_oi, grid)
    left = weight_oi.astype(np.float64).copy()
    matrix = hessian_ii.astype(np.float64)
    matrix = matrix + damping * np.diag(matrix).mean() * np.eye(INPUTS)
    inverse = np.linalg.inv(matrix)
    result = np.empty_like(left)
    for column in range(INPUTS):
        scale, zero = steps.of_columns(np.array([column]))
        code = np.clip(np.rint(left[:, [column]] / scale) + zero, 0, 15)
        result[:, [column]] = (code - zero) * scale
        error = (left[:, column] - result[:, column]) / inverse[column, column]
        left -= np.outer(error, inverse[column])
        inverse = inverse - np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    return result.astype(np.float32)


@pytest.mark.parametrize("block", [1, 32, 128, 1000])
def test_blocks_change_nothing_of_the_equations(block: int) -> None:
    settings = GptqSettings(damping=0.05, block=block, by_variance=False)
    grid = Grid(32)
    found = gptq(weight(), hessian(True), steps_of(weight(), grid), settings).weight()
    expected = reference(weight(), hessian(True), grid, 0.05)
    same = np.isclose(found, expected, atol=1e-5).mean()
    assert same > 0.999  # a tie may be rounded otherwise
    errors = [output_error(weight(), each, hessian(True)) for each in (found, expected)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-2)


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("symmetric", [True, False])
def test_it_loses_less_than_rounding_where_inputs_go_together(group: int, symmetric: bool) -> None:
    steps = searched_steps(weight(), Grid(group, symmetric))
    plain = output_error(weight(), rounded(weight(), steps).weight(), hessian(True))
    found = output_error(weight(), gptq(weight(), hessian(True), steps).weight(), hessian(True))
    assert found < 0.7 * plain


def test_inputs_that_do_not_go_together_leave_it_as_it_is() -> None:
    steps = steps_of(weight(), Grid(32))
    identity = np.eye(INPUTS, dtype=np.float32)
    np.testing.assert_array_equal(
        gptq(weight(), identity, steps).codes_oi, rounded(weight(), steps).codes_oi
    )


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_few_rows_do_no_harm(rows: int) -> None:
    few = hessian(True, rows)
    steps = steps_of(weight(), Grid(32))
    found = gptq(weight(), few, steps)
    assert np.isfinite(found.weight()).all()
    plain = output_error(weight(), rounded(weight(), steps).weight(), few)
    assert output_error(weight(), found.weight(), few) <= plain


def test_an_outlier_never_makes_it_worse_than_rounding() -> None:
    values = weight()
    values[:, 3] *= 300
    strange = hessian(True)
    strange[3] *= 100
    strange[:, 3] *= 100
    steps = steps_of(values, Grid(64))
    plain = output_error(values, rounded(values, steps).weight(), strange)
    assert output_error(values, gptq(values, strange, steps).weight(), strange) <= plain


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_inputs_that_say_nothing_are_rounded(value: float) -> None:
    steps = steps_of(weight(), Grid(32))
    nothing = np.full((INPUTS, INPUTS), value, np.float32)
    np.testing.assert_array_equal(
        gptq(weight(), nothing, steps).codes_oi, rounded(weight(), steps).codes_oi
    )
