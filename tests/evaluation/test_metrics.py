"""J and F against values worked out by hand, and against a slow version written from the paper."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sam2lite.errors import ArgumentError
from sam2lite.evaluation.metrics import Mask, boundary, boundary_f, region_j, statistics


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> Mask:
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def slow_boundary(mask: Mask) -> set[tuple[int, int]]:
    height, width = mask.shape
    return {
        (y, x)
        for y in range(height)
        for x in range(width)
        if any(
            mask[min(y + dy, height - 1), min(x + dx, width - 1)] != mask[y, x]
            for dy, dx in ((0, 1), (1, 0), (1, 1))
        )
    }


def slow_f(predicted: Mask, truth: Mask) -> float:
    radius = math.ceil(0.008 * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))

    def share_near(points: set[tuple[int, int]], others: set[tuple[int, int]]) -> float:
        near = [p for p in points if any(math.dist(p, other) <= radius for other in others)]
        return len(near) / len(points)

    a, b = slow_boundary(predicted), slow_boundary(truth)
    if not a and not b:
        return 1.0
    precision = share_near(a, b) if a and b else float(not a)
    recall = share_near(b, a) if a and b else float(not b)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def blobs(seed: int, shape: tuple[int, int]) -> tuple[Mask, Mask]:
    """Two similar masks: unions of rectangles, some of them touching the image's edges."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, *shape), bool)
    for _ in range(int(rng.integers(1, 4))):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = rng.integers(1, shape[0]), rng.integers(1, shape[1])
        for mask in masks:
            dy, dx = rng.integers(-3, 4, 2)
            y, x = max(0, top + dy), max(0, left + dx)
            mask[y : y + height, x : x + width] ^= True
    return masks[0], masks[1]


def test_j_by_hand() -> None:
    truth = rectangle((10, 10), 2, 2, 4, 4)
    shifted = rectangle((10, 10), 2, 4, 4, 4)  # 8 of 16 pixels in common, 24 in all
    assert region_j(shifted, truth) == pytest.approx(8 / 24)
    assert region_j(truth, truth) == 1.0
    nothing = np.zeros((10, 10), bool)
    assert region_j(nothing, truth) == region_j(truth, nothing) == 0.0
    assert region_j(nothing, nothing) == 1.0


def test_boundary_is_half_a_pixel_towards_the_origin() -> None:
    edges = boundary(rectangle((5, 5), 2, 2, 1, 1))
    assert set(zip(*np.nonzero(edges), strict=True)) == {(1, 1), (1, 2), (2, 1), (2, 2)}


def test_boundary_ends_at_the_image() -> None:
    assert not boundary(np.ones((6, 7), bool)).any()
    left_half = rectangle((4, 6), 0, 0, 4, 3)
    assert set(zip(*np.nonzero(boundary(left_half)), strict=True)) == {(y, 2) for y in range(4)}


def test_f_by_hand() -> None:
    # On 60 x 80 px the tolerance is ceil(0.8) = 1 px. Each mask has one edge, where it ends.
    halves = [rectangle((60, 80), 0, 0, 60, width) for width in (40, 41, 42, 52)]
    assert boundary_f(halves[1], halves[0]) == 1.0
    assert boundary_f(halves[2], halves[0]) == 0.0
    # A bar with two edges, one of them right: precision 1/2, recall 1.
    bar = rectangle((60, 80), 0, 40, 60, 12)
    assert boundary_f(bar, halves[3]) == pytest.approx(2 * 0.5 / 1.5)


def test_f_of_empty_boundaries() -> None:
    nothing, everything = np.zeros((20, 20), bool), np.ones((20, 20), bool)
    square = rectangle((20, 20), 5, 5, 8, 8)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(everything, nothing) == 1.0  # neither has a boundary
    assert boundary_f(nothing, square) == boundary_f(square, nothing) == 0.0


SMALL, LARGE = (24, 40), (150, 110)  # tolerances of 1 and 2 px


@pytest.mark.parametrize(
    ("seed", "shape"), [(seed, SMALL) for seed in range(20)] + [(seed, LARGE) for seed in range(3)]
)
def test_against_brute_force(seed: int, shape: tuple[int, int]) -> None:
    predicted, truth = blobs(seed, shape)
    pixels = [set(zip(*np.nonzero(mask), strict=True)) for mask in (predicted, truth)]
    union = len(pixels[0] | pixels[1])
    expected_j = len(pixels[0] & pixels[1]) / union if union else 1.0
    assert region_j(predicted, truth) == pytest.approx(expected_j)
    assert boundary_f(predicted, truth) == pytest.approx(slow_f(predicted, truth))


def test_masks_must_have_one_size() -> None:
    with pytest.raises(ArgumentError, match=r"\(4, 4\).*\(4, 5\)"):
        region_j(np.zeros((4, 4), bool), np.zeros((4, 5), bool))
    with pytest.raises(ArgumentError, match=r"\(4, 4\).*\(4, 5\)"):
        boundary_f(np.zeros((4, 4), bool), np.zeros((4, 5), bool))


@pytest.mark.parametrize(
    ("values", "mean", "recall", "decay"),
    [
        # Bounds of the quarters by the toolkit's rule, from 1: 1, 3, 5, 6, 8 (2.75, 4.5 and 6.25
        # rounded). The first holds frames 1 to 3, the last 6 to 8.
        ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], 0.65, 5 / 8, 0.9 - 0.4),
        ([0.5], 0.5, 0.0, 0.0),
        ([0.9, 0.2], 0.55, 0.5, 0.7),
        ([0.2] * 5, 0.2, 0.0, 0.0),
    ],
)
def test_statistics(values: list[float], mean: float, recall: float, decay: float) -> None:
    assert statistics(np.array(values)) == pytest.approx((mean, recall, decay))


def test_decay_of_a_long_clip() -> None:
    values: NDArray[np.float64] = np.linspace(1.0, 0.0, 1001)
    assert statistics(values).decay == pytest.approx(0.75)


def test_statistics_of_nothing() -> None:
    with pytest.raises(ArgumentError, match="no frames"):
        statistics(np.array([]))
