import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam2lite.runtimes.rules.sam2.scaling import (
    antialiased,
    bfloat16_rounded,
    enlarged,
    input_mask,
    resampled_memory,
)

SHAPES = [
    (108, 192, 64),
    (48, 64, 128),
    (96, 96, 128),
    (128, 64, 32),
    (37, 91, 64),
    (512, 512, 128),
]


def torch_smoothed(image_hw: np.ndarray, side: int) -> np.ndarray:
    image = torch.from_numpy(image_hw)[None, None]
    return F.interpolate(image, (side, side), mode="bilinear", antialias=True)[0, 0].numpy()


@pytest.mark.parametrize(("height", "width", "side"), SHAPES)
def test_shrinking_is_pytorchs_antialiased_interpolation(
    height: int, width: int, side: int
) -> None:
    image = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    np.testing.assert_allclose(
        antialiased(image, side, side), torch_smoothed(image, side), atol=1e-6
    )


@pytest.mark.parametrize("seed", range(12))
def test_masks_come_out_the_same_to_the_pixel(seed: int) -> None:
    """Edges that cover exactly half a pixel are decided by the last bit."""
    rng = np.random.default_rng(seed)
    height, width = (640, 360) if seed == 0 else rng.integers(40, 700, 2)
    side = int(rng.choice([64, 128, 320, 512]))
    y, x = np.mgrid[:height, :width]
    mask = (y / height - 0.4) ** 2 + (x / width - 0.6) ** 2 < 0.05
    mask[height // 4 : height // 2, width // 8 : width // 2] = True
    expected = torch_smoothed(mask.astype(np.float32), side) >= 0.5
    np.testing.assert_array_equal(input_mask(mask, side, side), expected)


def test_a_mask_that_covers_no_pixel_by_half_is_not_lost() -> None:
    mask = np.zeros((200, 200), bool)
    mask[100, 50] = True
    found = input_mask(mask, 64, 64)
    assert 0 < found.sum() <= 2
    row, column = np.argwhere(found)[0]
    assert (row, column) == (32, 16)


def test_enlarging_is_pytorchs_interpolation() -> None:
    logits = 20 * np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(logits)[None, None], (128, 128), mode="bilinear")
    np.testing.assert_allclose(enlarged(logits, 128, 128), expected[0, 0], atol=1e-5)


def test_rounding_is_pytorchs_bfloat16() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=4096) * np.exp(20 * random.normal(size=4096))
    halves = np.array([1.00390625, 1.01171875, -1.00390625, 0.0, -0.0])  # between two of bfloat16
    numbers = np.concatenate([numbers, halves]).astype(np.float32)
    expected = torch.from_numpy(numbers).bfloat16().float().numpy()
    np.testing.assert_array_equal(bfloat16_rounded(numbers), expected)
    np.testing.assert_array_equal(expected[-5:], [1.0, 1.015625, -1.0, 0.0, -0.0])


@pytest.mark.parametrize(("from_side", "to_side"), [(4, 8), (8, 4), (6, 4), (4, 6)])
def test_memory_is_resampled_by_the_centres_of_cells(from_side: int, to_side: int) -> None:
    grid = np.random.default_rng(0).normal(size=(from_side, from_side, 3)).astype(np.float32)
    found = resampled_memory(grid.reshape(-1, 3), to_side * to_side).reshape(to_side, to_side, 3)
    for channel in range(3):
        expected = torch_smoothed(np.ascontiguousarray(grid[..., channel]), to_side)
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-6)
