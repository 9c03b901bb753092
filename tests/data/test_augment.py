"""Augmentation: the same for all frames, and labels that stay with their pixels."""

from dataclasses import replace

import numpy as np
import pytest

from sam2lite.data.augment import Augmentation, stretched
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import network_input

STILL = Augmentation(
    crop_share=(1.0, 1.0),
    flip_probability=0.0,
    colour_jitter=0.0,
    blur_probability=0.0,
    strides=(1,),
    reverse_probability=0.0,
)


@pytest.fixture
def clip() -> tuple[np.ndarray, np.ndarray]:
    """Frames that show their own labels: blue is the label, red and green are the place."""
    labels = np.random.default_rng(0).integers(0, 200, (4, 40, 60)).astype(np.uint8)
    frames = np.empty((4, 40, 60, 3), np.uint8)
    frames[..., 0] = np.arange(40)[:, None]
    frames[..., 1] = np.arange(60)
    frames[..., 2] = labels
    return frames, labels


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_all_switched_off_changes_nothing(clip: tuple[np.ndarray, np.ndarray]) -> None:
    frames, labels = STILL.apply(rng(), *clip)
    assert np.array_equal(frames, clip[0])
    assert np.array_equal(labels, clip[1])


def test_the_same_generator_gives_the_same_clip_and_leaves_the_input(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    before = clip[0].copy()
    one, other = (Augmentation().apply(rng(5), *clip) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
    assert np.array_equal(clip[0], before)


@pytest.mark.parametrize("seed", range(8))
def test_crop_and_flip_are_the_same_in_all_frames_and_in_the_labels(
    clip: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    moved = replace(STILL, crop_share=(0.8, 1.0), flip_probability=0.5)
    frames, labels = moved.apply(rng(seed), *clip)
    assert np.array_equal(frames[..., 2], labels)
    assert (frames[..., :2] == frames[0, ..., :2]).all()
    height, width = labels.shape[1:]
    assert 32 <= height <= 40
    assert 48 <= width <= 60
    assert abs(width / height - 1.5) < 0.04
    columns = frames[0, 0, :, 1].astype(int)
    assert set(np.diff(columns)) in ({1}, {-1})


def test_a_sure_flip_mirrors_and_half_of_the_clips_are_flipped(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    frames, labels = replace(STILL, flip_probability=1.0).apply(rng(), *clip)
    assert np.array_equal(frames, clip[0][:, :, ::-1])
    assert np.array_equal(labels, clip[1][:, :, ::-1])
    mixed = replace(STILL, flip_probability=0.5)
    source = rng()
    flips = sum(mixed.apply(source, *clip)[0][0, 0, 0, 1] == 59 for _ in range(100))
    assert 30 < flips < 70


def test_jitter_is_bounded_by_its_share_and_leaves_the_labels(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    grey = np.full_like(clip[0], 100)
    seen = []
    for seed in range(50):
        frames, labels = replace(STILL, colour_jitter=0.2).apply(rng(seed), grey, clip[1])
        assert np.ptp(frames) <= 1  # one grey stays one grey, but for rounding
        assert np.array_equal(labels, clip[1])
        seen.append(int(frames[0, 0, 0, 0]))
    assert 80 <= min(seen) < 85
    assert 115 < max(seen) <= 120


def test_saturation_moves_colours_towards_grey_or_away(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    red = np.zeros_like(clip[0])
    red[..., :] = (150, 60, 60)
    spans = []
    for seed in range(50):
        frames, _ = replace(STILL, colour_jitter=0.2).apply(rng(seed), red, clip[1])
        spans.append(int(frames[0, 0, 0, 0]) - int(frames[0, 0, 0, 1]))
    assert min(spans) < 75 < 90 < 105 < max(spans)


@pytest.mark.parametrize("kernel_px", [3, 5])
def test_motion_blur_is_one_short_centred_line_for_the_whole_clip(
    clip: tuple[np.ndarray, np.ndarray], kernel_px: int
) -> None:
    frames = np.zeros_like(clip[0])
    frames[:, 20, 30] = 255
    blurring = replace(STILL, blur_probability=1.0, blur_kernels_px=(kernel_px,))
    for seed in range(10):
        blurred, labels = blurring.apply(rng(seed), frames, clip[1])
        assert np.array_equal(labels, clip[1])
        assert (blurred == blurred[0]).all()
        weight = blurred[0, ..., 0].astype(float)
        y, x = np.nonzero(weight)
        assert np.ptp(y) < kernel_px
        assert np.ptp(x) < kernel_px
        assert len(y) > 1
        assert weight.sum() == pytest.approx(255, abs=6)
        assert np.average(y, weights=weight[y, x]) == pytest.approx(20, abs=0.05)
        assert np.average(x, weights=weight[y, x]) == pytest.approx(30, abs=0.05)


def test_spans_start_at_an_annotated_frame_and_stay_in_the_clip() -> None:
    annotated = np.zeros(20, bool)
    annotated[[0, 5, 10, 15]] = True
    source, strides = rng(), set()
    for _ in range(200):
        first, stride = Augmentation().span(source, annotated, 5)
        assert annotated[first]
        assert 0 <= first + 4 * stride < 20
        strides.add(stride)
    assert strides == {-3, -2, -1, 1, 2, 3}


def test_strides_and_directions_that_do_not_fit_are_left_out() -> None:
    only_first = np.arange(8) == 0
    source = rng()
    assert {Augmentation().span(source, only_first, 8) for _ in range(50)} == {(0, 1)}


def test_a_clip_that_is_too_short_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"9 frames.*clip of 8"):
        Augmentation().span(rng(), np.ones(8, bool), 9)


def test_stretched_frames_are_what_the_network_sees(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    frames, _ = stretched(*clip, 16)
    expected = network_input(np.ascontiguousarray(clip[0][1][..., ::-1]), 16)[0]
    assert frames.shape == (4, 16, 16, 3)
    assert np.array_equal(frames[1].transpose(2, 0, 1), expected)


def test_stretched_labels_are_those_under_the_pixel_centres(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    _, labels = stretched(clip[0][:, :, ::-1], clip[1], 8)
    rows = (np.arange(8) + 0.5) * 40 // 8
    columns = (np.arange(8) + 0.5) * 60 // 8
    assert np.array_equal(labels, clip[1][:, rows.astype(int)[:, None], columns.astype(int)])
