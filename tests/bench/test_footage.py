from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.bench.frame_feed import Footage, FrameFeed, grid_clicks, open_footage
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.errors import VideoError
from sam2lite.runtimes.video.source import open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three frames, told apart by their grey level."""
    for level in (10, 20, 30):
        cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((48, 64, 3), level, np.uint8))
    return tmp_path


@pytest.fixture(scope="module")
def synthetic() -> SyntheticFootage:
    return SyntheticFootage(objects=3, width=128, height=96, frames=4)


def test_a_short_recording_starts_again(folder: Path) -> None:
    footage = open_footage(str(folder))
    levels = [int(frame[0, 0, 0]) for frame in islice(footage.frames(), 7)]
    assert levels == [10, 20, 30, 10, 20, 30, 10]
    assert footage.passes == 3
    assert (footage.width, footage.height) == (64, 48)


def test_a_live_source_ends_with_a_reason(folder: Path) -> None:
    with Footage(open_source(folder, live=True)) as footage:
        feed = FrameFeed(footage)
        with pytest.raises(VideoError, match=r"ended after \d frames; lower --frames"):
            for _ in range(10):
                feed.take()


def test_feed_says_how_long_a_frame_took(folder: Path) -> None:
    frame, decode_ms = FrameFeed(open_footage(str(folder))).take()
    assert frame.shape == (48, 64, 3)
    assert decode_ms > 0.0


def test_missing_video() -> None:
    with pytest.raises(VideoError, match=r"absent\.mp4"):
        open_footage("absent.mp4")


@pytest.mark.parametrize(
    ("count", "clicks"),
    [(1, [(320, 180)]), (2, [(160, 90), (480, 90)]), (3, [(160, 90), (480, 90), (160, 270)])],
)
def test_grid(count: int, clicks: list[tuple[int, int]]) -> None:
    assert grid_clicks(count, 640, 360) == clicks


def test_synthetic_clip_is_played_to_and_fro(synthetic: SyntheticFootage) -> None:
    frames = list(islice(synthetic.frames(), 13))
    assert frames[0].shape == (96, 128, 3)
    assert not np.array_equal(frames[0], frames[1])
    assert synthetic.passes == 1  # without a cut
    for index, same in ((4, 2), (5, 1), (6, 0), (9, 3), (12, 0)):
        assert np.array_equal(frames[index], frames[same])


@pytest.mark.parametrize("count", [1, 3, 16])
def test_synthetic_clicks_are_distinct_and_inside(synthetic: SyntheticFootage, count: int) -> None:
    clicks = synthetic.clicks(count)
    assert len(clicks) == count
    assert all(0 <= x < 128 and 0 <= y < 96 for x, y in clicks)
    assert len(set(clicks)) == count
