import cv2
import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import Scratch, network_input, source_mask, stretched
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits


def noise_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (240, 240), (120, 640), (120, 160)])
def test_network_input_is_the_stretched_frame_in_rgb(height: int, width: int) -> None:
    frame_bgr = noise_frame(height, width)
    image = network_input(frame_bgr, 240)
    expected = stretched(frame_bgr, 240, 240)[:, :, ::-1]
    assert image.dtype == np.uint8
    assert image.shape == (1, 3, 240, 240)
    np.testing.assert_array_equal(image, expected.transpose(2, 0, 1)[np.newaxis])


@pytest.mark.parametrize(("height", "width"), [(480, 480), (960, 480), (480, 1920)])
def test_an_even_share_is_averaged_exactly(height: int, width: int) -> None:
    frame = noise_frame(height, width)
    blocks = frame.reshape(240, height // 240, 240, width // 240, 3).astype(float)
    error = np.abs(stretched(frame, 240, 240) - blocks.mean(axis=(1, 3)))
    assert error.max() <= 1.5  # each halving rounds


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (1080, 1920), (333, 777)])
def test_shrinking_does_not_alias(height: int, width: int) -> None:
    clip = generate_clip(3, ClipConfig(height=height, width=width, frames=3))
    frame = clip.frames_rgb_thwc[0]
    exact = cv2.resize(frame, (240, 240), interpolation=cv2.INTER_AREA).astype(float)

    def psnr_db(image: np.ndarray) -> float:
        return float(10 * np.log10(255**2 / np.mean((image - exact) ** 2)))

    assert psnr_db(stretched(frame, 240, 240)) > 35.0
    plain = cv2.resize(frame, (240, 240), interpolation=cv2.INTER_LINEAR)
    assert psnr_db(stretched(frame, 240, 240)) >= psnr_db(plain)


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
    back = source_mask(mask_logits(mask, rung // 4)[0, 0], width, height)
    assert back.dtype == bool
    assert (mask & back).sum() / (mask | back).sum() > 0.96
    for axis in (0, 1):  # the corners are rounded, but nothing is shifted
        centre, back_centre = (np.nonzero(array)[axis].mean() for array in (mask, back))
        assert abs(centre - back_centre) < 0.5


def test_scratch_memory_changes_nothing() -> None:
    scratch = Scratch()
    logits = np.random.default_rng(1).normal(size=(60, 60)).astype(np.float32)
    for frame in (noise_frame(720, 1280), noise_frame(720, 1280)[::-1], noise_frame(500, 300)):
        height, width = frame.shape[:2]
        np.testing.assert_array_equal(network_input(frame, 240, scratch), network_input(frame, 240))
        mask = source_mask(logits, width, height, scratch)
        np.testing.assert_array_equal(mask, source_mask(logits, width, height))


def test_results_outlive_the_scratch_memory() -> None:
    scratch = Scratch()
    frame = noise_frame(720, 1280)
    image = network_input(frame, 240, scratch)
    kept = image.copy()
    network_input(255 - frame, 240, scratch)
    np.testing.assert_array_equal(image, kept)


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
