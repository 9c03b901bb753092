"""What is done to masks before they are shown; memory is made of what the network gave."""

from typing import Dict, List

from sam2lite.runtimes.masks.boxes import best_boxes, box_of
from sam2lite.runtimes.masks.components import cleaned
from sam2lite.runtimes.masks.options import NOTHING, Cleaning
from sam2lite.runtimes.masks.stability import stability
from sam2lite.runtimes.results import ObjectResult

# Why an object is not shown, as `ObjectResult.hidden` has it.
BY_IOU, BY_STABILITY, BY_BOX = "iou", "stability", "box"


def clean_results(
    results: Dict[int, ObjectResult], cleaning: Cleaning, threshold: float = 0.0
) -> Dict[int, ObjectResult]:
    """Return what is shown of a frame's objects.

    Args:
        results: by object id.
        cleaning: what is done.
        threshold: that the mask's logits are cut at.
    """
    if cleaning == NOTHING:
        return results
    done = {
        object_id: _cleaned(result, cleaning, threshold) if result.visible else result
        for object_id, result in results.items()
    }
    return _apart(done, cleaning.box_nms) if cleaning.box_nms < 1.0 else done


def _cleaned(result: ObjectResult, cleaning: Cleaning, threshold: float) -> ObjectResult:
    if not result.prompted:
        if result.iou < cleaning.min_iou:
            return _hidden(result, BY_IOU)
        least = cleaning.min_stability
        if least and stability(result.logits, threshold=threshold) < least:
            return _hidden(result, BY_STABILITY)
    return result._replace(mask=cleaned(result.mask, cleaning.islands, cleaning.holes))


def _apart(results: Dict[int, ObjectResult], most_iou: float) -> Dict[int, ObjectResult]:
    boxes: Dict[int, List[int]] = {}
    for object_id, result in sorted(results.items()):
        box = box_of(result.mask) if result.visible else None
        if box is not None:
            boxes[object_id] = box
    ids = list(boxes)
    # What was pointed out comes before all that was found.
    scores = [results[each].iou + (2.0 if results[each].prompted else 0.0) for each in ids]
    kept = best_boxes(list(boxes.values()), scores, most_iou)
    gone = set(ids) - {ids[place] for place in kept}
    return {
        object_id: _hidden(result, BY_BOX) if object_id in gone and not result.prompted else result
        for object_id, result in results.items()
    }


def _hidden(result: ObjectResult, why: str) -> ObjectResult:
    nothing = result.mask.copy()
    nothing[:] = False
    return result._replace(mask=nothing, visible=False, hidden=why)
