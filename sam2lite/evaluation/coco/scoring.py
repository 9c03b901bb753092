"""Objects of images, each prompted by itself and compared with its mask."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sam2lite.data.clips import deepest_point
from sam2lite.data.datasets.coco_instances import Instance, InstanceImage
from sam2lite.data.process_pool import each_in_processes
from sam2lite.evaluation.first_prompts import exact_box
from sam2lite.evaluation.metrics import Mask, region_j
from sam2lite.evaluation.trackers import Frame, Segmenter
from sam2lite.evaluation.workers import TrackerRecipe
from sam2lite.runtimes.prompts import Prompt

Box = tuple[float, float, float, float]  # x1, y1, x2, y2, px
_OBJECT = 1  # the id of whichever is looked at

PROMPTS: Mapping[str, Callable[[Box, Mask], Prompt]] = {
    "box": lambda box_xyxy, mask_hw: Prompt(box=box_xyxy),
    "click": lambda box_xyxy, mask_hw: Prompt(points=[deepest_point(mask_hw)]),
}


@dataclass(frozen=True)
class InstanceScore:
    """How well one object was found.

    Attributes:
        id: of the annotation.
        image_id: of its image.
        category_id: what it is.
        area: that the annotation states, square px.
        box_xyxy: left, top, right and bottom of the object, px.
        iou: of the mask that was found with the true one, 0 to 1.
    """

    id: int
    image_id: int
    category_id: int
    area: float
    box_xyxy: Box
    iou: float


class ImageScores(NamedTuple):
    """The scores of one image's objects, in their order; those without a pixel are only counted."""

    by_rung: dict[int, list[InstanceScore]]
    by_baseline: dict[str, list[InstanceScore]]
    empty: int


@dataclass(frozen=True)
class InstanceTask:
    """What is done with every image.

    Attributes:
        recipe: of the network.
        rungs: input sizes, px, each tried on every object.
        prompt: `box` or `click`.
        baselines: score the filled box too.
    """

    recipe: TrackerRecipe
    rungs: Sequence[int]
    prompt: str
    baselines: bool = False

    def worker(self, threads: int | None) -> Callable[[InstanceImage], ImageScores]:
        """Return what scores one image after the other; see `each_in_processes`."""
        return _Worker(self, threads).score


def score_images(
    images: Sequence[InstanceImage], task: InstanceTask, workers: int = 1
) -> Iterator[ImageScores]:
    """Yield the scores of every image, in order.

    Args:
        images: one or more.
        task: what to do with each.
        workers: processes; 1 is this one, with all its threads.

    Raises:
        Sam2LiteError: a process was killed.
        VideoError: a picture or a mask cannot be read.
    """
    return each_in_processes(task.worker, images, workers)


class _Worker:
    def __init__(self, task: InstanceTask, threads: int | None) -> None:
        self._task = task
        self._segmenters = {rung: task.recipe.segmenter(rung, threads) for rung in task.rungs}

    def score(self, image: InstanceImage) -> ImageScores:
        frame_bgr: Frame = np.asarray(cv2.cvtColor(image.read(), cv2.COLOR_RGB2BGR), np.uint8)
        scores = ImageScores({rung: [] for rung in self._task.rungs}, {}, 0)
        if self._task.baselines:
            scores.by_baseline["filled_box"] = []
        empty = 0
        for segmenter in self._segmenters.values():
            segmenter.reset()
        for instance in image.instances:
            truth_hw = image.mask(instance)
            if not truth_hw.any():
                empty += 1
                continue
            box = object_box(instance, truth_hw)
            prompt = PROMPTS[self._task.prompt](box, truth_hw)
            for rung, segmenter in self._segmenters.items():
                found_hw = _found(segmenter, frame_bgr, prompt)
                scores.by_rung[rung].append(_score(image, instance, box, found_hw, truth_hw))
            for listed in scores.by_baseline.values():
                listed.append(_score(image, instance, box, _filled(box, truth_hw), truth_hw))
        return scores._replace(empty=empty)


def object_box(instance: Instance, truth_hw: Mask) -> Box:
    """Return the box that the annotation states, inside the picture.

    It is the mask's own where none is stated, or one without area.

    Args:
        instance: of the box.
        truth_hw: its mask, bool [height, width], not empty.
    """
    height, width = truth_hw.shape
    left, top, box_width, box_height = instance.box_xywh or (0.0, 0.0, 0.0, 0.0)
    x1, x2 = (min(max(x, 0.0), float(width)) for x in (left, left + box_width))
    y1, y2 = (min(max(y, 0.0), float(height)) for y in (top, top + box_height))
    if x1 < x2 and y1 < y2:
        return x1, y1, x2, y2
    x1, y1, x2, y2 = exact_box(truth_hw)
    return float(x1), float(y1), float(x2), float(y2)


def _found(segmenter: Segmenter, frame_bgr: Frame, prompt: Prompt) -> Mask:
    """Prompt an object as the only one; the picture is encoded for the first of them alone."""
    mask_hw: Mask = segmenter.give(frame_bgr, _OBJECT, prompt).mask
    segmenter.remove(_OBJECT)
    return mask_hw


def _filled(box_xyxy: Box, truth_hw: Mask) -> Mask:
    """Return the pixels whose middle is in a box."""
    height, width = truth_hw.shape
    x1, y1, x2, y2 = box_xyxy
    x_w, y_h = np.arange(width) + 0.5, np.arange(height) + 0.5
    mask_hw: Mask = ((y1 <= y_h) & (y_h < y2))[:, None] & ((x1 <= x_w) & (x_w < x2))
    return mask_hw


def _score(
    image: InstanceImage, instance: Instance, box: Box, found_hw: Mask, truth_hw: Mask
) -> InstanceScore:
    iou = region_j(found_hw, truth_hw)
    return InstanceScore(instance.id, image.id, instance.category_id, instance.area, box, iou)
