"""Frames resized as Pillow and as PyTorch do it, and by the names that users choose."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from sam2lite.contracts.input_sizes import Aspect
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import UnknownNameError
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.geometry import network_input
from sam2lite.runtimes.resampling.byte_images import antialiased, bicubic
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import Sam2Bundle

# Heights and widths: smaller, larger, one axis each, and hardly anything.
SIZES = [
    ((270, 480), (128, 224)),
    ((100, 90), (128, 192)),
    ((300, 100), (128, 160)),
    ((300, 150), (128, 100)),
    ((200, 130), (150, 100)),
    ((384, 672), (384, 512)),
    ((3, 5), (128, 192)),
    ((400, 300), (1, 1)),
    ((64, 64), (64, 64)),
]


def noise(height: int, width: int) -> np.ndarray:
    """Return a picture that is black, white or anything, so that filters overshoot."""
    rng = np.random.default_rng(height)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    flat = rng.integers(0, 3, (height, width, 1))
    return np.where(flat == 0, 0, np.where(flat == 1, 255, image)).astype(np.uint8)


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_bicubic_is_pillows_to_the_last_bit(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    image = noise(*source)
    expected = Image.fromarray(image).resize(target[::-1], Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(bicubic(image, *target), np.asarray(expected))


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_antialiasing_is_pytorchs(source: tuple[int, int], target: tuple[int, int]) -> None:
    """Which is what Hugging Face's processor calls, on bytes: one grey level at most."""
    image = noise(*source)
    image_bchw = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = F.interpolate(image_bchw, target, mode="bilinear", antialias=True)
    expected = found[0].permute(1, 2, 0).numpy().astype(int)
    difference = np.abs(antialiased(image, *target) - expected)
    assert difference.max() <= 1
    assert difference.mean() <= 0.05


def test_a_frame_by_the_names_of_filters() -> None:
    frame = generate_clip(1, ClipConfig(height=270, width=480, frames=3)).frames_rgb_thwc[0]
    frame_bgr = np.ascontiguousarray(frame[..., ::-1])
    form = Aspect(7, 4)
    found = {
        name: network_input(frame_bgr, 224, aspect=form, resize=name)
        for name in ("halving", "bicubic", "antialias")
    }
    pillow = Image.Resampling
    for name, resampling in (("bicubic", pillow.BICUBIC), ("antialias", pillow.BILINEAR)):
        expected = np.asarray(Image.fromarray(frame).resize((224, 128), resampling))
        np.testing.assert_array_equal(found[name][0].transpose(1, 2, 0), expected)
    # Not the same, and yet the same picture.
    for name in ("bicubic", "antialias"):
        off = np.abs(found[name].astype(int) - found["halving"])
        assert 0.1 < off.mean() < 6.0


def test_a_segmenter_sees_frames_so() -> None:
    frame = noise(50, 70)
    for resize in ("halving", "bicubic", "antialias"):
        bundle = Sam2Bundle()
        with VideoSegmenter(bundle, resize=resize) as segmenter:
            segmenter.prompt(frame, points=[(30, 20)])
            segmenter.track(frame)  # told by its pixels to be the frame that was prompted
            assert segmenter.track(frame).frame_index == 1
        expected = network_input(frame, 128, resize=resize)
        np.testing.assert_array_equal(bundle.last("image_encoder")["image_bchw"], expected)


@pytest.mark.parametrize("resize", ["nearest", "", 3, None, ["bicubic"]])
def test_an_unknown_filter(resize: Any, tmp_path: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown resize .*known: antialias, bicubic, halv"):
        VideoSegmenter(Sam2Bundle(), resize=resize)
    with pytest.raises(UnknownNameError, match="unknown resize"):
        track_video(Sam2Bundle(), "none.mp4", {}, tmp_path / "o", settings={"resize": resize})
