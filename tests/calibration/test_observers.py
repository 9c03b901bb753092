"""Observers: hand-made tensors whose best range is known."""

import pytest
import torch

from sam2lite.calibration.histogram import BINS, Histogram
from sam2lite.calibration.observers import OBSERVERS, percentile


def observed(name: str, *tensors: torch.Tensor) -> tuple[float, float]:
    observer = OBSERVERS[name]()
    for tensor in tensors:
        observer.observe(tensor)
    return observer.range()


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def test_minmax_is_all_that_was_seen() -> None:
    assert observed("minmax", torch.tensor([1.0, 2.0]), torch.tensor([[-3.0]])) == (-3.0, 2.0)


def test_the_moving_average_moves_by_a_tenth() -> None:
    assert observed("moving-average", torch.tensor([10.0]), torch.tensor([20.0])) == (0.0, 11.0)


@pytest.mark.parametrize("name", OBSERVERS)
def test_zero_is_inside(name: str) -> None:
    least, greatest = observed(name, torch.linspace(3.0, 5.0, 100))
    assert least == 0.0
    assert 4.0 < greatest <= 5.01
    least, greatest = observed(name, -torch.linspace(3.0, 5.0, 100))
    assert greatest == 0.0
    assert -5.01 <= least < -4.0


@pytest.mark.parametrize("name", OBSERVERS)
def test_zeros_and_nothing_give_no_range(name: str) -> None:
    assert observed(name) == (0.0, 0.0)
    assert observed(name, torch.zeros(4)) == (0.0, 0.0)


def test_the_percentile_leaves_out_outliers() -> None:
    values = torch.cat([torch.linspace(-1.0, 1.0, 100_000), torch.tensor([50.0])])
    least, greatest = observed("percentile", values)
    assert least == pytest.approx(-1.0, abs=0.02)
    assert greatest == pytest.approx(1.0, abs=0.02)
    assert observed("minmax", values)[1] == 50.0


def rounding_error(values: torch.Tensor, span: tuple[float, float]) -> float:
    scale = (span[1] - span[0]) / 255
    zero = round(-span[0] / scale)
    rounded = torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, 255)
    return float((rounded - values).square().mean())


def test_mse_finds_the_best_clipping_by_brute_force() -> None:
    values = torch.cat([normal(200_000), torch.tensor([25.0, -20.0])])
    span = observed("mse", values)
    shares = torch.linspace(0.1, 1.0, 91).tolist()
    errors = {c: rounding_error(values, (-20.0 * c, 25.0 * c)) for c in shares}
    best = min(errors.values())
    assert rounding_error(values, span) == pytest.approx(best, rel=0.02)
    assert best < 0.7 * errors[1.0]


def test_entropy_clips_a_long_tail_and_keeps_a_flat_one() -> None:
    tail = normal(500_000).abs() ** 3
    assert observed("entropy", tail)[1] < 0.7 * float(tail.max())
    flat = torch.rand(500_000, generator=torch.Generator().manual_seed(1))
    assert observed("entropy", flat)[1] > 0.95


def test_a_histogram_grows_without_losing_counts() -> None:
    histogram = Histogram()
    for scale in (0.01, 1.0, 300.0):
        histogram.add(scale * normal(1000))
    assert histogram.counts.sum() == 3000
    assert histogram.limit >= histogram.greatest
    small = histogram.counts[BINS // 2 - 2 : BINS // 2 + 2].sum()
    assert small > 1000  # what was counted while the bins were fine


def test_growing_gives_the_same_as_starting_wide() -> None:
    fine, wide = Histogram(), Histogram()
    big = torch.tensor([7.9])
    for histogram, order in ((fine, (normal(5000), big)), (wide, (big, normal(5000)))):
        for x in order:
            histogram.add(x)
    # Values on the edge of a bin may fall to either side of it.
    assert (fine.counts - wide.counts).abs().sum() <= 10
    assert percentile(fine) == pytest.approx(percentile(wide), abs=0.01)
