from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, generate_clip, write_davis
from sam2lite.errors import TrainingError
from sam2lite.training.batches import BatchShape, make_batch
from sam2lite.training.sources import dataset_clip, generated_clip


@pytest.fixture
def davis(tmp_path: Path) -> str:
    for seed in range(2):
        clip = generate_clip(seed, ClipConfig(height=72, width=96, frames=6))
        write_davis(clip, tmp_path / "davis", f"clip_{seed}")
    return str(tmp_path / "davis")


def test_generated_clips_vary_with_the_draw() -> None:
    first, again, other = (generated_clip(np.random.default_rng(s), 96, 3) for s in (1, 1, 2))
    assert np.array_equal(first.frames_rgb_thwc, again.frames_rgb_thwc)
    assert not np.array_equal(first.frames_rgb_thwc, other.frames_rgb_thwc)
    assert first.known_t.all()
    assert np.array_equal(first.parts_thw > 0, first.labels_thw > 0)


def test_a_folder_of_videos_is_a_source(davis: str) -> None:
    clip = dataset_clip(np.random.default_rng(0), davis, side=64, frames=4)
    assert clip.frames_rgb_thwc.shape == (4, 64, 64, 3)
    assert clip.labels_thw.shape == clip.parts_thw.shape == (4, 64, 64)
    assert clip.labels_thw.any()
    assert not clip.parts_thw.any()
    batch = make_batch((1,), BatchShape(64, 3, 2, 2), data=davis)
    assert batch.image_ctchw.shape == (2, 3, 3, 64, 64)
    assert batch.known_ct.all()


def test_frames_without_labels_are_marked(davis: str) -> None:
    for path in Path(davis).rglob("Annotations/**/*.png"):
        if int(path.stem) % 2:
            path.unlink()
    marks = [
        dataset_clip(np.random.default_rng(seed), davis, side=64, frames=3).known_t.tolist()
        for seed in range(20)
    ]
    assert all(mark[0] for mark in marks)
    assert [True, False, True] in marks


def test_a_picture_becomes_a_clip_of_crops(tmp_path: Path) -> None:
    for folder, picture in (
        ("JPEGImages/480p/still/00000.jpg", np.random.default_rng(0).integers(0, 255, (72, 96, 3))),
        ("Annotations/480p/still/00000.png", np.pad(np.ones((30, 40)), 20)),
    ):
        path = tmp_path / folder
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), cv2.resize(picture.astype(np.uint8), (96, 72)))
    clip = dataset_clip(np.random.default_rng(3), str(tmp_path), side=64, frames=4)
    assert clip.labels_thw.any(axis=(1, 2)).all()
    assert not np.array_equal(clip.labels_thw[0], clip.labels_thw[1])


def test_clips_that_are_too_short_are_named(davis: str) -> None:
    with pytest.raises(TrainingError, match="none has 30 frames"):
        dataset_clip(np.random.default_rng(0), davis, side=64, frames=30)
