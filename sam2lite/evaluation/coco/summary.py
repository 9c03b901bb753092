"""Scores of objects, and their means by COCO's sizes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sam2lite.errors import VideoError
from sam2lite.evaluation.coco.scoring import ImageScores, InstanceScore

# Square px that an annotation states as its area, both ends included, as COCO has it: an object of
# exactly 32 x 32 px is small and medium.
SIZES: Mapping[str, tuple[float, float]] = {
    "all": (-math.inf, math.inf),
    "small": (-math.inf, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, math.inf),
}


class SizeMean(NamedTuple):
    """The objects of one size: how many, and their mean IoU, 0 to 100; NaN where there is none."""

    objects: int
    miou: float


def mean_ious(scores: Iterable[InstanceScore]) -> dict[str, SizeMean]:
    """Return the mean IoU over all objects, and over those of each size."""
    found = list(scores)
    means = {}
    for size, (least, most) in SIZES.items():
        ious = [score.iou for score in found if least <= score.area <= most]
        means[size] = SizeMean(len(ious), 100 * math.fsum(ious) / len(ious) if ious else math.nan)
    return means


def means_to_json(means: Mapping[str, SizeMean]) -> dict[str, Any]:
    """Return plain data, by size; a mean of nothing is None."""
    return {
        size: {"objects": mean.objects, "miou": round(mean.miou, 2) if mean.objects else None}
        for size, mean in means.items()
    }


@dataclass(frozen=True)
class InstanceRun:
    """What came out of a run.

    Attributes:
        images: how many were looked at.
        empty: objects without a pixel, which have no score.
        by_rung: the scores of the network, by input size, ascending.
        by_baseline: those of what needs no network.
    """

    images: int
    empty: int
    by_rung: Mapping[int, Sequence[InstanceScore]]
    by_baseline: Mapping[str, Sequence[InstanceScore]]

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the means at the largest input size, at each, and of baselines."""
        rungs = {str(rung): _to_json(scores) for rung, scores in self.by_rung.items()}
        largest = max(self.by_rung)
        return {
            "images": self.images,
            "empty": self.empty,
            "rung": largest,
            **rungs[str(largest)],
            "rungs": rungs,
            "baselines": {name: _to_json(scores) for name, scores in self.by_baseline.items()},
        }


def gather(results: Sequence[ImageScores]) -> InstanceRun:
    """Put the scores of all images together.

    Raises:
        VideoError: no object has a pixel.
    """
    by_rung: dict[int, list[InstanceScore]] = {}
    by_baseline: dict[str, list[InstanceScore]] = {}
    for result in results:
        for rung, scores in result.by_rung.items():
            by_rung.setdefault(rung, []).extend(scores)
        for name, scores in result.by_baseline.items():
            by_baseline.setdefault(name, []).extend(scores)
    empty = sum(each.empty for each in results)
    if not any(by_rung.values()):
        raise VideoError(f"none of the {empty} objects has a pixel; give another file of instances")
    return InstanceRun(len(results), empty, by_rung, by_baseline)


def _to_json(scores: Iterable[InstanceScore]) -> dict[str, Any]:
    return {"by_size": means_to_json(mean_ious(scores))}
