"""Clips made of stills: the same bytes for a seed, and masks that fit their pictures."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sam2lite.data.clips import generate_clip, training_config
from sam2lite.data.stills import (
    PictureBank,
    open_stills,
    photograph_source,
    split_stills,
    still_clip,
)
from sam2lite.data.stills.background import without_objects
from sam2lite.data.stills.layer import Layer, cover_of
from sam2lite.data.stills.motion import Strength, draw_poses, in_pixels
from sam2lite.errors import VideoError
from tests.doubles.stills_folder import make_stills, write_still

SIDE = 96


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("real"))


def bank_of(root: Path) -> PictureBank:
    return PictureBank(split_stills(open_stills(root).stills)[0])


def test_a_seed_gives_the_same_bytes_in_any_order(root: Path) -> None:
    warm, fresh = bank_of(root), bank_of(root)
    for seed in (3, 1, 2):
        still_clip(np.random.default_rng(seed), warm, SIDE, 3)
    for seed in (1, 2):
        first = still_clip(np.random.default_rng(seed), warm, SIDE, 4)
        again = still_clip(np.random.default_rng(seed), fresh, SIDE, 4)
        assert np.array_equal(first.frames_rgb_thwc, again.frames_rgb_thwc)
        assert np.array_equal(first.labels_thw, again.labels_thw)
        assert np.array_equal(first.parts_thw, again.parts_thw)


@pytest.mark.parametrize("frames", [1, 5])
def test_clips_show_objects_that_move(root: Path, frames: int) -> None:
    bank = bank_of(root)
    moved = shown = 0
    for seed in range(20):
        clip = still_clip(np.random.default_rng(seed), bank, SIDE, frames)
        assert clip.frames_rgb_thwc.shape == (frames, SIDE, SIDE, 3)
        assert clip.labels_thw.shape == clip.parts_thw.shape == (frames, SIDE, SIDE)
        assert np.array_equal(clip.parts_thw > 0, clip.labels_thw > 0)
        shown += bool(clip.labels_thw[0].any())
        moved += not np.array_equal(clip.labels_thw[0], clip.labels_thw[-1])
    assert shown >= 18
    assert moved == 0 if frames == 1 else moved >= 15


def red_squares(root: Path) -> PictureBank:
    """One source of red squares on grey, so that colour tells where an object is."""
    folder = make_stills(root)
    labels = np.zeros((96, 128), np.uint8)
    labels[30:70, 40:90] = 1
    image = np.full((96, 128, 3), 90, np.uint8)
    image[labels == 1] = (220, 20, 20)
    stills = [still for still in open_stills(folder).stills if still.source == "things"]
    for still in stills:
        write_still(still.stem, image, labels)
    return PictureBank(stills)


def test_masks_fit_their_pictures(tmp_path: Path) -> None:
    bank = red_squares(tmp_path)
    agreed = []
    for seed in range(30):
        clip = still_clip(np.random.default_rng(seed), bank, SIDE, 4)
        for frame, labels in zip(clip.frames_rgb_thwc, clip.labels_thw, strict=True):
            red = frame[..., 0].astype(int) - frame[..., 1] > 45
            union = (red | (labels > 0)).sum()
            agreed.append((red & (labels > 0)).sum() / union if union else 1.0)
    assert np.mean(agreed) > 0.9
    assert np.median(agreed) > 0.95


def test_a_bad_still_is_passed_over_the_same_way(root: Path, tmp_path: Path) -> None:
    bank = red_squares(tmp_path)
    stem = tmp_path / "stills/things/005"
    stem.with_suffix(".jpg").write_bytes(b"broken")
    for seed in range(30):
        assert bank.draw(np.random.default_rng(seed))[0].objects == 1
    for path in (tmp_path / "stills/things").glob("*.jpg"):
        path.write_bytes(b"broken")
    with pytest.raises(VideoError, match="50 stills in a row"):
        PictureBank(open_stills(tmp_path).stills[-4:]).draw(np.random.default_rng(0), "things")
    with pytest.raises(VideoError, match="no still may be trained on"):
        PictureBank([])


def test_nothing_of_an_object_stays_in_the_hole() -> None:
    image: NDArray[np.uint8] = np.full((120, 160, 3), 100, np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[40:80, 50:110] = True
    image[mask] = (230, 10, 10)
    image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)
    filled = without_objects(image, mask, np.random.default_rng(0))
    assert np.abs(filled.astype(int) - 100).max() < 25
    assert np.array_equal(filled[:20], image[:20])
    assert np.array_equal(
        without_objects(image, np.ones_like(mask), np.random.default_rng(0)), image
    )


def test_poses_rest_where_they_should() -> None:
    rng = np.random.default_rng(0)
    poses = in_pixels(draw_poses(rng, 6, Strength().times(2.0), (0.6, 0.5), 2), SIDE, 1.5)
    assert np.allclose(poses[2], np.eye(3))
    assert not np.allclose(poses[5], np.eye(3), atol=1e-3)


def test_a_layer_at_rest_is_its_cut_out() -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 5:25] = True
    pose = np.eye(3)
    pose[:2, 2] = 7, 9
    frame, labels, parts = np.zeros((48, 48, 3), np.uint8), *np.zeros((2, 48, 48), np.uint8)
    Layer(image, cover_of(mask), None, 4, pose[None], None).draw(frame, labels, parts, 0)
    assert np.array_equal(labels[9:29, 7:37] == 4, mask)
    assert (labels > 0).sum() == mask.sum()
    assert np.array_equal(frame[16:22, 14:30], image[7:13, 7:23])
    pose[:2, 2] = 100, 100
    Layer(image, cover_of(mask), None, 5, pose[None], None).draw(frame, labels, parts, 0)
    assert 5 not in labels


def test_thin_things_stay_opaque() -> None:
    rope = np.zeros((20, 20), bool)
    rope[10] = True
    assert (cover_of(rope)[10, 2:-2, 0] > 127).all()


def test_photographs_are_surfaces_of_generated_clips(root: Path) -> None:
    config = training_config(64, 2)
    plain = generate_clip(5, config)
    source = photograph_source(bank_of(root))
    over = [generate_clip(5, replace(config, photograph=source)) for _ in range(2)]
    assert np.array_equal(over[0].frames_rgb_thwc, over[1].frames_rgb_thwc)
    assert not np.array_equal(over[0].frames_rgb_thwc, plain.frames_rgb_thwc)
    assert over[0].labels_thw.any()
