import cv2
import numpy as np
import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import network_input, source_mask
from sam2lite.runtimes.prompts import Prompt, mask_logits


def noise_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "method"),
    [
        (480, 640, cv2.INTER_AREA),  # both axes shrink
        (240, 240, cv2.INTER_AREA),  # neither changes
        (120, 640, cv2.INTER_LINEAR),  # one grows
        (120, 160, cv2.INTER_LINEAR),  # both grow
    ],
)
def test_network_input_is_the_stretched_frame_in_rgb(height: int, width: int, method: int) -> None:
    frame_bgr = noise_frame(height, width)
    image = network_input(frame_bgr, 240)
    expected = cv2.resize(frame_bgr, (240, 240), interpolation=method)[:, :, ::-1]
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected.transpose(2, 0, 1)[np.newaxis])


def test_network_input_takes_views() -> None:
    frame_rgb = noise_frame(300, 400)
    expected = network_input(np.ascontiguousarray(frame_rgb[:, :, ::-1]), 240)
    np.testing.assert_array_equal(network_input(frame_rgb[:, :, ::-1], 240), expected)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1000, 480)])
def test_points_and_pixels_meet_in_the_network_input(width: int, height: int) -> None:
    x, y, radius = 301, 207, 20
    frame = np.zeros((height, width, 3), np.uint8)
    frame[y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    brightness = network_input(frame, 480)[0, 1].astype(float)
    centres = (np.arange(480) + 0.5) / 480
    seen_x = (brightness.sum(0) * centres).sum() / brightness.sum()
    seen_y = (brightness.sum(1) * centres).sum() / brightness.sum()
    told_xy = Prompt(points=[(x, y)]).slots(width, height).prompt_xy_norm_bpc[0, 0]
    np.testing.assert_allclose((seen_x, seen_y), told_xy, atol=1e-4)


@pytest.mark.parametrize("rung", [240, 480])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 777)])
def test_a_mask_comes_back_where_it_was(width: int, height: int, rung: int) -> None:
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 3 : width * 3 // 4] = True
    back = source_mask(mask_logits(mask, rung)[0, 0], width, height)
    assert back.dtype == bool
    assert (mask & back).sum() / (mask | back).sum() > 0.96
    for axis in (0, 1):  # the corners are rounded, but nothing is shifted
        centre, back_centre = (np.nonzero(array)[axis].mean() for array in (mask, back))
        assert abs(centre - back_centre) < 0.5


def test_scratch_memory_changes_nothing() -> None:
    logits = np.random.default_rng(0).normal(size=(60, 60)).astype(np.float32)
    scratch = np.full((480, 640), np.nan, np.float32)
    first = source_mask(logits, 640, 480, scratch)
    np.testing.assert_array_equal(first, source_mask(logits, 640, 480))
    kept = first.copy()
    source_mask(-logits, 640, 480, scratch)
    np.testing.assert_array_equal(first, kept)  # a result does not live in the scratch memory


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (np.zeros((48, 64, 3), np.float32), "float32"),
        (np.zeros((48, 64), np.uint8), r"\(48, 64\)"),
        (np.zeros((48, 64, 4), np.uint8), r"\(48, 64, 4\)"),
        (np.zeros((0, 64, 3), np.uint8), r"\(0, 64, 3\)"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_frame_is_refused_by_name(frame: np.ndarray, named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        network_input(frame, 240)
