"""Smoothing, branches and biases of one layer."""

import dataclasses

import numpy as np
import pytest

from sam2lite.calibration.four_bits.gptq import gptq, output_error
from sam2lite.calibration.four_bits.grid import Floats, Grid, Packed, rounded, steps_of
from sam2lite.calibration.four_bits.inputs import LayerInputs, in_eight_bits
from sam2lite.calibration.four_bits.layer import FourBitSettings, four_bit_layer
from sam2lite.calibration.four_bits.low_rank import LowRankSettings, pays, with_branch
from sam2lite.calibration.four_bits.smoothing import SmoothSettings, smoothed, smoothing_scale

OUTPUTS, INPUTS, ROWS = 192, 256, 1500
GRID = Grid(32)


def rows(outliers: bool = False, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((INPUTS, INPUTS)) * np.geomspace(1, 0.02, INPUTS)[:, None]
    found = rng.standard_normal((ROWS, INPUTS)) @ mixing + 0.8
    if outliers:
        found[:, ::40] *= 60.0
    return found.astype(np.float32)


def inputs_of(rows_ni: Floats) -> LayerInputs:
    return LayerInputs(
        len(rows_ni),
        (rows_ni.T @ rows_ni / len(rows_ni)).astype(np.float32),
        rows_ni.mean(axis=0),
        np.abs(rows_ni).max(axis=0),
        rows_ni[::5],
    )


def weight(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((OUTPUTS, INPUTS)).astype(np.float32)


def plainly(values: Floats) -> Packed:
    return rounded(values, steps_of(values, GRID))


@pytest.mark.parametrize("block", [None, 32, 100])
def test_rows_in_eight_bits_are_what_loops_give(block: int | None) -> None:
    given = rows()[:7]
    expected = np.empty_like(given)
    for index, row in enumerate(given):
        for begin in range(0, INPUTS, block or INPUTS):
            part = row[begin : begin + (block or INPUTS)]
            step = np.abs(part).max() / 127
            expected[index, begin : begin + len(part)] = np.rint(part / step) * step
    np.testing.assert_allclose(in_eight_bits(given, block), expected, rtol=1e-5, atol=1e-6)
    assert not in_eight_bits(np.zeros((2, 40), np.float32), 32).any()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_scales_are_those_of_the_paper(alpha: float) -> None:
    largest = np.abs(rows()).max(axis=0)
    expected = largest**alpha / np.abs(weight()).max(axis=0) ** (1 - alpha)
    found = smoothing_scale(largest, weight(), alpha)
    np.testing.assert_allclose(found / found[0], expected / expected[0], rtol=1e-4)


def test_outliers_of_inputs_are_smoothed_away() -> None:
    known = inputs_of(rows(outliers=True))

    def eight(values: Floats) -> Floats:
        return in_eight_bits(values, None)

    found = smoothed(weight(), known, SmoothSettings(), eight, eight)
    assert found is not None
    assert found.error < 0.3
    assert found.alpha in SmoothSettings().alphas
    after = known.divided(found.scale_i).largest_i
    assert after.max() / np.median(after) < 0.3 * known.largest_i.max() / np.median(known.largest_i)
    # In float nothing changes.
    expected = known.sample_ni @ weight().T
    scaled = (known.sample_ni / found.scale_i) @ (weight() * found.scale_i).T
    np.testing.assert_allclose(scaled, expected, atol=1e-5 * np.abs(expected).max())


def test_what_gains_nothing_is_left_unless_alpha_is_given() -> None:
    known = inputs_of(rows(outliers=True))
    same = (lambda values: values, lambda values: values)
    assert smoothed(weight(), known, SmoothSettings(), *same) is None
    nothing = inputs_of(np.zeros((9, INPUTS), np.float32))
    assert nothing.are_nothing
    assert smoothed(weight(), nothing, SmoothSettings((0.5,)), *same) is None


def test_moments_follow_a_division() -> None:
    scale = np.geomspace(0.1, 10, INPUTS).astype(np.float32)
    found, expected = inputs_of(rows()).divided(scale), inputs_of(rows() / scale)
    for name in ("hessian_ii", "mean_i", "largest_i", "sample_ni"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-3)


@pytest.mark.parametrize("by_outputs", [True, False])
def test_a_branch_loses_less_with_every_rank(by_outputs: bool) -> None:
    moments = inputs_of(rows()).hessian_ii
    errors = []
    for rank in (16, 32, 64):
        settings = LowRankSettings(rank, by_outputs=by_outputs)
        packed, branch = with_branch(weight(), moments, plainly, settings)
        assert branch is not None
        assert branch.down_ri.shape == (rank, INPUTS)
        errors.append(output_error(weight(), packed.weight() + branch.weight(), moments))
    plain = output_error(weight(), plainly(weight()).weight(), moments)
    assert plain > errors[0] > errors[1] > errors[2]
    if by_outputs:
        assert errors[2] < 0.5 * plain


def test_the_best_of_its_rank_is_that_of_the_outputs() -> None:
    known = inputs_of(rows())
    settings = LowRankSettings(32, from_weight=False)
    packed, branch = with_branch(weight(), known.hessian_ii, plainly, settings)
    assert branch is not None
    lost = rows() @ (weight() - packed.weight()).T
    strength = np.linalg.svd(lost, compute_uv=False)
    left = np.square(lost - rows() @ branch.weight().T).sum()
    assert left == pytest.approx(np.square(strength[32:]).sum(), rel=0.05)


def test_a_branch_that_costs_more_than_it_saves_is_none() -> None:
    assert pays(1024, 256, 32, GRID.bits_saved)
    assert not pays(64, 64, 32, GRID.bits_saved)
    small = weight()[:40, :48]
    known = inputs_of(rows()[:, :48])
    settings = FourBitSettings(low_rank=LowRankSettings(64))
    assert four_bit_layer(small, known, settings).branch is None


@pytest.mark.parametrize("spread", [True, False])
def test_a_corrected_bias_takes_the_mean_error_away(spread: bool) -> None:
    known = inputs_of(rows())
    settings = FourBitSettings()
    settings = settings if spread else dataclasses.replace(settings, gptq=None)
    layer = four_bit_layer(weight(), known, settings)
    assert layer.bias_o is not None
    off = rows() @ (layer.weight() - weight()).T + layer.bias_o
    np.testing.assert_allclose(off.mean(axis=0), 0.0, atol=1e-3 * np.abs(rows() @ weight().T).max())
    plain = four_bit_layer(weight(), known, dataclasses.replace(settings, correct_bias=False))
    assert plain.bias_o is None
    power = np.square(rows() @ weight().T).sum()
    assert layer.error == pytest.approx(np.square(off).sum() / power, rel=0.05)
    assert layer.error < plain.error


def test_a_layer_says_when_it_was_rounded() -> None:
    strange = LayerInputs(
        9,
        np.eye(INPUTS, dtype=np.float32),
        np.zeros(INPUTS, np.float32),
        np.ones(INPUTS, np.float32),
        rows()[:9],
    )
    assert strange.are_few
    layer = four_bit_layer(weight(), strange, FourBitSettings())
    assert layer.fell_back
    assert layer.bias_o is None
    known = inputs_of(rows())
    assert not four_bit_layer(weight(), known, FourBitSettings()).fell_back
    codes = gptq(weight(), known.hessian_ii, layer.packed.steps).codes_oi
    assert (codes != layer.packed.codes_oi).any()
