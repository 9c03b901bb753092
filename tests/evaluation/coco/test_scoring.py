"""Scores of objects that are prompted one by one, their means, and files of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.data.clips import deepest_point
from sam2lite.data.datasets.coco_instances import (
    Instance,
    InstanceImage,
    InstanceSet,
    read_instances,
)
from sam2lite.errors import VideoError
from sam2lite.evaluation.coco import (
    ImageScores,
    InstanceScore,
    InstanceTask,
    gather,
    mean_ious,
    read_results,
    score_images,
    to_records,
)
from sam2lite.evaluation.coco.scoring import object_box
from sam2lite.evaluation.metrics import region_j
from sam2lite.evaluation.workers import TrackerRecipe
from sam2lite.runtimes.prompts import Prompt
from tests.evaluation.coco.conftest import Write

RUNG = 240


@pytest.fixture(scope="module")
def instances(written: Write) -> InstanceSet:
    return read_instances(written())


@pytest.fixture(scope="module")
def recipe(mini_folder: str) -> TrackerRecipe:
    return TrackerRecipe("model", mini_folder)


@pytest.fixture(scope="module")
def by_box(instances: InstanceSet, recipe: TrackerRecipe) -> list[ImageScores]:
    task = InstanceTask(recipe, [RUNG, 336], "box", baselines=True)
    return list(score_images(instances.images, task))


def found_alone(recipe: TrackerRecipe, image: InstanceImage, prompt: Prompt) -> np.ndarray:
    """Return the mask that a new segmenter finds on the picture."""
    segmenter = recipe.segmenter(RUNG)
    picture_bgr = np.ascontiguousarray(image.read()[..., ::-1])
    mask_hw: np.ndarray = segmenter.give(picture_bgr, 5, prompt).mask
    segmenter.close()
    return mask_hw


def box_of(instance: Instance) -> tuple[float, ...]:
    left, top, width, height = instance.box_xywh or (0.0, 0.0, 0.0, 0.0)
    return left, top, left + width, top + height


def check_as_if_alone(
    recipe: TrackerRecipe, image: InstanceImage, scores: list[InstanceScore]
) -> None:
    visible = [each for each in image.instances if image.mask(each).any()]
    assert [score.id for score in scores] == [each.id for each in visible]
    for instance, score in zip(visible, scores, strict=True):
        mask_hw = found_alone(recipe, image, Prompt(box=box_of(instance)))
        assert (score.box_xyxy, score.image_id) == (box_of(instance), image.id)
        assert score.iou == region_j(mask_hw, image.mask(instance))


def test_every_object_is_found_as_if_it_were_the_only_one(
    instances: InstanceSet, recipe: TrackerRecipe, by_box: list[ImageScores]
) -> None:
    for image, found in zip(instances.images, by_box, strict=True):
        check_as_if_alone(recipe, image, found.by_rung[RUNG])
    assert [result.empty for result in by_box] == [1, 0]
    assert len({score.iou for result in by_box for score in result.by_rung[RUNG]}) > 2


def test_a_bundle_finds_every_object_as_if_it_were_the_only_one(
    instances: InstanceSet, tiny_bundle: Path
) -> None:
    recipe = TrackerRecipe("bundle", str(tiny_bundle))
    (found,) = score_images(instances.images[:1], InstanceTask(recipe, [RUNG], "box"))
    check_as_if_alone(recipe, instances.images[0], found.by_rung[RUNG])


def test_a_click_is_the_deepest_point(instances: InstanceSet, recipe: TrackerRecipe) -> None:
    image = instances.images[1]
    (found,) = score_images([image], InstanceTask(recipe, [RUNG], "click"))
    truth_hw = image.mask(image.instances[0])
    mask_hw = found_alone(recipe, image, Prompt(points=[deepest_point(truth_hw)]))
    assert found.by_rung[RUNG][0].iou == region_j(mask_hw, truth_hw)
    assert found.by_baseline == {}


def test_the_filled_box_and_sizes_are_side_by_side(by_box: list[ImageScores]) -> None:
    run = gather(by_box)
    data = json.loads(json.dumps(run.to_json()))
    assert (data["images"], data["empty"], data["rung"]) == (2, 1, 336)
    assert list(data["rungs"]) == ["240", "336"]
    assert data["by_size"] == data["rungs"]["336"]["by_size"] != data["rungs"]["240"]["by_size"]
    filled = run.by_baseline["filled_box"]
    for score in filled:
        x1, y1, x2, y2 = score.box_xyxy
        assert score.iou == pytest.approx(score.area / ((x2 - x1) * (y2 - y1)))


def test_processes_find_what_one_finds(
    instances: InstanceSet, recipe: TrackerRecipe, by_box: list[ImageScores]
) -> None:
    task = InstanceTask(recipe, [RUNG, 336], "box", baselines=True)
    assert list(score_images(instances.images, task, workers=2)) == by_box


def test_no_object_has_a_pixel() -> None:
    with pytest.raises(VideoError, match="none of the 3 objects has a pixel"):
        gather([ImageScores({RUNG: []}, {}, 3)])


def scored(own_id: int, area: float, iou: float) -> InstanceScore:
    return InstanceScore(own_id, 1, 18, area, (0.0, 1.0, 2.0, 3.5), iou)


def test_sizes_are_cocos_both_ends_included() -> None:
    scores = [scored(1, 1024.0, 1.0), scored(2, 1025.0, 0.5), scored(3, 0.0, 0.0)]
    means = mean_ious([*scores, scored(4, 9216.0, 0.25)])
    counts = {size: mean.objects for size, mean in means.items()}
    assert counts == {"all": 4, "small": 2, "medium": 3, "large": 1}
    assert means["all"].miou == pytest.approx(43.75)
    assert means["small"].miou == pytest.approx(50.0)
    assert means["medium"].miou == pytest.approx(175 / 3)
    assert means["large"].miou == pytest.approx(25.0)
    assert np.isnan(mean_ious(scores)["large"].miou)


@pytest.mark.parametrize(
    ("box_xywh", "expected"),
    [
        ((2.5, 3.0, 4.0, 5.5), (2.5, 3.0, 6.5, 8.5)),
        ((-2.0, 3.0, 40.0, 5.0), (0.0, 3.0, 20.0, 8.0)),
        (None, (4.0, 2.0, 9.0, 6.0)),
        ((4.0, 2.0, 0.0, 4.0), (4.0, 2.0, 9.0, 6.0)),
        ((30.0, 2.0, 5.0, 4.0), (4.0, 2.0, 9.0, 6.0)),
    ],
    ids=["stated", "beyond the picture", "none", "no area", "elsewhere"],
)
def test_boxes(box_xywh: Any, expected: tuple[float, ...]) -> None:
    truth_hw = np.zeros((10, 20), bool)
    truth_hw[2:6, 4:9] = True
    assert object_box(Instance(1, 1, 20.0, box_xywh, None), truth_hw) == expected


def test_scores_are_written_and_read_back(tmp_path: Path) -> None:
    scores = [scored(1, 20.0, 0.5), scored(2, 3000.5, 1.0)]
    (tmp_path / "scores.json").write_text(json.dumps(to_records(scores)))
    read = read_results(tmp_path / "scores.json")
    assert (read.scores, read.crowds) == (scores, 0)


# As nanosam2's eval_coco.py writes it, a crowd among it.
NANOSAM2 = """[
 {"id": 1768, "area": 702.1057499999998, "category_id": 18, "iscrowd": 0, "image_id": 289343,
  "box": [473.07, 395.93, 511.72, 424.6], "iou": 0.75},
 {"id": 900100002, "area": 40000, "category_id": 1, "iscrowd": 1, "image_id": 289343,
  "box": [0, 0, 200, 200], "iou": 0.5},
 {"id": 1773, "area": 9217, "category_id": 1, "iscrowd": 0, "image_id": 61471,
  "box": [272.1, 200.23, 424.07, 480.0], "iou": 1}]"""


def test_a_file_of_nanosam2s(tmp_path: Path) -> None:
    (tmp_path / "coco_results.json").write_text(NANOSAM2)
    read = read_results(tmp_path / "coco_results.json")
    assert read.crowds == 1
    means = mean_ious(read.scores)
    assert {size: mean.miou for size, mean in means.items() if mean.objects} == {
        "all": 87.5,
        "small": 75.0,
        "large": 100.0,
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "scores.json"),
        ("{}", "holds no list"),
        ("[]", "no object among 0"),
        ('[{"iscrowd": 1}]', "no object among 1"),
        ("[7]", "entry 0 .* malformed"),
        ('[{"iscrowd": 0}]', "it has no 'id'"),
        (NANOSAM2.replace("0.75", "1.75"), "its IoU is 1.75"),
        (NANOSAM2.replace("0.75", "NaN"), "NaN"),
        (NANOSAM2.replace("0.75", "null"), "no area, IoU and box"),
        (NANOSAM2.replace("1768", '"x"'), "no whole numbers"),
        (NANOSAM2.replace(", 424.6]", "]"), "no area, IoU and box"),
        (NANOSAM2.replace("[473.07, 395.93, 511.72, 424.6]", "7"), "entry 0"),
    ],
)
def test_files_that_are_no_scores(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(VideoError, match=named):
        read_results(tmp_path / "scores.json")
