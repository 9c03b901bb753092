"""Mean IoU on COCO's objects, each prompted by itself: all, small, medium and large ones."""

from sam2lite.evaluation.coco.results_file import ReadResults, read_results, to_records
from sam2lite.evaluation.coco.scoring import (
    PROMPTS,
    ImageScores,
    InstanceScore,
    InstanceTask,
    score_images,
)
from sam2lite.evaluation.coco.summary import (
    InstanceRun,
    SizeMean,
    gather,
    mean_ious,
)

__all__ = [
    "PROMPTS",
    "ImageScores",
    "InstanceRun",
    "InstanceScore",
    "InstanceTask",
    "ReadResults",
    "SizeMean",
    "gather",
    "mean_ious",
    "read_results",
    "score_images",
    "to_records",
]
