"""Inputs of the network are the same bytes on every processor and with every OpenCV.

Nothing but NumPy, OpenCV, pytest and the device code is used, so that `make arm64-check` runs this
file on ARM, too:

    python -m pytest --noconftest tests/runtimes/resampling/test_same_bytes.py
"""

import hashlib
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.contracts.input_sizes import Aspect
from sam2lite.runtimes.geometry import network_input
from sam2lite.runtimes.resampling import exact_linear
from sam2lite.runtimes.resampling.exact_area import area_means
from sam2lite.runtimes.resampling.exact_linear import in_whole_numbers, opencv_is_exact, resized

Case = tuple[str, int, int, int, tuple[int, int]]  # resize, height, width, rung, aspect
# SHA-256, first 16 digits. Made on x86-64; the same with OpenCV 4.1.0 to 5.0 there, and on ARM.
GOLDEN_INPUTS: dict[Case, str] = {
    ("halving", 720, 1280, 240, (1, 1)): "6ad60b60a0651c85",
    ("halving", 720, 1280, 288, (1, 1)): "766d1ee849bfc2f0",
    ("halving", 720, 1280, 336, (1, 1)): "06362079d3023f7b",
    ("halving", 720, 1280, 480, (1, 1)): "c972df4fe43bc9c9",
    ("halving", 1080, 1920, 480, (1, 1)): "18fdc214d7a0f594",
    ("halving", 1081, 1917, 240, (1, 1)): "e0d8505f3b956259",
    ("halving", 480, 640, 480, (1, 1)): "3828268df523bf03",
    ("halving", 100, 120, 240, (1, 1)): "252859995db9197c",
    ("halving", 720, 1280, 672, (7, 4)): "97503c84bd15f1cd",
    ("halving", 480, 640, 1024, (1, 1)): "35086bf690a4124d",
    ("bicubic", 480, 640, 240, (1, 1)): "7cdb0ebe4f68aab1",
    ("antialias", 480, 640, 240, (1, 1)): "e2066661cfd7688c",
}
GOLDEN_GREY = {
    240: "597de22c91eac90c",
    288: "7b956c427988196a",
    336: "b30b7e1ed9379d3d",
    384: "309456cb0871be16",
    432: "9fc242d0f82cbb15",
    480: "8c95a7baed269efc",
}


def picture(height: int, width: int) -> np.ndarray:
    """Return a picture in BGR that whole numbers make, and no generator: waves, edges, noise."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    noise = (x * 73856093 ^ y * 19349663) // 64 % 61
    squares = ((x // 37 + y // 29) % 3) * 70
    planes = [(x * k // 5 + y * (7 - k) // 9) % 120 + squares + noise * k // 6 for k in (1, 3, 6)]
    return np.ascontiguousarray(np.stack(planes, axis=-1) % 256, np.uint8)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.fixture(params=["OpenCV", "NumPy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "NumPy":  # as with an OpenCV that has no such filter, or another one
        monkeypatch.setattr(exact_linear, "opencv_is_exact", lambda: False)
    return str(request.param)


@pytest.mark.parametrize("case", sorted(GOLDEN_INPUTS))
def test_inputs_are_the_golden_bytes(case: Case, way: str) -> None:
    resize, height, width, rung, form = case
    image = network_input(picture(height, width), rung, aspect=Aspect(*form), resize=resize)
    assert digest(image) == GOLDEN_INPUTS[case]


@pytest.mark.parametrize("side", sorted(GOLDEN_GREY))
def test_the_grey_grid_of_motion_is_the_golden_bytes(side: int) -> None:
    assert digest(area_means(picture(side, side)[..., 1], 60, 60)) == GOLDEN_GREY[side]


@pytest.mark.parametrize("sides", [((61, 83), (47, 64)), ((5, 3), (9, 9)), ((40, 40), (20, 13))])
def test_numpy_is_opencvs_exact_filter(sides: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (rows, columns), (height, width) = sides
    frame = picture(rows, columns)
    expected = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    np.testing.assert_array_equal(in_whole_numbers(frame, height, width), expected)
    grey = np.ascontiguousarray(frame[..., 0])
    np.testing.assert_array_equal(in_whole_numbers(grey, height, width), expected[..., 0])


def test_area_means_are_the_means() -> None:
    image = picture(72, 96)[..., 2]
    fine = np.repeat(np.repeat(image.astype(float), 60, axis=0), 60, axis=1)
    means = fine.reshape(60, 72, 60, 96).mean(axis=(1, 3))
    assert np.abs(area_means(image, 60, 60) - means).max() <= 0.5


def test_another_filter_of_that_name_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, resize = picture(90, 120), cv2.resize

    def rounded_otherwise(image: np.ndarray, *sides: Any, **options: Any) -> np.ndarray:
        return np.bitwise_xor(np.asarray(resize(image, *sides, **options), np.uint8), 1)

    assert opencv_is_exact()
    expected = resized(frame, 48, 64)
    monkeypatch.setattr(cv2, "resize", rounded_otherwise)
    opencv_is_exact.cache_clear()
    try:
        assert not opencv_is_exact()
        np.testing.assert_array_equal(resized(frame, 48, 64), expected)
        monkeypatch.delattr(cv2, "INTER_LINEAR_EXACT")  # as before OpenCV 4
        opencv_is_exact.cache_clear()
        np.testing.assert_array_equal(resized(frame, 48, 64), expected)
    finally:
        opencv_is_exact.cache_clear()
