"""Masks of everything: the grid, the filters, and the JSON."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.masks.coco import coco_data
from sam2lite.runtimes.masks.everything import everything, point_grid
from sam2lite.runtimes.masks.options import NOTHING, Cleaning
from sam2lite.runtimes.masks.picture import draw_everything
from sam2lite.runtimes.segmenter import VideoSegmenter


@pytest.fixture(scope="module")
def bundle(shipped_bundle: Path) -> Bundle:
    return open_bundle(str(shipped_bundle))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    clip = generate_clip(8, ClipConfig(height=90, width=120, frames=1))
    return np.ascontiguousarray(clip.frames_rgb_thwc[0][..., ::-1])


def test_clicks_are_in_the_middle_of_equal_cells() -> None:
    assert point_grid(2, 8, 4) == [(1.5, 0.5), (5.5, 0.5), (1.5, 2.5), (5.5, 2.5)]


def test_every_candidate_of_a_click_is_found(bundle: Bundle, picture: np.ndarray) -> None:
    found = everything(bundle, picture, 1, NOTHING)
    with VideoSegmenter(bundle) as segmenter:
        chosen = segmenter.prompt(picture, points=[(59.5, 44.5)])
    assert 1 <= len(found) <= 4
    assert np.array_equal(rle.decode(found[0].rle), chosen.mask)  # of the highest predicted IoU
    assert found[0].predicted_iou == pytest.approx(chosen.iou)
    assert found[0].area == chosen.mask.sum()
    assert [each.predicted_iou for each in found] == sorted(
        (each.predicted_iou for each in found), reverse=True
    )


def test_filters_leave_fewer_and_better_masks(bundle: Bundle, picture: np.ndarray) -> None:
    every = everything(bundle, picture, 4, NOTHING)
    apart = everything(bundle, picture, 4, Cleaning(box_nms=0.7))
    ious = [each.predicted_iou for each in every]
    limits = Cleaning(min_iou=float(np.median(ious)), min_stability=0.3, box_nms=0.7)
    good = everything(bundle, picture, 4, limits)
    assert len(every) > len(apart) > len(good) > 0
    assert all(each.predicted_iou >= limits.min_iou and each.stability >= 0.3 for each in good)
    clean = everything(bundle, picture, 4, Cleaning(islands=10**6))
    for each in clean[:5]:
        mask = rle.decode(each.rle).view(np.uint8)
        assert cv2.connectedComponents(mask, connectivity=8)[0] == 2


def test_the_json_is_that_of_sa_1b(bundle: Bundle, picture: np.ndarray) -> None:
    found = everything(bundle, picture, 2, NOTHING)
    data = json.loads(json.dumps(coco_data(found, "a.png", 120, 90, {"by": "test"})))
    assert data["image"] == {"image_id": 1, "file_name": "a.png", "width": 120, "height": 90}
    assert [each["id"] for each in data["annotations"]] == list(range(1, len(found) + 1))
    for each in data["annotations"]:
        mask = rle.decode(each["segmentation"])
        x, y, width, height = each["bbox"]
        assert mask.shape == (90, 120)
        assert each["area"] == mask.sum() == mask[y : y + height, x : x + width].sum()
        assert mask[y, x : x + width].any()
        assert mask[y : y + height, x + width - 1].any()
        ((px, py),) = each["point_coords"]
        assert 0 <= px < 120
        assert 0 <= py < 90
        assert {"predicted_iou", "stability_score", "crop_box"} <= each.keys()
    drawn = draw_everything(picture, found)
    assert drawn.shape == picture.shape
    assert not np.array_equal(drawn, picture)
    assert np.array_equal(draw_everything(picture, []), picture)


def test_bad_input(bundle: Bundle, picture: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="points per side"):
        everything(bundle, picture, 0)
    with pytest.raises(ArgumentError, match="do not fit"):
        everything(bundle, picture[:3], 4)
    with pytest.raises(UnknownNameError, match="480"):
        everything(bundle, picture, 2, size=480)
    with pytest.raises(ArgumentError, match="uint8"):
        everything(bundle, picture.astype(np.float32), 2)
